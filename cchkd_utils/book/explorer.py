"""The interactive figure of the theory chapter: one HTML file, no server, no network.

`SIGNALS` is the closed form of `gaussian.JointGaussian` (collinear case) in Vega's expression
language, written in the part of it that is also Python, so that a test evaluates the very same
text against the module. Altair draws; `PRESETS` are buttons that set the sliders.
"""

import json
from html import escape

from cchkd_utils import plots

SLIDERS = {  # name: opening value, least, most, step, label
    "r": (0.6, 0.05, 0.95, 0.05, "r = corr(s, y): how good the student could be"),
    "q": (0.8, 0.0, 0.95, 0.05, "q = corr(t, s): what both share"),
    "g": (0.7, -0.5, 0.95, 0.05, "g = corr(y, t): how good the teacher is"),
    "sd": (1.0, 0.0, 4.0, 0.1, "sd of t: the teacher's scale (of y: 1)"),
    "ratio": (10.0, 0.5, 100.0, 0.5, "n / p: training rows per dimension"),
    "p": (100, 5, 500, 5, "p: dimensions of the student's data"),
    "power": (-1.0, -2.0, 2.0, 0.05, "λ: weight of the teacher (logarithmic)"),
}
PRESETS = {  # claim of the chapter: sliders that differ from their opening values
    "Where CCH holds, a small λ helps": {},
    "Too large a λ harms": {"ratio": 30, "power": 1},
    "More rows leave less to gain": {"ratio": 3, "power": 0},
    "CCH is not sufficient: a rescaled teacher": {"g": 0.9, "sd": 3},
    "CCH is not necessary: a weak link helps": {"q": 0.3, "ratio": 2},
    "The same gap, and every λ hurts": {"q": 0.3, "g": 0.9, "ratio": 2},
    "An empty teacher helps": {"q": 0, "g": 0, "sd": 0, "ratio": 2, "power": 0},
    "A teacher of pure noise helps": {"q": 0, "g": 0, "sd": 0.5, "ratio": 2, "power": 0},
}


def gain(share: str, kappa: str = "kappa") -> str:
    """Return the expression of 1 - R / R(0) at a share m of the label, itself an expression."""
    curvature = f"(delta + {kappa} * (sigma2 - 2 * c + tau2))"
    slope = f"(2 * {kappa} * (sigma2 - c))"
    return f"({share}) * ({slope} - ({share}) * {curvature}) / (sigma2 * (1 + {kappa}))"


# Name to expression; later ones use earlier ones. `if(test, then, else)` is Vega's.
SIGNALS = {
    "weight": "pow(10, power)",
    "n": "ratio * p",
    "possible": "pow(g - q * r, 2) < (1 - q * q) * (1 - r * r)",
    "enough": "n > p + 1",
    "kappa": "p / (n - p - 1)",
    "kappa10": "p / (10 * n - p - 1)",  # of ten times as many rows
    "sigma2": "1 - r * r",
    "tau2": "sd * sd * (1 - q * q)",
    "c": "sd * (g - q * r)",
    "delta": "pow(sd * q - r, 2)",
    "curvature": "delta + kappa * (sigma2 - 2 * c + tau2)",
    "best": "if(sigma2 > c, kappa * (sigma2 - c) / curvature, 0)",  # as a share m of the label
    "largest": "if(best < 0.5, 2 * best / (1 - 2 * best), MAX_VALUE)",
    "between": "if(sd > 0, -0.5 * log(1 - q * q), 0)",  # I(t;s)
    "label": "-0.5 * log(1 - r * r)",  # I(s;y)
    "now": gain("weight / (1 + weight)"),
    "most": gain("min(best, 1)"),
}


def _percent(name: str) -> str:
    return f"format(100 * {name}, '+.2~r') + ' %'"


HALF = "sqrt((1 - q * q) * (1 - r * r))"
BOUNDS = (
    f"'Choose g between ' + format(q * r - {HALF}, '.2f') + ' and '"
    f" + format(q * r + {HALF}, '.2f') + '.'"
)
SENTENCES = {  # what the page says, as expressions
    "written": _percent("now"),
    "headline": (
        "!possible ? 'These r, q and g cannot occur together.'"
        " : !enough ? 'Too few rows: n must exceed p + 1.'"
        f" : 'Gain 1 − R(λ) / R(0) = ' + {_percent('now')} + ' at λ = ' + format(weight, '.2~r')"
    ),
    "line1": (
        "'CCH: I(t;s) = ' + format(between, '.3f') + (between > label ? ' > ' : ' ≤ ')"
        " + format(label, '.3f') + ' = I(s;y)' + (between > label ? ', distil' : ', do not')"
    ),
    "line2": (
        f"!possible ? {BOUNDS} : !enough ? 'Move n / p to the right.'"
        " : (largest > 0 ? 'Exact: helps ' + (largest >= 1e6 ? 'at every λ'"
        " : 'for λ below ' + format(largest, '.3~r')) : 'Exact: hurts at every λ')"
        " + '; here it ' + (now > 0 ? 'helps' : now < 0 ? 'hurts' : 'changes nothing')"
    ),
    "line3": (
        "'n = ' + format(n, ',.0f') + ', p = ' + p + (!possible || !enough || best <= 0 ? ''"
        f" : '; at most ' + {_percent('most')} + ' at λ = '"
        " + (best < 1 ? format(best / (1 - best), '.2~r') : '∞'))"
    ),
}

