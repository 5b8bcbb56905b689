"""The finding on the book's first page: one figure, one paragraph, one table of counts.

Each section counts with its recorded results (``book/results``). ``make figure`` writes the figure
that the README shows.
"""

import hashlib
import io
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cchkd_utils import paths, results
from cchkd_utils.plots import MARKERS, OUTCOMES, REGION, error_bars, figure, headline, mark_zeros
from cchkd_utils.sections import cells
from cchkd_utils.sections.cells import SECTIONS, Section, Tables, resolved, same_sign
from cchkd_utils.sections.quantities import near

FEW_ROWS = 10  # held-out rows per unit; below it 07 says not to trust an estimate
ESTIMATORS = ("auto", "ksg", "mine", "lmi")
CROSS_FITTED = replace(
    SECTIONS[-1], query="experiment == 'cross-fitted'", labels="cross-fitted"
)  # of many pairs, for comparison
FIGURE = paths.ROOT / "book" / "_static" / "finding.svg"


def staged(build: Mapping[str, Tables]) -> dict[str, bytes]:
    """Return the finding's figure and counts, by their names in the book's sources."""
    recorded = cells.recorded()
    judged, crossed = (
        {name: collect(recorded, build, name, sections) for name in ESTIMATORS}
        for sections in (SECTIONS, [CROSS_FITTED])
    )
    return {
        "book/_static/finding.svg": svg(judged["auto"], digest()),
        "book/finding.txt": page(judged["auto"]).encode(),
        "book/counts.txt": f"{paragraph(judged['auto'])}\n\n{counts(judged, crossed)}\n".encode(),
    }


def collect(
    recorded: Mapping[str, Tables],
    build: Mapping[str, Tables],
    estimator: str = "auto",
    sections: Iterable[Section] = SECTIONS,
) -> pd.DataFrame:
    """Return the `cells` of sections at the share and T nearest to 0.5 and 2, by one estimator.

    Tables are given by notebook; recorded ones come first, as the column made says. A section
    that lacks the estimator counts with the first it has.
    """
    tables, parts = {**build, **recorded}, []
    for section in sections:
        if section.notebook in tables:
            rows, verdicts = tables[section.notebook]
            names = sorted(set(verdicts["estimator"]) - {"exact"})
            chosen = estimator if estimator in names else names[0]
            table = near(cells.cells(section, rows, verdicts, chosen), weight=0.5, temperature=2.0)
            made = "recorded" if section.notebook in recorded else "this build"
            parts.append(table.assign(title=section.title, made=made, labels=section.labels))
    if not parts:
        raise ValueError("there are no tables: run `cchkd book` first")
    return pd.concat(parts, ignore_index=True)


def page(table: pd.DataFrame) -> str:
    """Return the figure of the first page with its caption, in MyST."""
    sources = "; ".join(
        f"{title}: {group['made'].iloc[0]}, {group['kind'].iloc[0]}, {len(group)} cases"
        for title, group in table.groupby("title", sort=False)
    )
    alt = (
        "Points of accuracy (or per cent of error) that distillation gains, against the gap of "
        f"mutual information, one panel per experiment ({sources}). {finding(table)}."
    )
    few = (table["rows_per_unit"] < FEW_ROWS).sum()
    return f"""\
```{{figure}} _static/finding.svg
:alt: {alt}
:width: 760px
:name: fig-finding

Each point is a teacher and a student under one condition. Across: the difference of the two sides, $I(H_1;H_2) - I(H_2;Y)$, with its 90 % interval, as
estimated by this book's own method. Up: what distillation gains, in points of accuracy (synthetic data: per cent of the squared error), with its 95 %
interval; half of the student's loss, or nearest to it, comes from the teacher. In the shaded half the gap is above zero. Marks are hollow in
{few} cases of fewer than {FEW_ROWS} held-out rows per unit, whose estimates are not to be trusted. Sources: {sources}.
```
"""  # noqa: E501


def finding(table: pd.DataFrame) -> str:
    """Say how often the sign of the gap is right, beside both constant answers."""
    clear = resolved(table)
    helps = (clear["outcome"] == "helps").sum()
    told = f"Of {len(clear)} clear effects the sign of the gap is right in {same_sign(table).sum()}"
    return f"{told}, “never distil” in {len(clear) - helps}, “always” in {helps}"


def paragraph(table: pd.DataFrame) -> str:
    """Say in words what the figure shows, numbers included."""
    sentences = [f"The criterion meets {len(table)} cases of teacher and student."]
    for decision in results.DECISIONS:
        outcomes = table.loc[table["decision"] == decision, "outcome"]
        helps, hurts, unresolved = ((outcomes == outcome).sum() for outcome in OUTCOMES)
        if len(outcomes):
            sentences.append(
                f"It says *{decision}* in **{len(outcomes)}**: distillation helps in {helps}, "
                f"hurts in {hurts}, and in {unresolved} the interval holds zero."
            )
    return " ".join(sentences) + f" {finding(table)}."


