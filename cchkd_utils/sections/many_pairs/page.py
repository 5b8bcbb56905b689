"""The recorded gains of notebook 08, to be explored on its page."""

from collections.abc import Mapping

import pandas as pd

from cchkd_utils import plots, results
from cchkd_utils.results.readable import pair_names
from cchkd_utils.sections import exploring
from cchkd_utils.sections.cells import Tables
from cchkd_utils.sections.many_pairs import tables


def staged(build: Mapping[str, Tables]) -> dict[str, bytes]:
    """Return the page of the figure, by its name in the book's sources."""
    page = plots.interactive(chart(*results.recorded("many_pairs")), "Many pairs, interactive")
    return {"book/_static/many_pairs.html": page}


def chart(rows: pd.DataFrame, verdicts: pd.DataFrame):
    """Draw the gain against the gap of every pair at T = 2, as an Altair chart."""
    import altair as alt

    rows = rows[rows["temperature"] == 2.0]
    points = pd.concat(tables.joined(rows, verdicts, soft) for soft in set(rows["experiment"]))
    points = points.rename(columns={"experiment": "soft", "gain": "share"})
    points = points.drop(columns=["gain_lo", "gain_hi"])
    points = points.rename(columns=lambda name: name.replace("percent", "gain"))
    points = points.assign(pair=pair_names(points))
    x = alt.X("gap:Q", title=["MI gap I(H1;H2) − I(H2;Y), nats", "shaded: above zero"])
    choices = {
        "source": ("source", "all"),
        "soft": ("soft labels", "in-sample"),
        "lam": ("λ, share of the teacher", 0.5),
        "estimator": ("estimator of the gap", "auto"),
    }

    def below(chosen):
        shade = alt.Chart(alt.sequence(0, 1, 1, as_="gap")).mark_rect(
            color=plots.REGION, opacity=0.25
        )
        return [shade.encode(x=x, x2=alt.value("width"))]

    about = {"pair": "pair", "n_train": "training rows"}
    return exploring.chart(points, x, choices, about, below)
