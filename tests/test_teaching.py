"""What the teaching page says students will see, where it can be computed exactly; its commands."""

import re
import shlex

import pytest

from cchkd_utils import paths, runner
from cchkd_utils.book import cli, deck
from cchkd_utils.book.explorer import SLIDERS
from cchkd_utils.gaussian import JointGaussian, q_for_gap

PAGE = (paths.ROOT / "book" / "teaching.md").read_text(encoding="utf-8")


def change(model, n, lam):
    return model.risk(n, lam) / model.risk(n, 0) - 1


def test_task_a_many_rows_take_the_gain_away():
    """Notebook 01 at smoke: p = 20, and its own r and g."""
    values = runner.settle(runner.find_notebook("01"), "smoke", {})
    r, g, p = (values[name] for name in ("r", "g", "p"))
    rich, poor = (
        JointGaussian.from_correlations(r, q_for_gap(gap, r), g, p, "calibrated")
        for gap in (0.4, -0.2)
    )
    assert change(rich, 60, 0.5) == pytest.approx(-0.115, abs=0.02)
    assert -0.01 < change(rich, 1000, 0.5) < 0
    assert change(poor, 60, 0.2) < 0 < change(poor, 1000, 0.2)


def test_task_d_and_e_hold_where_the_sliders_open():
    opening = {name: value for name, (value, *_) in SLIDERS.items()}
    p = opening["p"]
    at = JointGaussian.from_correlations(*(opening[k] for k in "rqg"), p, opening["sd"])
    assert change(at, 30 * p, 0.1) < 0 < change(at, 30 * p, 10.0)
    empty = JointGaussian.from_correlations(opening["r"], 0.0, 0.0, p, opening["sd"])
    assert change(empty, int(1.5 * p), 0.1) == pytest.approx(-0.1, abs=0.02)
    assert change(empty, 10 * p, 1.0) > 0


def test_every_command_on_the_page_is_understood():
    """Parsed, and its parameters checked against the notebook; nothing is run."""
    commands = re.findall(r"^\$ (cchkd .*?)(?:#.*)?$", PAGE, re.MULTILINE)
    assert len(commands) >= 9
    for command in commands:
        arguments = cli._parser().parse_args(shlex.split(command)[1:])
        if hasattr(arguments, "given"):
            path = runner.find_notebook(arguments.notebook)
            runner.settle(path, arguments.preset, cli._pairs(arguments.given))


def test_the_plan_of_the_lab_is_that_of_the_lab():
    """Minutes and points of each part; the lab adds both kinds of points in a cell."""
    lab = (paths.NOTEBOOKS / "lab.py").read_text(encoding="utf-8")
    in_lab = re.findall(r"^# \| (\d\..*?|all) \| (\d+) \| ([\d +]*?) ?\|$", lab, re.MULTILINE)
    _, _, plan = PAGE.partition("## Plan 2: the lab")
    row = r"^\| (\d+) \| (\d\..*?|all) \| ?(\d*) ?\| ?(\d*) ?\|$"
    rows = re.findall(row, plan.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) == len(in_lab) == 9
    for (minutes, part, checked, read), (name, planned, points) in zip(rows, in_lab):
        assert (minutes, part) == (planned, name)
        told = sum(int(p) for p in points.split("+") if p.strip())
        assert int(checked or 0) + int(read or 0) == told, part


def test_times_stand_with_every_plan_and_task():
    head = r"(?ms)^## Plan \w+: [\w ]* \((\d+) minutes\)$(.*?)^(?=## )"
    plans = re.findall(head, PAGE)
    assert len(plans) == 3
    for total, plan in plans:
        rows = [int(n) for n in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE)]
        assert sum(rows) in (int(total), 2 * int(total))  # the lab's table ends with the sum
    tasks = re.findall(r"^\*\*Task (\w)\. [^*]*\*\*(.*)$", PAGE, re.MULTILINE)
    assert [name for name, _ in tasks] == [*"ABCDEF"]
    assert all(re.match(r" \(\d+ minutes", said) for _, said in tasks)


def test_the_plan_of_the_lecture_is_that_of_the_deck():
    plan = PAGE.partition("## Plan 1")[2].partition("## Plan 2")[0]
    rows = [row.split(" | ") for row in plan.splitlines() if re.match(r"\| \d", row)]
    ranges = [[int(n) for n in re.findall(r"\d+", row[2])] for row in rows]
    assert [n for first, *last in ranges for n in range(first, (last or [first])[0] + 1)] == list(
        range(1, len(list(deck.parts(deck.SOURCE.read_text(encoding="utf-8")))) + 1)
    )
    assert sum(int(row[0].strip("| ")) for row in rows) == 45
