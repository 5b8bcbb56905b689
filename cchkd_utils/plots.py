"""The one style of the book's figures, and what figures of several sections share.

Colours are Okabe and Ito's, told apart under the common forms of colour blindness; where colour
carries a number, lightness carries it too. Figures of simulated data carry a mark.
"""

import io
import json
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from cchkd_utils import not_installed

try:
    import matplotlib as mpl
    import pandas as pd
    import seaborn as sns
except ModuleNotFoundError as error:
    raise not_installed(error) from None
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from cchkd_utils.results.readable import minus

STYLE = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "legend.frameon": False,
    "lines.markersize": 6,
}
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.45"
ESTIMATORS = {  # colour and marker: each tells the methods apart on its own
    "auto": ("black", "o"),
    "ksg": (ORANGE, "s"),
    "gaussian": (GREEN, "^"),
    "mine": (PURPLE, "v"),
    "lmi": (BLUE, "D"),
}
SOFT_LABELS = {"cross-fitted": ("#882255", "o"), "in-sample": ("0.6", "s")}
OUTCOMES = {"helps": BLUE, "hurts": ORANGE, "unresolved": "0.6"}
MARKERS = {"distil": "o", "undecided": "D", "do not distil": "v"}
REGION = "#56B4E9"

_WORDS = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
PAGE_CONFIG = {  # Vega's, of interactive pages
    "view": {"stroke": None},
    "title": {"fontSize": 13, "fontWeight": "normal"},
    "axis": _WORDS,
    "axisY": {"minExtent": 38, "maxExtent": 38},  # labels that grow would push others out
    "legend": _WORDS | {"layout": {"bottom": {"direction": "vertical", "anchor": "start"}}},
}
PAGE_STYLE = """
:root { color-scheme: light; }
body { margin: 0; padding: 10px; background: #fff; color: #222; font: 13px/1.3 sans-serif; }
#vis.vega-embed { display: block !important; padding: 0; }
.vega-bindings { display: grid; grid-template-columns: repeat(auto-fit, minmax(270px, 1fr));
  gap: 2px 24px; margin-top: 8px; }
.vega-bind label { display: grid; grid-template-columns: 1fr 3.2em; align-items: center; }
.vega-bind-name, .vega-bind select { grid-column: 1 / 3; }
.vega-bind select, button { min-height: 28px; font: inherit; }
.vega-bind input[type="range"] { width: 100%; height: 24px; margin: 0; }
.vega-bind input[type="range"] + span { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 600px) { #vg-tooltip-element { left: 4px !important; } }
"""


def figure(columns: int = 1, rows: int = 1, *, width: float = 7.0, height: float = 4.2) -> tuple:
    """Return a figure in the book's style and its axes [rows, columns] (squeezed)."""
    with mpl.rc_context(STYLE):
        fig = Figure(figsize=(width, height), layout="constrained")
        return fig, fig.subplots(rows, columns)


