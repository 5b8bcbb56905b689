"""The interactive figure says what `JointGaussian` says, its buttons what the chapter claims."""

import html
import itertools
import math
import re

import pytest
import vl_convert

from cchkd_utils import paths
from cchkd_utils.book import explorer
from cchkd_utils.gaussian import JointGaussian, admissible_g

FUNCTIONS = {
    "pow": pow,
    "log": math.log,
    "min": min,
    "iff": lambda test, then, otherwise: then if test else otherwise,
    "MAX_VALUE": math.inf,
}


def evaluate(**sliders):
    """Compute the figure's own expressions in Python: the same text, other interpreter."""
    values = {name: start for name, (start, *_) in explorer.SLIDERS.items()} | sliders
    for name, text in explorer.SIGNALS.items():
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
            power = math.log10(weight)
            shown = evaluate(r=r, q=q, g=g, sd=sd, ratio=ratio, p=p, power=power)
            assert shown["possible"] and shown["enough"] and shown["n"] == n
            close = {"rel_tol": 1e-9, "abs_tol": 1e-12}
            assert math.isclose(shown["now"], -model.relative_change(n, weight), **close)
            assert shown["most"] >= shown["now"] - 1e-12
            best = min(model.best_lambda(n), 1e12)
            assert math.isclose(shown["most"], -model.relative_change(n, best), **close)
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


def exact(claim):
    """Return the model, rows and λ that a preset sets."""
    at = explorer.settings(claim)
    p = int(at["p"])
    model = JointGaussian.from_correlations(at["r"], at["q"], at["g"], p, at["sd"])
    return model, at["ratio"] * p, 10 ** at["power"]


CLAIMS = {  # is the gap positive, what the teacher does at the preset's λ, the largest λ that helps
    "Where CCH holds, a small λ helps": (True, "helps", 10.6),
    "Too large a λ harms": (True, "hurts", 0.955),
    "More rows leave less to gain": (True, "helps", math.inf),
    "CCH is not sufficient: a rescaled teacher": (True, "hurts", 0),
    "CCH is not necessary: a weak link helps": (False, "helps", 0.668),
    "The same gap, and every λ hurts": (False, "hurts", 0),
    "An empty teacher helps": (False, "helps", math.inf),
    "A teacher of pure noise helps": (False, "helps", math.inf),
}


@pytest.mark.parametrize("claim", explorer.PRESETS)
def test_a_button_shows_what_it_claims(claim):
    (model, n, lam), (distil, effect, largest) = exact(claim), CLAIMS[claim]
    assert (model.gap > 0) == distil
    assert (model.relative_change(n, lam) < 0) == (effect == "helps")
    assert model.largest_helpful_lambda(n) == pytest.approx(largest, rel=5e-3)
    text = drawn(**explorer.settings(claim))
    assert f"here it {effect}" in text and ("distil" in text) == distil
    for name, value in explorer.settings(claim).items():  # a slider can stand there
        _, low, high, step, _ = explorer.SLIDERS[name]
        steps = (value - low) / step
        assert low <= value <= high and math.isclose(steps, round(steps), abs_tol=1e-9)


def test_buttons_that_compare_do_so():
    shown = [evaluate(**explorer.settings("More rows leave less to gain") | {"ratio": n})
             for n in (3, 30)]  # fmt: skip
    assert shown[0]["kappa10"] == shown[1]["kappa"] and shown[0]["most"] > 20 * shown[1]["most"]
    weak, strong = (
        exact(claim)[0].gap
        for claim in ("CCH is not necessary: a weak link helps", "The same gap, and every λ hurts")
    )
    assert weak == pytest.approx(strong)
    chapter = (paths.ROOT / "book" / "theory.md").read_text(encoding="utf-8").lower()
    for words in ("too large a λ harms", "more rows leave less to gain", "an empty teacher helps"):
        assert f"*{words}*" in chapter


def test_opening_state_shows_the_number_of_the_theory_chapter():
    text = drawn()
    change = JointGaussian.from_correlations(0.6, 0.8, 0.7, 100).relative_change(1000, 0.1)
    assert round(100 * change, 1) == -1.1
    assert "1 − R(λ) / R(0) = +1.1 % at λ = 0.1" in text
    assert "I(t;s) = 0.511 > 0.223 = I(s;y), distil" in text
    assert "helps for λ below 10.6; here it helps" in text and "n = 1,000, p = 100" in text


@pytest.mark.parametrize(
    ("sliders", "words"),
    [
        ({"sd": 3.0, "g": 0.9}, ["distil", "hurts at every λ", "here it hurts"]),
        (
            {"sd": 0.0, "ratio": 2.0, "power": 0.0},
            ["+31 %", "0.000 ≤ 0.223 = I(s;y), do not", "helps at every λ"],
        ),
        ({"r": 0.6, "q": 0.3, "g": 0.9, "power": 0.0}, ["do not", "hurts at every λ"]),
        ({"ratio": 30.0, "power": 0.0}, ["−0.052 %", "λ below 0.955; here it hurts"]),
        ({"ratio": 1.5, "q": 0.0, "g": 0.0, "sd": 0.3}, ["; at most", "helps at every λ"]),
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
    text = page.decode()
    assert re.findall(r"<(?:script|link)[^>]+(?:src|href)=\"([^\"]*)", text) == ["vega.js"]
    assert '<html lang="en">' in text and "<title>" in text and len(page) < 20_000