def counts(judged: Mapping[str, pd.DataFrame], crossed: Mapping[str, pd.DataFrame]) -> str:
    """Return a table of right signs by experiment and estimator, beside both constants, in MyST."""
    lines = [
        _line(title, {name: table[table["title"] == title] for name, table in judged.items()})
        for title in judged["auto"]["title"].unique()
    ]
    trusted = {name: t[t["rows_per_unit"] >= FEW_ROWS] for name, t in judged.items()}
    lines += [_line("**all of these**", judged), _line("all but the hollow marks", trusted)]
    lines.append(_line("not in the sums: many pairs again", crossed))
    names = [f"sign right, `{name}`" for name in ESTIMATORS]
    header = ["", "soft labels", "clear effects", *names, "*never* distil", "*always* distil"]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (
        header, ["---"] * len(header), *lines,
    ))  # fmt: skip


def _line(title: str, tables: Mapping[str, pd.DataFrame]) -> list:
    own = tables["auto"]
    labels = " and ".join(sorted(filter(None, own["labels"].unique())))
    helps = resolved(own)["outcome"] == "helps"
    signs = [same_sign(table).sum() for table in tables.values()]
    return [title, labels, len(helps), *signs, (~helps).sum(), helps.sum()]


def svg(table: pd.DataFrame, digest: str) -> bytes:
    """Draw the figure; `digest` tells in its metadata which tables it shows."""
    data = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "finding"}):
        meta = {"Date": None, "Creator": None, "Description": f"recorded tables {digest}"}
        _draw(table).savefig(data, format="svg", facecolor="white", metadata=meta)
    return data.getvalue()


def _draw(table: pd.DataFrame) -> Figure:
    groups = list(table.groupby("title", sort=False))
    columns = min(len(groups), 2)
    rows = -(-len(groups) // columns)
    fig, axes = figure(columns, rows, width=7.6, height=1.0 + 2.1 * rows)
    axes = np.ravel(axes)
    for ax, (_, panel) in zip(axes, groups):
        for (outcome, decision), group in panel.groupby(["outcome", "decision"]):
            up, across = (np.abs(error_bars(group, name)) for name in ("percent", "gap"))
            at, colour = (group["gap"], group["percent"]), OUTCOMES[outcome]
            ax.errorbar(*at, yerr=up, xerr=across, fmt="none", ecolor=colour, lw=1, alpha=0.6)
            few = (group["rows_per_unit"] < FEW_ROWS).to_numpy()
            for own, look in ((~few, (colour, "white", 0.6)), (few, ("white", colour, 1.3))):
                face, edge, width = look
                ax.scatter(at[0][own], at[1][own], marker=MARKERS[decision], facecolor=face, s=34,
                           edgecolor=edge, linewidth=width, zorder=3)  # fmt: skip
        low, high = ax.get_xlim()
        ax.set_xlim(min(low, -0.05 * (high - low)), max(high, 0.05 * (high - low)))
        mark_zeros(ax)
        ax.set_title("{title} ({made}, {kind})".format(**panel.iloc[0]), fontsize=11)
    for ax in axes[len(groups) :]:
        ax.set_visible(False)
    headline(fig, finding(table))
    fig.supylabel("gain of distillation (points; synthetic: % of error)", fontsize=11)
    for ax in axes[max(len(groups) - columns, 0) : len(groups)]:
        ax.set_xlabel("MI gap  I(H1;H2) − I(H2;Y)  (nats)")
    handles = [Line2D([], [], color=c, lw=3, label=name) for name, c in OUTCOMES.items()]
    handles += [
        Line2D([], [], color="0.3", ls="", marker=marker, label=f"says {name}")
        for name, marker in MARKERS.items()
        if name in set(table["decision"])
    ]
    hollow = {"markerfacecolor": "white", "markeredgecolor": "0.3", "color": "0.3"}
    if (table["rows_per_unit"] < FEW_ROWS).any():
        told = f"hollow: < {FEW_ROWS} rows per unit"
        handles.append(Line2D([], [], ls="", marker="o", label=told, **hollow))
    handles.append(Patch(color=REGION, alpha=0.3, label="gap > 0"))
    fig.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=10, frameon=False)
    return fig


def digest() -> str:
    """Return a hash of the recorded tables that the figure can show."""
    names = [f"{section.table}{end}" for section in SECTIONS for end in ("", "_verdicts")]
    files = map(results.recorded_file, names)
    content = b"".join(file.name.encode() + file.read_bytes() for file in files)
    return hashlib.sha256(content).hexdigest()[:16]


if __name__ == "__main__":  # the README's figure, from the recorded results
    try:
        FIGURE.write_bytes(svg(collect(cells.recorded(), {}), digest()))
    except (ValueError, OSError) as error:
        sys.exit(f"finding: {error}")
    print(FIGURE)
