"""A verdict to look at: one figure, and one self-contained page.

Figures need the extra ``plots``; without it the page has words and numbers only.
"""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .verdict import Verdict

STYLE = """\
:root { color-scheme: light dark; --text: #1b1b1b; --back: #fff; --line: #ccc; --soft: #f2f4f7; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8e8e8; --back: #16181c; --line: #4a4d55; --soft: #23262c; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 52rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
figure { margin: 1rem 0; background: #fff; border-radius: 6px; padding: .5rem; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; display: block; }
figcaption { color: #333; font-size: .9rem; padding: .25rem .5rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
h2 + .wide caption { display: none; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.note { background: var(--soft); padding: .6rem .9rem; border-radius: 6px; }
@media (max-width: 40rem) { th, td { padding: .3rem; font-size: .85rem; } }
code { background: var(--soft); padding: 0 .25em; }
"""
SAYS = {
    "distil": "The student shares more with the teacher than it knows about the label: the "
    "criterion says to distil.",
    "do not distil": "The student knows more about the label than it shares with the teacher: the "
    "criterion says not to distil.",
    "undecided": "These rows do not tell which side is larger.",
}
NEXT = {
    "distil": "It is permission to try, not a promise: choose λ and the temperature on held-out "
    "folds, with λ = 0 among the choices.",
    "do not distil": "Look for another teacher, or spend the effort on the student alone.",
    "undecided": "Take more held-out rows, see to the checks that failed, or try a few values of λ "
    "on a validation set.",
}


