"""The paper's headline results beside ours, computed from the tables, so that they cannot go stale.

`measures` says how each is measured; here stand the claims, and the page is set.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from cchkd_utils.results.readable import minus
from cchkd_utils.sections.cells import Tables, by_notebook
from cchkd_utils.sections.ledger import measures
from cchkd_utils.sections.ledger.measures import NOT_TESTABLE, SECTION, Cell


@dataclass(frozen=True)
class Headline:
    """One result of the paper: its claim, the notebook that repeats it, measure, remark."""

    number: int
    claim: str
    notebook: str
    measure: Callable[[pd.DataFrame, pd.DataFrame], Cell]
    why: str


HEADLINES = (
    Headline(
        1, "Synthetic data: distillation lowers the error markedly where the gap is positive and "
        "does not otherwise; the same at every λ", "01_synthetic", measures.gaussian_sign,
        "The effect is small at this number of rows, because the undistilled student has little "
        "error left to save. Its sign also depends on λ and on the number of rows, which the gap "
        "does not contain ([](theory.md)).",
    ),
    Headline(
        2, "MNIST → MNIST-M: +1.0 … +3.5 points where CCH holds, −12 … −46 where it is violated",
        "02_mnist_m", measures.digits_sign,
        "Where the gap changes sign depends on the estimator.",
    ),
    Headline(
        3, "CMU-MOSEI: I(H;Y) ranks text > audio > vision", "03_mosei", measures.modality_ranking,
        "MOSI is a small relative of MOSEI; the build is simulated with the paper's order.",
    ),
    Headline(
        4, "CMU-MOSEI: text → vision +1.1 %, text → audio +2.3 % accuracy", "03_mosei",
        measures.text_teaches, "On MOSI audio and vision carry next to nothing about the label.",
    ),
    Headline(
        5, "CMU-MOSEI: noise in the teacher moves distillation from helpful to harmful at the "
        "boundary of CCH", "03_mosei", measures.noise_crossing,
        "The intervals on MOSI are wider than the effects that the paper reports on MOSEI.",
    ),
    Headline(
        6, "TCGA: CCH agrees with the sign of the effect in all three cohorts", "04_tcga",
        measures.cohorts_agree,
        "With few participants most effects stay within the noise, or the verdict does.",
    ),
    Headline(
        7, "TCGA: where CCH holds, fusion with distillation beats plain fusion", "04_tcga",
        measures.fusion, "Fusion has the teacher's modality already.",
    ),
    Headline(
        8, "Ablations: the pattern holds over T; smaller λ agrees better", "02_mnist_m",
        measures.ablations, "Harm grows with λ, so that wrong verdicts show at large λ first.",
    ),
    Headline(
        9, "The three estimators differ in value and agree in ranking", "02_mnist_m",
        measures.estimators_rank,
        "The ranking is what survives the estimators' bias; the sign is not.",
    ),
    Headline(
        10, "Accuracy responds non-linearly to the gap", "02_mnist_m", measures.bent_response,
        "The gain saturates for good teachers and falls steeply for bad ones.",
    ),
)  # fmt: skip


def staged(recorded: Mapping[str, Tables], build: Mapping[str, Tables]) -> dict[str, bytes]:
    """Return the ledger's text, by its name in the book's sources."""
    return {"book/ledger.txt": page(by_notebook(recorded), build).encode()}


def page(recorded: Mapping[str, Tables], build: Mapping[str, Tables]) -> str:
    """Return the ledger as MyST: a table of grades, and a block per headline with its sources."""
    lines, blocks = ["| | the paper says | recorded | this build |", "|---|---|---|---|"], []
    for headline in HEADLINES:
        number, claim, notebook = headline.number, headline.claim, headline.notebook
        ours = measure(headline, recorded, f"results/{SECTION[notebook].table}.csv")
        fresh = measure(headline, build, f"../notebooks/{notebook}.results.csv")
        lines.append(f"| {number} | {claim} | {ours.grade} | {fresh.grade} |")
        blocks.append(
            f"## {number}. {claim}\n\n"
            f":::{{admonition}} {ours.grade}\n:class: ledger {ours.grade.replace(' ', '-')}\n\n"
            f"**Recorded.** {ours.text} {{download}}`table <{ours.source}>`\n\n"
            f"**This build.** {fresh.text} {{download}}`table <{fresh.source}>`\n\n"
            f"**Why.** {headline.why} [](../notebooks/{notebook}.ipynb)\n:::\n"
        )
    return "\n".join([*lines, "", *blocks])


def measure(headline: Headline, tables: Mapping[str, Tables], source: str) -> Cell:
    """Measure a headline in its section's tables; a section without tables is not testable."""
    if headline.notebook not in tables:
        return Cell("no table", NOT_TESTABLE, source)
    rows, verdicts = tables[headline.notebook]
    cell = headline.measure(rows, verdicts)
    kinds = "+".join(sorted(set(rows["kind"])))
    seeds, n = rows["seed"].nunique(), sorted(set(map(int, rows["n_train"])))
    size = f"{n[0]}" if len(n) == 1 else f"{n[0]} … {n[-1]}"
    text = f"{cell.text} *({kinds}; {size} training rows, {seeds} repeats)*"
    return Cell(minus(text), cell.grade, source)
