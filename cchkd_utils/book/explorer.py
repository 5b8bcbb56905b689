"""The interactive figure of the theory chapter: one HTML file, no server, no network.

`SIGNALS` is the closed form of `gaussian.JointGaussian` (collinear case) in Vega's expression
language, written in the part of it that is also Python, so that a test evaluates the very same
text against the module. Altair draws; Vega's scripts are in the file.
"""

SLIDERS = {  # name: opening value, least, most, step, label
    "r": (0.6, 0.05, 0.95, 0.05, "r = corr(s, y): how good the student could be"),
    "q": (0.8, 0.0, 0.95, 0.05, "q = corr(t, s): what both share"),
    "g": (0.7, -0.5, 0.95, 0.05, "g = corr(y, t): how good the teacher is"),
    "sd": (1.0, 0.0, 4.0, 0.1, "sd of t: the teacher's scale (of y: 1)"),
    "ratio": (10.0, 0.5, 100.0, 0.5, "n / p: training rows per dimension"),
    "p": (100, 5, 500, 5, "p: dimensions of the student's data"),
    "weight": (0.1, 0.0, 10.0, 0.05, "λ: weight of the teacher"),
}

# Name to expression; later ones use earlier ones. `if(test, then, else)` is Vega's.
SIGNALS = {
    "n": "ratio * p",
    "possible": "pow(g - q * r, 2) < (1 - q * q) * (1 - r * r)",
    "enough": "n > p + 1",
    "kappa": "p / (n - p - 1)",
    "sigma2": "1 - r * r",
    "tau2": "sd * sd * (1 - q * q)",
    "c": "sd * (g - q * r)",
    "delta": "pow(sd * q - r, 2)",
    "curvature": "delta + kappa * (sigma2 - 2 * c + tau2)",
    "undistilled": "sigma2 * (1 + kappa)",
    "best": "if(sigma2 > c, kappa * (sigma2 - c) / curvature, 0)",  # as a share m of the label
    "largest": "if(best < 0.5, 2 * best / (1 - 2 * best), MAX_VALUE)",
    "between": "if(sd > 0, -0.5 * log(1 - q * q), 0)",  # I(t;s)
    "label": "-0.5 * log(1 - r * r)",  # I(s;y)
}


PERCENT = "format(100 * now, '+.2~r') + ' %'"
HALF = "sqrt((1 - q * q) * (1 - r * r))"
BOUNDS = (
    f"'Choose g between ' + format(q * r - {HALF}, '.2f') + ' and '"
    f" + format(q * r + {HALF}, '.2f') + '.'"
)
SENTENCES = {  # what the page says, as expressions
    "written": PERCENT,
    "headline": (
        "!possible ? 'These r, q and g cannot occur together.'"
        " : !enough ? 'Too few rows: n must exceed p + 1.'"
        f" : 'R(λ) / R(0) − 1 = ' + {PERCENT} + ' at λ = ' + format(weight, '.3~r')"
    ),
    "line1": (
        "'CCH: I(t;s) = ' + format(between, '.3f') + (between > label ? ' > ' : ' ≤ ')"
        " + format(label, '.3f') + ' = I(s;y)' + (between > label ? ', distil' : ', do not')"
    ),
    "line2": (
        f"!possible ? {BOUNDS} : !enough ? 'Move n / p to the right.'"
        " : (largest > 0 ? 'Exact: helps ' + (largest >= 1e6 ? 'at every λ'"
        " : 'for λ below ' + format(largest, '.3~r')) : 'Exact: hurts at every λ')"
        " + '; here it ' + (now < 0 ? 'helps' : now > 0 ? 'hurts' : 'changes nothing')"
    ),
    "line3": "'n = ' + format(n, ',.0f') + ', p = ' + p",
}

STYLE = """
:root { color-scheme: light; }
body { margin: 0; padding: 10px; background: #fff; color: #222; font: 13px/1.3 sans-serif; }
#vis.vega-embed { display: block !important; padding: 0; }
.vega-bindings { display: grid; grid-template-columns: repeat(auto-fit, minmax(270px, 1fr));
  gap: 2px 24px; margin-top: 8px; }
.vega-bind label { display: grid; grid-template-columns: 1fr 3.2em; align-items: center; }
.vega-bind-name { grid-column: 1 / 3; }
.vega-bind input[type="range"] { width: 100%; height: 24px; margin: 0; }
.vega-bind input[type="range"] + span { text-align: right; font-variant-numeric: tabular-nums; }
"""


def change(weight: str) -> str:
    """Return the expression of R(lam) / R(0) - 1 at a weight, itself an expression."""
    m = f"({weight} / (1 + {weight}))"
    return f"({m} * {m} * curvature - 2 * {m} * kappa * (sigma2 - c)) / undistilled"


def chart():
    """Return the figure as an Altair chart; the sliders are its parameters."""
    import altair as alt

    sliders = [
        alt.param(
            name, value=value, bind=alt.binding_range(min=low, max=high, step=step, name=text)
        )
        for name, (value, low, high, step, text) in SLIDERS.items()
    ]
    expressions = SIGNALS | {"now": change("weight")} | SENTENCES
    signals = [alt.param(name, expr=text) for name, text in expressions.items()]

    shown = "possible && enough"
    x = alt.X("lam:Q", title="λ, weight of the teacher").scale(type="log", domain=[0.01, 100])
    x = x.axis(values=[0.01, 0.1, 1, 10, 100], format="~g")
    y = alt.Y("percent:Q", title="risk R(λ) / R(0) − 1, %")
    y = y.axis(format="+~g", tickCount=6, labelExpr="datum.value == 0 ? '0' : datum.label")
    curve = (
        alt.Chart(alt.sequence(-2, 2.001, 0.02, as_="power"))
        .transform_calculate(lam="pow(10, datum.power)")
        .transform_calculate(percent=f"100 * {change('datum.lam')}")
        .transform_filter(shown)
        .mark_line(strokeWidth=2.5, color="#0072B2")
        .encode(x=x, y=y)
    )
    zero = alt.Chart(alt.sequence(0, 1, 1, as_="percent")).mark_rule(color="#333").encode(y=y)
    point = (
        alt.Chart(alt.sequence(0, 1, 1, as_="one"))
        .transform_calculate(lam="max(weight, 0.01)", percent="100 * now", text="written")
        .transform_filter(shown)
        .encode(x=x, y=y)
    )
    dot = point.mark_point(size=110, filled=True, color="#D55E00", opacity=1)
    above = {"dy": -16, "fontSize": 15, "fontWeight": "bold"}
    number = point.encode(text="text:N")
    halo = number.mark_text(stroke="white", strokeWidth=5, **above)
    value = number.mark_text(color="#D55E00", **above)
    title = alt.TitleParams(
        alt.ExprRef("[headline, line1, line2, line3]"), anchor="start", frame="bounds",
        fontSize=13, fontWeight="normal", lineHeight=20, offset=14,
    )  # fmt: skip
    return (
        alt.layer(zero, curve, halo, dot, value)
        .add_params(*sliders, *signals)
        .properties(width="container", height=260, title=title)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
    )


def page() -> str:
    """Return the figure as one HTML page with everything in it."""
    html = chart().to_html(inline=True, embed_options={"actions": False, "renderer": "svg"})
    head = (
        '<html lang="en">\n<head>\n<title>Exact risk of distillation, interactive</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>"
    )
    return html.replace("<html>\n<head>", head, 1)
