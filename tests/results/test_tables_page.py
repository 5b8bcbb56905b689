"""The page "The recorded tables" names every column of every table, and no other."""

import csv
import re

from cchkd_utils import paths
from cchkd_utils.book import build

PAGE = (paths.ROOT / "book" / "tables.md").read_text(encoding="utf-8")


def described():
    """Pair each table on the page with the columns that it is said to have."""
    columns = {}
    for section in PAGE.split("\n## ")[1:]:
        names = re.findall(r'href="\.\./_static/results/(\w+)\.csv">\1</a>', section)
        rows = re.findall(r"(?m)^\| `(.+?)` \| (.+) \|$", section.replace(r"\|", "¦"))
        for column, rest in rows:
            meaning, _, only = rest.partition(" | ")
            assert len(meaning) > 2, column
            for name in re.findall(r"`(\w+)`", only) or names:
                assert name in names, (column, name)
                columns.setdefault(name, []).append(column.replace("¦", "|"))
    return columns


def test_every_column_of_every_table_is_described_and_no_other():
    headers = {}
    for path in paths.RECORDED.glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            headers[path.stem] = sorted(next(csv.reader(file)))
    assert {name: sorted(columns) for name, columns in described().items()} == headers


def test_each_table_has_one_address_in_the_book():
    staged = {name for name in build._sources() if name.endswith(".csv")}
    recorded = {path.name for path in paths.RECORDED.glob("*.csv")}
    assert {name for name in staged if "results/" in name} == {
        f"book/_static/results/{name}" for name in recorded
    }