def headline(fig: Figure, finding: str) -> None:
    """Write above the axes what the figure shows, computed from what it draws."""
    text, most = minus(finding), int(12 * fig.get_figwidth())
    even = -(-len(text) // max(1, len(textwrap.wrap(text, most))))  # no last line of one word
    fig.suptitle(textwrap.fill(text, min(even + 8, most)), x=0.01, ha="left", fontsize=12)


def helped(points: pd.DataFrame) -> str:
    """Count the gains that are clear of zero: "helps in 3, hurts in 1 of 9"."""
    helps, hurts = (points["gain_lo"] > 0).sum(), (points["gain_hi"] < 0).sum()
    return f"helps in {helps}, hurts in {hurts} of {len(points)}"


def show(fig: Figure, alt: str) -> None:
    """Display a figure with its alternative text; ValueError if it has no title."""
    from IPython.display import Image, display

    places = ("left", "center", "right")
    if not (fig.get_suptitle() or any(ax.get_title(loc=p) for ax in fig.axes for p in places)):
        raise ValueError("the figure has no title: see `headline`")
    data = io.BytesIO()
    fig.savefig(data, format="png", dpi=200, facecolor="white")
    width = int(fig.get_size_inches()[0] * 100)
    display(Image(data.getvalue(), format="png", alt=alt, width=width))


def interactive(chart, title: str, *, above: str = "", script: str = "") -> bytes:
    """Return an Altair chart as an HTML page for the folder of `vega`'s script.

    `above` is HTML over the figure; `script` runs when it is drawn, on its ``view``.
    """
    spec = json.dumps(chart.to_dict()).replace("</", "<\\/")
    options = json.dumps({"actions": False, "renderer": "svg", "config": PAGE_CONFIG})
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{PAGE_STYLE}</style>
<script src="vega.js"></script>
</head>
<body>
{above}<div id="vis"></div>
<script>
vegaEmbed("#vis", {spec}, {options}).then(({{view}}) => {{{script}}});
</script>
</body>
</html>
""".encode()


def vega() -> bytes:
    """Return the script that draws the pages of `interactive`: ``vega.js`` beside them."""
    import altair as alt
    import vl_convert

    version = "_".join(alt.SCHEMA_VERSION.split(".")[:2])
    return vl_convert.javascript_bundle(vl_version=version).encode()


def mark_simulated(fig: Figure, kind: str) -> None:
    """Write on the figure that its data are simulated, if they are."""
    if kind == "simulated":
        fig.supxlabel("simulated data", x=0.99, ha="right", color=GREY, fontsize=10)


def colours(values: Sequence[float]) -> dict[float, tuple]:
    """Return a colour per value, light to dark, legible on white."""
    ordered = sorted(set(values))
    palette = sns.color_palette("viridis_r", n_colors=len(ordered) + 1)[1:]
    return dict(zip(ordered, palette))


def error_bars(table: pd.DataFrame, name: str) -> list[pd.Series]:
    """Lengths of the bars below and above `name`, whose interval ends in _lo and _hi."""
    return [table[name] - table[f"{name}_lo"], table[f"{name}_hi"] - table[name]]


def with_intervals(
    ax: Axes, at: ArrayLike, table: pd.DataFrame, value: str, *, across: bool = False, **style
) -> None:
    """Draw the means `value` at the places `at`, with their `error_bars`.

    Places are along x; with `across` along y. `style` is of `Axes.errorbar`.
    """
    mean, ends = table[value].to_numpy(), error_bars(table, value)
    places = {"x": mean, "y": at, "xerr": ends} if across else {"x": at, "y": mean, "yerr": ends}
    ax.errorbar(**places, **{"capsize": 2, "lw": 1.3, **style})


def gain_against_gap(
    ax: Axes, points: pd.DataFrame, *, gap: str = "gap", curves: Mapping | None = None
) -> None:
    """Draw the gain of distillation against the column `gap` of `points` (nats), a colour per λ.

    `points` has lam, gain, gain_lo, gain_hi, decision, and gap_lo, gap_hi if the gap is estimated.
    `curves` leads from λ to (gaps, gains) of the exact theory, drawn as lines.
    """
    colour, curves = colours(points["lam"]), curves or {}
    mark_zeros(ax)
    gaps = [points[name] for name in (gap, "gap_lo", "gap_hi") if name in points]
    gaps = np.concatenate([[0.0], *gaps, *(x for x, _ in curves.values())])
    pad = 0.05 * (np.ptp(gaps) or 1)
    ax.set_xlim(gaps.min() - pad, gaps.max() + pad)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    for lam, (x, y) in curves.items():
        ax.plot(x, y, color=colour[lam], lw=1.6)
    for lam, group in points.groupby("lam"):
        gap_bars = error_bars(group, "gap") if "gap_lo" in points else None
        ax.errorbar(group[gap], group["gain"], error_bars(group, "gain"), gap_bars, fmt="none",
                    color=colour[lam], lw=1, alpha=0.7)  # fmt: skip
        for decision, judged in group.groupby("decision"):
            ax.scatter(judged[gap], judged["gain"], marker=MARKERS[decision], color=colour[lam],
                       s=42, edgecolor="white", linewidth=0.6, zorder=3)  # fmt: skip
    ax.set_xlabel("MI gap  I(H1;H2) − I(H2;Y)  (nats)")


def gain_by_estimator(points: pd.DataFrame, estimators: Sequence[str], label: str) -> Figure:
    """Draw `gain_against_gap` for each estimator, at most two panels side by side.

    Titles count how often the gap has the sign of a gain that is clear of zero; `label` names the
    gain, with its unit.
    """
    columns = min(2, len(estimators))
    rows = -(-len(estimators) // columns)
    fig, axes = figure(columns, rows, width=4.8 * max(columns, 1.4), height=3.7 * rows + 1.2)
    for ax in np.ravel(axes)[len(estimators) :]:
        ax.remove()
    counts = {}
    for ax, name in zip(fig.axes, estimators):
        own = points[points["estimator"] == name]
        gain_against_gap(ax, own)
        ax.set_ylabel(label)
        clear = own[(own["gain_lo"] > 0) | (own["gain_hi"] < 0)]
        right = ((clear["gap"] > 0) == (clear["gain"] > 0)).sum()
        ax.set_title(f"{name}: sign right in {right} of {len(clear)}" if len(clear) else name)
        if len(clear):
            counts[name] = f"{name} {right} of {len(clear)}"
    finding = f"Sign of the gap right among the clear effects: {', '.join(counts.values())}"
    headline(fig, finding if counts else "No effect is clear of zero")
    share_limits(fig.axes)
    gap_legend(fig, points)
    return fig


def share_limits(axes: Sequence[Axes]) -> None:
    """Give all axes the limits that hold everything on any of them, to be compared by eye."""
    for name in ("xlim", "ylim"):
        limits = np.array([getattr(ax, f"get_{name}")() for ax in axes])
        for ax in axes:
            getattr(ax, f"set_{name}")(limits[:, 0].min(), limits[:, 1].max())


def mark_zeros(ax: Axes) -> None:
    """Draw no gain and no gap, and shade where the criterion says "distil": a gap above zero."""
    ax.axhline(0, color="0.2", lw=1)
    ax.axvline(0, color="0.2", lw=1)
    ax.axvspan(0, 1e3, color=REGION, alpha=0.13, lw=0, zorder=0)  # to the edge of a shared axis


def gap_legend(fig: Figure, points: pd.DataFrame, *, curve: str = "") -> None:
    """Explain colours, markers and shading of `gain_against_gap`, below the axes."""
    entries = [
        Line2D([], [], color=colour, lw=4, label=f"λ = {lam:g}")
        for lam, colour in colours(points["lam"]).items()
    ]
    if curve:
        entries.append(Line2D([], [], color="0.3", lw=1.6, label=curve))
    entries += [
        Line2D([], [], color="0.3", ls="", marker=MARKERS[name], label=f"verdict: {name}")
        for name in MARKERS
        if name in set(points["decision"])
    ]
    entries.append(Patch(color=REGION, alpha=0.2, label="gap > 0: CCH says distil"))
    fig.legend(handles=entries, loc="outside lower center", ncols=3, fontsize=10, frameon=False)


def image_grid(columns: Mapping[str, NDArray], rows: Sequence[str]) -> Figure:
    """Show examples, one of `rows` each; `columns` is title to images [n, c, h, w] in [0, 1]."""
    count = len(columns)
    fig, axes = figure(count, len(rows), width=1.15 * count + 0.5, height=1.15 * len(rows) + 0.4)
    axes = np.reshape(axes, (len(rows), count))
    for j, (title, images) in enumerate(columns.items()):
        axes[0, j].set_title(title, fontsize=10, loc="center")
        for i, image in enumerate(images):
            picture = np.moveaxis(image, 0, -1)  # a grey one has [height, width, 1] now
            axes[i, j].imshow(picture, cmap="gray", vmin=0, vmax=1)
            axes[i, j].set(xticks=[], yticks=[])
            axes[i, j].grid(False)
            axes[i, j].spines[:].set_visible(False)
    for i, name in enumerate(rows):
        axes[i, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    return fig