STYLE = """<style>
[name="power"] + span { font-size: 0; }
[name="power"] + span::after { content: attr(data-weight); font-size: 13px; }
.presets { display: flex; flex-wrap: wrap; gap: 6px; margin-bottom: 12px; }
</style>
"""
# Buttons set signals, which move their sliders; the logarithmic one tells λ, not its power of ten.
SCRIPT = """
for (const button of document.querySelectorAll(".presets button")) button.onclick = () => {
  for (const [name, value] of Object.entries(JSON.parse(button.value))) view.signal(name, value);
  view.runAsync();
};
const slider = document.querySelector("[name=power]");
const tell = (_, weight) => {
  const told = slider.nextElementSibling.dataset.weight = weight.toPrecision(2);
  slider.setAttribute("aria-valuetext", told);
};
view.addSignalListener("weight", tell);
tell("weight", view.signal("weight"));
"""


def settings(claim: str) -> dict[str, float]:
    """Return the value of every slider that a preset sets."""
    return {name: start for name, (start, *_) in SLIDERS.items()} | PRESETS[claim]


def chart():
    """Return the figure as an Altair chart; the sliders are its parameters."""
    import altair as alt

    sliders = [
        alt.param(
            name, value=value, bind=alt.binding_range(min=low, max=high, step=step, name=text)
        )
        for name, (value, low, high, step, text) in SLIDERS.items()
    ]
    signals = [alt.param(name, expr=text) for name, text in (SIGNALS | SENTENCES).items()]

    shown = "possible && enough"
    under = ["λ, weight of the teacher", "shaded: it helps · dashed: ten times the rows"]
    x = alt.X("lam:Q", title=under).scale(type="log", domain=[0.01, 100])
    x = x.axis(values=[0.01, 0.1, 1, 10, 100], format="~g")
    y = alt.Y("percent:Q", title="gain 1 − R(λ) / R(0), %").scale(padding=28)  # for the number
    label = "datum.value == 0 ? '0' : datum.label"
    y = y.axis(format="+~r", tickCount=6, labelExpr=label)

    def curve(kappa, **style):
        return (
            alt.Chart(alt.sequence(-2, 2.001, 0.02, as_="power"))
            .transform_calculate(lam="pow(10, datum.power)")
            .transform_calculate(share="datum.lam / (1 + datum.lam)")
            .transform_calculate(percent=f"100 * {gain('datum.share', kappa)}")
            .transform_filter(shown)
            .mark_line(**style)
            .encode(x=x, y=y)
        )

    single = alt.Chart(alt.sequence(0, 1, 1, as_="percent"))
    helpful = (
        single.transform_calculate(lam="0.01", end="min(largest, 100)")
        .transform_filter(f"{shown} && largest > 0.01")
        .mark_rect(color=plots.REGION, opacity=0.25)
        .encode(x=x, x2="end:Q")
    )
    zero = single.mark_rule(color="#333").encode(y=y)
    point = (
        single.transform_calculate(lam="weight", percent="100 * now", text="written")
        .transform_filter(shown)
        .encode(x=x, y=y)
    )
    colour = alt.ExprRef("now > 0 ? '{helps}' : '{hurts}'".format(**plots.OUTCOMES))
    dot = point.mark_point(size=110, filled=True, color=colour, opacity=1)
    above = {"dy": -16, "fontSize": 15, "fontWeight": "bold"}
    number = point.encode(text="text:N")
    halo = number.mark_text(stroke="white", strokeWidth=5, **above)
    value = number.mark_text(color=colour, **above)
    more = curve("kappa10", strokeWidth=1.5, strokeDash=[5, 4], color="#666")
    own = curve("kappa", strokeWidth=2.5, color=plots.BLUE)
    title = alt.TitleParams(
        alt.ExprRef("[headline, line1, line2, line3]"), anchor="start", frame="bounds",
        lineHeight=20, offset=14,
    )  # fmt: skip
    return (
        alt.layer(helpful, zero, more, own, halo, dot, value)
        .add_params(*sliders, *signals)
        .properties(width="container", height=260, title=title)
    )


def page() -> bytes:
    """Return the figure as an HTML page with a button for each preset."""
    buttons = "\n".join(
        f'<button type="button" value="{escape(json.dumps(settings(claim)))}">{claim}</button>'
        for claim in PRESETS
    )
    above = f'{STYLE}<div class="presets">\n{buttons}\n</div>\n'
    title = "Exact gain of distillation, interactive"
    return plots.interactive(chart(), title, above=above, script=SCRIPT)
