"""The figures with choices show the recorded tables: as Vega draws them, for several choices."""

import html
import re

import pytest
import vl_convert

from cchkd_utils import results
from cchkd_utils.sections.cells import same_sign
from cchkd_utils.sections.many_pairs import page as pairs_page
from cchkd_utils.sections.many_pairs import tables as pairs_tables
from cchkd_utils.sections.mnist_m import page, tables

pytestmark = pytest.mark.slow


def drawn(chart, **chosen):
    """Draw a figure as it is when readers have chosen; return its marks' labels and its texts."""
    spec = chart.to_dict() | {"width": 500}
    for parameter in spec["params"]:
        parameter["value"] = chosen.pop(parameter["name"], parameter["value"])
    assert chosen == {}
    svg = html.unescape(vl_convert.vegalite_to_svg(spec))
    return re.findall(r'aria-label="([^"]*verdict: [^"]*)"', svg), re.sub(r"<[^>]+>", " ", svg)


def words(cells):
    """What stands above the marks of these cells."""
    helps, hurts = ((cells["outcome"] == name).sum() for name in ("helps", "hurts"))
    return [
        f"Of {len(cells)} gains {helps + hurts} are clear: {helps} help, {hurts} hurt.",
        f"sign of the gap {same_sign(cells).sum()}, “never distil” {hurts}.",
    ]


@pytest.mark.parametrize(
    ("lam", "temperature", "estimator"), [(0.5, 2.0, "auto"), (0.8, 4.0, "ksg"), (0.2, 1.0, "lmi")]
)
def test_digits_by_blur(lam, temperature, estimator):
    rows, verdicts = results.recorded("mnist_m")
    gains = tables.paired(tables.in_points(rows))
    points = tables.points(gains, tables.paired(verdicts), temperature)
    points = points[(points["lam"] == lam) & (points["estimator"] == estimator)]
    choice = {"lam": lam, "temperature": temperature, "estimator": estimator}
    marks, text = drawn(page.chart(rows, verdicts), **choice)
    assert len(marks) == len(points) == 8
    for point in points.itertuples():
        mark = next(m for m in marks if f"blur (px): {point.knob:g};" in m)
        gap, gain = (f"{number:+.2f}".replace("-", "−") for number in (point.gap, point.gain))
        assert f"gap (nats): {gap}" in mark and f"gain (points): {gain} [" in mark
        assert f"verdict: {point.decision};" in mark and f"outcome: {point.outcome}" in mark
    for line in words(points):
        assert line in text


@pytest.mark.parametrize(
    ("soft", "lam", "estimator", "source"),
    [("in-sample", 0.5, "auto", "all"), ("cross-fitted", 0.8, "mine", "digits")],
)
def test_many_pairs_by_source(soft, lam, estimator, source):
    rows, verdicts = results.recorded("many_pairs")
    table = pairs_tables.joined(rows, verdicts, soft)
    table = table[(table["lam"] == lam) & (table["temperature"] == 2.0)]
    table = table[table["estimator"] == estimator]
    table = table if source == "all" else table[table["source"] == source]
    choice = {"soft": soft, "lam": lam, "estimator": estimator, "source": source}
    marks, text = drawn(pairs_page.chart(rows, verdicts), **choice)
    assert len(marks) == len(table)
    for line in words(table):
        assert line in text
    largest = table.loc[table["percent"].abs().idxmax()]
    pair = "{dataset}: {teacher} → {student}; training rows: {n_train}".format(**largest)
    assert any(pair.removeprefix("TCGA-") in mark for mark in marks)
