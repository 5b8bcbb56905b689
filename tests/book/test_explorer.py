"""The interactive figure says what `JointGaussian` says, and needs nothing from outside."""

import html
import itertools
import math
import re

import pytest
import vl_convert

from cchkd_utils.book import explorer
from cchkd_utils.gaussian import JointGaussian, admissible_g

FUNCTIONS = {
    "pow": pow,
    "log": math.log,
    "iff": lambda test, then, otherwise: then if test else otherwise,
    "MAX_VALUE": math.inf,
}


def evaluate(**sliders):
    """Compute the figure's own expressions in Python: the same text, other interpreter."""
    values = {name: start for name, (start, *_) in explorer.SLIDERS.items()} | sliders
    for name, text in [*explorer.SIGNALS.items(), ("now", explorer.change("weight"))]:
        values[name] = eval(text.replace("if(", "iff("), FUNCTIONS | values)
    return values


GRID = list(
    itertools.product([0.3, 0.6], [0.0, 0.35, 0.8], [0.2, 0.7], [0.0, 0.5, 3.0], [1.5, 10, 90])
)


def test_expressions_agree_with_the_closed_form():
    compared = 0
    for (r, q, g, sd, ratio), p in itertools.product(GRID, [10, 100]):
        low, high = admissible_g(r, q)
        if not low < g < high:
            assert not evaluate(r=r, q=q, g=g)["possible"]
            continue
        model = JointGaussian.from_correlations(r, q, g, p, sd)
        n = ratio * p
        for weight in (0.05, 0.1, 1.0, 8.0):
            shown = evaluate(r=r, q=q, g=g, sd=sd, ratio=ratio, p=p, weight=weight)
            assert shown["possible"] and shown["enough"] and shown["n"] == n
            close = {"rel_tol": 1e-9, "abs_tol": 1e-12}
            assert math.isclose(shown["now"], model.relative_change(n, weight), **close)
            assert math.isclose(shown["between"], model.mi_teacher_student, **close)
            assert math.isclose(shown["label"], model.mi_student_label, **close)
            assert math.isclose(shown["largest"], model.largest_helpful_lambda(n), rel_tol=1e-6)
            compared += 1
    assert compared > 400


def test_too_few_rows_are_noticed():
    assert not evaluate(ratio=1.0)["enough"] and evaluate(ratio=1.5)["enough"]


def drawn(**sliders):
    """Texts of the figure as Vega itself draws it."""
    spec = explorer.chart().to_dict()
    for parameter in spec["params"]:
        if parameter["name"] in sliders:
            parameter["value"] = sliders[parameter["name"]]
    spec["width"] = 500
    svg = vl_convert.vegalite_to_svg(spec)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", svg)))


def test_opening_state_shows_the_number_of_the_theory_chapter():
    text = drawn()
    exact = JointGaussian.from_correlations(0.6, 0.8, 0.7, 100).relative_change(1000, 0.1)
    assert round(100 * exact, 1) == -1.1
    assert "R(λ) / R(0) − 1 = −1.1 % at λ = 0.1" in text
    assert "I(t;s) = 0.511 > 0.223 = I(s;y), distil" in text
    assert "helps for λ below 10.6; here it helps" in text and "n = 1,000, p = 100" in text


@pytest.mark.parametrize(
    ("sliders", "words"),
    [
        ({"sd": 3.0, "g": 0.9}, ["distil", "hurts at every λ", "here it hurts"]),
        (
            {"sd": 0.0, "ratio": 2.0, "weight": 1.0},
            ["−31 %", "0.000 ≤ 0.223 = I(s;y), do not", "helps at every λ"],
        ),
        ({"r": 0.6, "q": 0.3, "g": 0.9, "weight": 1.0}, ["do not", "hurts at every λ"]),
        ({"ratio": 30.0, "weight": 1.0}, ["+0.052 %", "λ below 0.955; here it hurts"]),
        ({"weight": 0.0}, ["here it changes nothing"]),
        ({"r": 0.9, "q": 0.9, "g": 0.2}, ["cannot occur together", "g between 0.62 and 1.00"]),
        ({"ratio": 1.0}, ["n must exceed p + 1", "Move n / p to the right"]),
    ],
)
def test_verdicts_in_words(sliders, words):
    text = drawn(**sliders)
    for word in words:
        assert word in text


def test_the_page_is_whole_and_the_same_each_time():
    page = explorer.page()
    assert page == explorer.page()
    assert not re.search(r"<(?:script|link)[^>]+(?:src|href)=", page)
    assert '<html lang="en">' in page and "<title>" in page and len(page) > 500_000