def page(title: str, body: str) -> str:
    """Return one self-contained HTML page, legible on a phone and in the dark."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def table(header: Sequence[str], rows: Iterable[Iterable[str]], caption: str = "") -> str:
    """Return an HTML table; columns that hold numbers are set to the right."""
    rows = [list(row) for row in rows]
    kinds = [
        ' class="number"' if any(_is_number(row[i]) for row in rows) else ""
        for i in range(len(header))
    ]
    columns = zip(header, kinds, strict=True)
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in columns)
    lines = []
    for first, *rest in rows:
        cells = "".join(
            f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(rest, kinds[1:], strict=True)
        )
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    name = escape(caption or "table")
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{name}"><table>{told}'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[+−-]?\d[\d.e+-]*( nats)?|\[.*\]", cell) is not None


def picture(figure: Figure, alt: str, caption: str = "") -> str:
    """Return a figure as inline SVG, whose letters are drawn as paths: it needs no font."""
    import matplotlib as mpl

    data = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "cchkd", "svg.fonttype": "path"}):
        meta = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(data, format="svg", facecolor="white", metadata=meta)
    _, _, svg = data.getvalue().partition("<svg ")
    told = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><svg role="img" aria-label="{escape(alt)}" {svg}{told}</figure>'


def draw(verdict: Verdict) -> Figure:
    """Draw both informations and the gap with its interval; below, checks, forecast, rivals."""
    from cchkd_utils import plots

    told = [line for part in below(verdict) for line in textwrap.wrap(part, 100)]
    fig, (sides, gap) = plots.figure(1, 2, width=7.0, height=3.1 + 0.18 * len(told))
    names = "I(teacher; student)", "I(student; label)"
    values = verdict.mi_teacher_student, verdict.mi_student_label
    y = np.array([1, 0])
    sides.barh(y, values, height=0.6, color=[plots.BLUE, plots.ORANGE])
    if verdict.estimates:
        parts = verdict.estimates["teacher_student"], verdict.estimates["student_label"]
        reach = 1.645 * np.array([part.stderr for part in parts])
        ends = np.array([[p.high_by for p in parts] + reach, [p.low_by for p in parts] + reach])
        sides.errorbar(values, y, xerr=ends, fmt="none", ecolor="0.2", capsize=3)
    sides.set(yticks=y, yticklabels=names, ylim=(-0.6, 1.6), xlabel="nats")
    sides.set_xlim(left=0)
    sides.grid(axis="y", visible=False)
    draw_gaps(gap, {"gap": verdict})
    gap.set_xlabel(f"nats, with the {verdict.level:.0%} interval; shaded: says distil")
    plots.headline(fig, headline(verdict))
    if told:
        fig.supxlabel("\n".join(told), x=0.01, ha="left", fontsize=10, color="0.25")
    return fig


def below(verdict: Verdict) -> list[str]:
    """Say which checks failed, what is foretold and what the rivals are, a line each."""
    failed = [check.name for check in verdict.checks if not check.passed]
    parts = {
        "checks": f"failed: {', '.join(failed)}" if failed
        else f"all {len(verdict.checks)} passed" if verdict.checks else "",
        "forecast": str(verdict.forecast or ""),
        "rivals": ", ".join(f"{name} {value:.2f}" for name, value in verdict.rivals.items()),
    }  # fmt: skip
    return [f"{name}: {told}" for name, told in parts.items() if told]


def draw_gaps(ax, verdicts: Mapping[str, Verdict]) -> None:
    """Draw gaps with their intervals from top to bottom, by name."""
    from cchkd_utils import plots

    rows = list(verdicts.values())
    y = np.arange(len(rows))[::-1]
    ax.axvline(0, color="0.2", lw=1)
    for at, verdict in zip(y, rows):
        decision = verdict.decision
        colour = {"distil": plots.BLUE, "do not distil": plots.ORANGE}.get(decision, plots.GREY)
        low, high = verdict.ci
        ax.hlines(at, low, high, color=colour, lw=2)
        ax.plot(verdict.gap, at, plots.MARKERS[decision], color=colour, ms=9, mec="white")
    ends = np.array([[*v.ci, 0.0] for v in rows])
    pad = 0.08 * (np.ptp(ends) or 1)
    ax.set(xlim=(ends.min() - pad, ends.max() + pad), ylim=(-0.6, len(rows) - 0.4))
    ax.axvspan(0, 1e3, color=plots.REGION, alpha=0.13, lw=0, zorder=0)
    ax.set_yticks(y, list(verdicts))
    ax.grid(axis="y", visible=False)


def draw_ranking(verdicts: Mapping[str, Verdict]) -> Figure:
    """Draw the gaps of several teachers of one student."""
    from cchkd_utils import plots

    fig, ax = plots.figure(width=6.5, height=1.4 + 0.45 * len(verdicts))
    draw_gaps(ax, verdicts)
    ax.set_xlabel("gap (nats) with its interval; shaded: the criterion says distil")
    first = next(iter(verdicts))
    plots.headline(fig, f"{first} has the largest gap, {verdicts[first].gap:+.2f} nats")
    return fig


def headline(verdict: Verdict) -> str:
    """Say what a verdict says in one line."""
    low, high = verdict.ci
    failed = sum(not check.passed for check in verdict.checks)
    checks = f"; {failed} of {len(verdict.checks)} checks failed" if failed else ""
    gap = f"Gap {verdict.gap:+.2f} nats [{low:+.2f}, {high:+.2f}]"
    return f"Verdict: {verdict.decision}. {gap}{checks}"


def fragment(verdict: Verdict) -> str:
    """Return the figure (where ``plots`` is installed), the answer, checks and numbers as HTML."""
    parts = [f'<p class="note"><strong>{escape(headline(verdict))}.</strong> ']
    parts.append(f"{SAYS[verdict.decision]} {NEXT[verdict.decision]}</p>")
    with contextlib.suppress(ModuleNotFoundError):  # words say the same
        parts.insert(0, picture(draw(verdict), f"Two bars and an interval. {headline(verdict)}."))
    checks = [
        (check.name, "passed" if check.passed else "failed", _value(check.value),
         check.limit if check.passed else check.advice)
        for check in verdict.checks
    ]  # fmt: skip
    if checks:
        parts.append("<h2>Checks</h2>")
        parts.append(
            table(["what was checked", "result", "value", "limit, or what to do"], checks, "checks")
        )
    low, high = verdict.ci
    numbers = [
        ("I(teacher; student)", f"{verdict.mi_teacher_student:.3f} nats"),
        ("I(student; label)", f"{verdict.mi_student_label:.3f} nats"),
        ("gap", f"{verdict.gap:.3f} nats"),
        (f"{verdict.level:.0%} interval", f"[{low:.3f}, {high:.3f}]"),
        ("P(sign is wrong)", f"{verdict.p_wrong:.3f}"),
    ]
    if verdict.mi_given_label is not None:
        told = f"{verdict.mi_given_label:.3f} nats"
        numbers.insert(2, ("I(teacher; student | label): not about the label", told))
    if verdict.bias is not None:
        numbers.append(("bias in simulation", f"{verdict.bias:.3f} nats"))
    if verdict.forecast:
        parts.append(f"<h2>Forecast</h2><p>{escape(str(verdict.forecast))}.</p>")
    numbers += [(name, f"{value:.3f}") for name, value in verdict.rivals.items()]
    numbers += [("estimator", verdict.estimator), ("held-out rows", str(verdict.n))]
    parts.append("<h2>Numbers</h2>" + table(["quantity", "value"], numbers, "numbers"))
    notes = {note for part in verdict.estimates.values() for note in part.notes}
    if notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in sorted(notes))
        parts.append(f"<h2>What the estimates say of themselves</h2><ul>{items}</ul>")
    return "\n".join(parts)


def _value(number: float) -> str:
    return "not measured" if np.isnan(number) else f"{number:.3g}"
