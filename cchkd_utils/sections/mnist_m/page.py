"""The recorded gains of notebook 02, to be explored on its page."""

from collections.abc import Mapping

import pandas as pd

from cchkd_utils import plots, results
from cchkd_utils.sections import exploring
from cchkd_utils.sections.cells import Tables
from cchkd_utils.sections.mnist_m import tables


def staged(build: Mapping[str, Tables]) -> dict[str, bytes]:
    """Return the page of the figure, by its name in the book's sources."""
    page = plots.interactive(chart(*results.recorded("mnist_m")), "Gain by blur, interactive")
    return {"book/_static/digits.html": page}


def chart(rows: pd.DataFrame, verdicts: pd.DataFrame):
    """Draw the gain by blur, shaded where the gap is above zero, as an Altair chart."""
    import altair as alt

    gains, judged = tables.paired(tables.in_points(rows)), tables.paired(verdicts)
    points = pd.concat(
        tables.points(gains, judged, t).assign(temperature=t) for t in set(gains["temperature"])
    )
    title = ["blur of the teacher's images, px", "shaded: gap > 0; its size in nats on top"]
    x = alt.X("knob:O", title=title).axis(labelAngle=0)
    choices = {
        "lam": ("λ, share of the teacher", 0.5),
        "temperature": ("T, temperature of the soft labels", 2.0),
        "estimator": ("estimator of the gap", "auto"),
    }

    def below(chosen):
        shade = chosen.transform_filter("datum.gap > 0").mark_rect(color=plots.REGION, opacity=0.25)
        gap = chosen.mark_text(fontSize=11).encode(
            x=x, y=alt.value(10), text=alt.Text("gap:Q", format="+.2f")
        )
        interval = chosen.mark_rule(color="#555").encode(x=x, y="gain_lo:Q", y2="gain_hi:Q")
        return [shade.encode(x=x), gap, interval]

    return exploring.chart(points, x, choices, {"knob": "blur (px)"}, below)
