"""Numbers that pages state in prose are those of the recorded tables: each phrase is made anew.

In the watched passages every number must be part of a phrase, or stand in `CONSTANTS`.
"""

# ruff: noqa: E501, phrases are as long as they are

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cchkd_utils import paths, results
from cchkd_utils.results import intervals
from cchkd_utils.results.readable import minus
from cchkd_utils.sections import cells
from cchkd_utils.sections.cells import resolved, same_sign, source
from cchkd_utils.sections.does_it_predict import study
from cchkd_utils.sections.many_pairs import forecasting, tables
from cchkd_utils.sections.mosei import tables as mosei
from cchkd_utils.sections.mosei.study import FOLDS
from cchkd_utils.sections.tcga import tables as tcga

pytestmark = pytest.mark.slow
ESTIMATORS = ("auto", "ksg", "mine", "lmi")
REAL = "MNIST-M, real", "MOSI/MOSEI, real", "TCGA, real", "many pairs, real"
CONSTANTS = [  # what is no measurement
    r"95 %", r"λ = 0\.5", r"\$T\$ = 2\b", r"λ = 0\.2 to 0\.8", r"\$T\$ = 1 to 2", r"`?[a-z_0-9]+\.(md|ipynb)",
    r"\(\.\./book/[a-z_]+\.md\)", r"layer of 64 units", r"50 repetitions", r"chance lets pass up to 2\.5 %", r"10 splits", r"100 to 300", r"H_\d", r"1 nat is 1\.44 bits", r"confuses 6 and 9",
]  # fmt: skip


def text_of(page):
    text = (paths.ROOT / page).read_text(encoding="utf-8")
    return " ".join(re.sub(r"^# ?", "", text, flags=re.MULTILINE).split())


@cache
def pooled(estimator):
    return cells.by_section(cells.recorded(), estimator)


def ends(values):
    return f"{min(values)} to {max(values)}" if min(values) < max(values) else f"{min(values)}"


def signs(section):
    """Right signs by estimator; clear effects; those right by never and by always."""
    own = {name: same_sign(pooled(name)[section]).sum() for name in ESTIMATORS}
    clear = resolved(pooled("auto")[section])
    helps = int((clear["outcome"] == "helps").sum())
    return own, len(clear), len(clear) - helps, helps


def contradicted(estimator, section):
    """Decided verdicts that were wrong; clear effects decided; those where never is wrong."""
    clear = resolved(pooled(estimator)[section])
    clear = clear[clear["decision"] != "undecided"]
    helps = clear["outcome"] == "helps"
    wrong = ((clear["decision"] == "distil") != helps).sum()
    return f"{wrong} of {len(clear)}", int(helps.sum())


def number(value, digits=2):
    return minus(f"{value:.{digits}f}")


def interval(values, digits=2, plus=False):
    value, low, high = (minus(f"{v:{'+' if plus else ''}.{digits}f}") for v in values)
    return f"{value} [{low}, {high}]"


@cache
def ranks(estimator):
    return {name: study.rank_correlation(table) for name, table in pooled(estimator).items()}


def of_others(main):
    """What has no part in the paper."""
    theirs = main["dataset"].str.match("TCGA-(BRCA|KIPAN|LIHC)|MOSI")
    return main[~theirs]


def does_it_predict():
    for name, where in (("MNIST-M", "on MNIST-M"), ("TCGA", "over the TCGA pairs"),
                        ("many pairs", "over the many pairs")):  # fmt: skip
        own, n, never, _ = signs(f"{name}, real")
        yield f"in {ends(own.values())} of {n} {where} (*never*: {never})"
    own, n, never, _ = signs("MOSI/MOSEI, real")
    assert set(own.values()) == {n} == {never}
    yield f"in all {n} on MOSI"
    own, n, _, always = signs("synthetic, simulated")
    assert sum(right > always for right in own.values()) == 3
    yield f"three of the four estimators beat both constants: {ends(own.values())} of {n}, *always* {always}"
    for estimator in ("ksg", "auto"):
        told = [contradicted(estimator, section) for section in (REAL[0], REAL[2], REAL[3])]
        (a, x), (b, y), (c, z) = told
        yield f"`{estimator}` in {a} on MNIST-M (*never* is wrong in {x}), {b} in TCGA ({y}) and {c} over the many pairs ({z})"
    real = pd.concat(pooled("auto")[section] for section in REAL)
    gains = (real["outcome"] == "helps").sum()
    yield f"{gains} of {len(real)} cells of real data gain for certain, {gains / len(real):.1%}".replace(
        "%", " %"
    )
    for decision, form in (("do not distil", "After *do not distil* by `auto` {} of {} do, and {:.0%} lose"),
                           ("distil", "after *distil* {} of {}, and {:.0%} lose")):  # fmt: skip
        own = real[real["decision"] == decision]["outcome"]
        yield form.format((own == "helps").sum(), len(own), (own == "hurts").mean()).replace(
            "%", " %"
        )
    lost = (real["outcome"] == "hurts").to_numpy()
    no, yes = ((real["decision"] == said).to_numpy() for said in ("do not distil", "distil"))
    more = intervals.cluster_interval(
        lambda i: 100 * (lost[i][no[i]].mean() - lost[i][yes[i]].mean()),
        real["dataset"].map(source),
    )
    yield "the difference in losses is " + minus("{:+.0f} points [{:+.0f}, {:+.0f}]".format(*more))
    rho = ranks("auto")
    for estimator in ESTIMATORS:
        assert all(
            low > 0
            for name, (_, low, _) in ranks(estimator).items()
            if name.startswith(("synth", "MOSI", "TCGA"))
        )
    assert all((ranks(name)[REAL[0]][1] > 0) == (name != "auto") for name in ESTIMATORS)
    yield f"on MNIST-M ({interval(rho[REAL[0]])}) and over the many pairs ({interval(rho[REAL[3]])}) the interval holds zero"
    brier = {name: study.brier(table) for name, table in pooled("auto").items()}
    named = [brier[name] for name in (REAL[0], REAL[2], REAL[3], REAL[1])]
    assert all(own["brier"] > own["reference"] for own in named)
    for which, words in (("brier", "{:.2f}, {:.2f}, {:.2f} and {:.2f} on MNIST-M, TCGA, the many pairs and MOSI"),
                         ("reference", "{:.2f}, {:.2f}, {:.2f} and {:.2f} for the share that helps")):  # fmt: skip
        yield words.format(*(own[which] for own in named))
    own = brier["synthetic, simulated"]
    yield f"on synthetic data it is better, {own['brier']:.2f} against {own['reference']:.2f}"
    shape = {name: study.shape_of_response(table) for name, table in pooled("auto").items()}
    assert shape[REAL[0]]["monotone"] < shape[REAL[0]]["line"]
    assert all(s["monotone"] > s["line"] for name, s in shape.items() if name != REAL[0])
    for estimator in ESTIMATORS:
        both = (pooled(estimator)[name] for name in ("synthetic, simulated", REAL[1]))
        assert all(s["monotone"] > s["line"] for s in map(study.shape_of_response, both))
    yield f"on MNIST-M a line fits better ({number(shape[REAL[0]]['line'])} against {number(shape[REAL[0]]['monotone'])})"
    (counted,) = tables.counts(tables.joined(*results.recorded("many_pairs"))).to_dict("records")
    yield f"{counted['ordered pairs']} pairs of {counted['sets']} sets"


@cache
def many(soft):
    every = tables.joined(*results.recorded("many_pairs"), soft)
    main = every[(every["lam"] == 0.5) & (every["temperature"] == 2.0)]
    return every, main, tables.ranking(*tables.scored(main), "gap, auto")


def right_signs(main):
    own = {name: same_sign(group).sum() for name, group in main.groupby("estimator")}
    clear = resolved(main[main["estimator"] == "auto"])
    return own, len(clear), int((clear["outcome"] == "helps").sum()), clear


def loses(change):
    """A change of the gain as a loss with its interval, from its text."""
    gain, low, high = (0.0 - float(v) for v in re.findall(r"[+-][.\d]+", change))
    return interval((gain, high, low), 1)


def many_pairs():
    (every, main, ranked), (cross, main_cross, ranked_cross) = map(
        many, ("in-sample", "cross-fitted")
    )
    (counted,) = tables.counts(every).to_dict("records")
    yield (
        f"{counted['ordered pairs']} ordered pairs of {counted['sets']} sets from {counted['sources']} sources, at 1 to "
        f"{every.groupby(cells.CLUSTER[:3])['condition'].nunique().max()} numbers of training rows each, {counted['pairs × training rows']} cases"
    )
    own, n, helps, clear = right_signs(main)
    least, most = min(own, key=own.get), max(own, key=own.get)
    yield f"{n} effects are clear, {helps} of them gains. The sign of the gap is right in {own[least]} (`{least}`) to {own[most]} (`{most}`) of these, *never distil* in {n - helps}, *always* in {helps}"
    answers = tables.answers(main)["all clear effects", "sign − never"]
    yield "Less *never*, `auto` is at " + minus(
        "{} points {}".format(*answers["auto"].split(" ", 1))
    )
    others = of_others(main)
    size = len(others[["dataset", "teacher", "student"]].drop_duplicates())
    own, few, few_helps, _ = right_signs(others)
    yield f"({size} pairs) the sign is right in {ends(own.values())} of {few}, *never* in {few - few_helps}"
    own, left, left_helps, _ = right_signs(
        main[~main["dataset"].isin(["digits", "breast-cancer", "mfeat"])]
    )
    yield f"have {n - left} of the {n} clear effects"
    yield f"Without them {left} are left: the sign is right in {ends(own.values())}, *never* in {left - left_helps}"
    own, n, helps, clear_cross = right_signs(main_cross)
    yield f"{n - helps} of {n} clear effects are losses; the sign is right in {ends(own.values())}"
    answers = tables.answers(main_cross)["all clear effects", "sign − never"]
    certain = [name for name, told in answers.items() if re.search(r", -\d+\]", told)]
    yield f"for {' and '.join(f'`{name}`' for name in certain)} certainly in fewer than *never*"
    for form in ("{} (in-sample)", "{} (cross-fitted)"):
        table = ranked if "in-s" in form else ranked_cross
        yield form.format(interval(table.loc["advantage", ["within", "within_lo", "within_hi"]]))
    yield "the gap by `auto` " + " and ".join(
        interval(t.loc["gap, auto", ["within", "within_lo", "within_hi"]])
        for t in (ranked, ranked_cross)
    )
    minuses = ["within_minus", "within_minus_lo", "within_minus_hi"]
    yield f"{interval(ranked_cross.loc['advantage', minuses])} with cross-fitted labels"
    yield f"in-sample, {interval(ranked.loc['advantage', minuses])}, some {ranked.loc['advantage', 'within_needed']:.0f} sources would be needed"
    assert (
        ranked_cross.loc["advantage", "within_minus_lo"]
        > 0
        > ranked.loc["advantage", "within_minus_lo"]
    )
    yield f"`ksg` ranks the pairs of a set better than `auto` with cross-fitted labels ({interval(ranked_cross.loc['gap, ksg', minuses])})"
    of_auto, of_cross = (t[t["estimator"] == "auto"] for t in (every, cross))
    for by in ("lam", "temperature"):
        yield " points, cross-fitted ".join(
            loses(tables.change(t, by)["all"]) for t in (of_auto, of_cross)
        )
    sized = of_cross[of_cross["n_train"].isin([100, 300])]
    gain = [float(v) for v in re.findall(r"[+-][.\d]+", tables.change(sized, "n_train")["all"])]
    assert gain[1] > 0
    yield f"cross-fitted harm shrinks by {interval(gain, 1)} points"
    wrong = tables.failures(
        of_auto[of_auto["temperature"] == 2.0], results.recorded("many_pairs")[1], "auto"
    )
    for dataset, teacher, student, n in (
        ("digits", "top", "left", 300),
        ("breast-cancer", "error", "worst", 284),
        ("mfeat", "zer", "fac", 1000),
    ):
        own = wrong.query(
            f"dataset == {dataset!r} and teacher == {teacher!r} and student == {student!r} and n_train == {n}"
        )
        loss = own.set_index("lam")["percent"]
        row = own.iloc[0]
        yield (
            f"({teacher} → {student}, {n} rows, gap {row['gap']:+.1f} nats) share {row['mi_teacher_student']:.1f} nats, of which {row[tables.NOT_LABEL]:.1f} are not about the label; "
            f"the teacher is {-100 * row['advantage']:.0f} point{'s' if row['advantage'] < -0.015 else ''} less accurate than the student, which loses {-loss[0.8]:.1f} points at λ = 0.8 and {-loss[0.5]:.1f} at 0.5"
        )
    known = forecasting.table(*results.recorded("many_pairs"))
    told = forecasting.left_out(known)
    scores = forecasting.brier(told).loc["clear"]
    yield f"right in {scores.loc['forecast', 'right']} of the clear effects of left-out sources".replace(
        "%", " %"
    )
    never = 1 - told.loc[told["clear"], "helps"].mean()
    yield f"*never* in {never:.0%}".replace("%", " %")
    yield f"Its Brier score, {minus(scores.loc['forecast', 'Brier score'])}"
    base = scores.loc["base rate of the other sources", "forecast − this"]
    yield f"less that of the base rate {minus(base)}"
    yield f"Its calibration slope is {interval(forecasting.calibration(told)['slope'])}"
    for own, words in (
        (clear, "{} of the {} clear effects (*never*: {})"),
        (clear_cross, "cross-fitted in {} of {} (*never*: {})"),
    ):
        helps = own["outcome"] == "helps"
        yield words.format(((own["advantage"] > 0) == helps).sum(), len(own), (~helps).sum())


def synthetic():
    rows, verdicts = results.recorded("synthetic")
    table = intervals.summarise(rows, ["experiment", "n_train", "knob", "lam"])
    table["percent"] = 100 * table["gain"] / table["baseline"]
    n, small = table["n_train"].max(), table["n_train"].min()
    assert (table["repeats"] == 50).all()
    yield f"($n = {n}$, $p = 100$, 50 seeds)"
    size = table[table["n_train"] == n]
    assert (size[size["knob"] > 0]["outcome"] == "helps").all()
    assert not (size[size["knob"] < 0]["outcome"] == "helps").any()
    most = size[size["knob"] > 0].groupby("experiment")["percent"].max()
    yield f"Linear students gain at most {most['linear']:.1f} % of their error, networks at most {most['mlp']:.1f} %"
    worst = -size[size["knob"] == -0.2]["percent"].min()
    yield f"At a gap of −0.2 they lose up to {worst:.0f} %"
    yield f"where distillation costs {worst:.0f} %"
    few = table[table["n_train"] == small].set_index("experiment")
    near, far = (few[few["knob"] == gap] for gap in (-0.05, -0.1))
    assert (near["outcome"] == "helps").all() and (far.loc["linear", "outcome"] == "helps").all()
    by_lam = far.loc["mlp"].set_index("lam")["outcome"] == "helps"
    assert by_lam[0.2] and not by_lam[0.8]
    yield f"With {small} rows (recorded) distillation helps at a gap of −0.05 too, linear students by up to {near.loc['linear', 'percent'].max():.0f} %. At −0.1 it helps linear students at every λ, networks where λ is small"
    judged = verdicts[(verdicts["student"] == "x2 mlp") & (verdicts["estimator"] != "exact")]
    mean = judged.groupby(["estimator", "knob"])[["gap", "mi_student_label"]].mean()
    exact = verdicts[verdicts["estimator"] == "exact"]["mi_student_label"].mean()
    yield f"({mean.loc['ksg', 'mi_student_label'].max():.2f} nats; the truth of $s$ and $y$ is {exact:.2f})"
    assert (mean.loc["ksg", "gap"] > 0).all()
    zero = {}
    for name in ("mine", "auto", "lmi"):
        gap = mean.loc[name, "gap"].sort_index()
        assert gap.is_monotonic_increasing  # else it changes sign more than once, or by chance
        zero[name] = np.interp(0.0, gap, gap.index)
    assert abs(zero["mine"]) < 0.05
    yield f"MINE changes sign within 0.05 nats of the truth, `auto` at about {number(zero['auto'])}, `lmi` at {zero['lmi']:.1f}"
    decisions = judged[judged["estimator"] == "auto"].groupby("knob")["decision"]
    sure, unsure = (decisions.agg(lambda d, w=w: (d == w).mean()) for w in ("distil", "undecided"))
    first = sure[sure == 1.0].index.min()
    assert (sure[sure.index >= first] == 1.0).all() and (unsure[unsure.index < first] > 0.5).all()
    yield f"`auto` says *distil* from {first} on, and is undecided on most seeds below"


def sentiment():
    rows, verdicts = results.recorded("mosi")
    clean = mosei.points(rows, verdicts, 0.5, 2.0, 1 / FOLDS).query("knob == 0")
    own = clean[clean["estimator"] == "auto"]
    text = own[own["student"] == "text"]
    words = dict(enumerate("none one two three four five six".split()))
    assert (text["gain"] < 0).all() and text["gain"].between(-5.5, -1.4).all()
    yield f"{words[(text['outcome'] == 'hurts').sum()]} of the {words[len(text)]} for certain"
    grid = mosei.over_the_grid(rows)
    harmed = grid[grid.index.get_level_values("student") == "text"]
    assert harmed["helps"].sum() == 0
    counts = harmed[["helps", "hurts", "unresolved"]].sum()
    yield f"in {counts['hurts']} of {counts.sum()} cells for certain, and nowhere does one help"
    keys = ["condition", "teacher", "student", "lam", "temperature"]
    scored = rows[(rows["metric"] == "accuracy") & (rows["knob"] == 0)]
    gain = 100 * scored.groupby(keys)["gain"].mean()
    gain = gain[gain.index.get_level_values("student") != "text"]
    assert grid[grid.index.get_level_values("student") != "text"]["helps"].sum() == 0
    yield f"positive in {(gain > 0).sum()} of {len(gain)} cells, up to {gain.max():.1f} points, and in none for certain"
    taught = own[own["teacher"] == "text"]
    reach = (taught["gain_hi"] - taught["gain_lo"]) / 2
    assert reach.min() > 2.9 and reach.max() < 6
    yield f"at {taught['gain'].min():+.1f} to {taught['gain'].max():+.1f} points with intervals of three to six points"
    clear = resolved(own)
    assert (clear["outcome"] == "hurts").all()
    assert all(same_sign(of).sum() == len(clear) for _, of in clean.groupby("estimator"))
    yield f"Of {len(own)} cases {words[len(clear)]} have a clear outcome, both losses. The sign of the gap is right in both by every estimator"
    undecided = (clean["decision"] == "undecided").groupby(clean["estimator"]).sum()
    yield f"{ends(undecided)} of {len(own)} verdicts are *undecided*"


def nothing():
    """An answer in words alone."""
    return ()


def digits():
    own, n, never, always = signs(REAL[0])
    assert own["ksg"] == own["mine"] == own["lmi"]
    yield f"right in {own['ksg']} of these {n} by `ksg`, `mine` and `lmi`, and in {own['auto']} by `auto`; *never distil* is right in {never}, *always* in {always}"
    table = pooled("auto")[REAL[0]]
    counts = table["outcome"].value_counts()
    yield f"Of the {len(table)} cells of blur, λ and $T$, {counts['helps']} help and {counts['hurts']} hurt"
    sharp = table[table["knob"] <= 3]
    yield f"for certain in {(sharp['outcome'] == 'helps').sum()} of {len(sharp)} cells"
    rows = results.recorded("mnist_m")[0]
    smooth = intervals.summarise(rows[rows["experiment"] == "label smoothing"], ["lam"])
    smooth = 100 * smooth.set_index("lam")[["gain", "gain_lo", "gain_hi"]]
    yield f"brings {interval(smooth.loc[0.5], 1)}, at its best λ {interval(smooth.loc[smooth['gain'].idxmax()], 1)}"


def cancer():
    rows, verdicts = results.recorded("tcga")
    gains = tcga.at(rows, 0.5, 2.0).query("experiment == 'cross-fitted'")
    counted = tcga.pair_agreement(gains, tcga.pool_verdicts(verdicts))
    right = counted["sign", "right"].str.split(" of ").str[0].astype(int)
    words = dict(enumerate("none one two three four five six seven eight nine ten".split()))
    n = len(resolved(gains))
    assert right["mine"] == right["pooled logits"] == n
    yield f"{words[n]} effects are clear. The sign of the gap is right in all of them by `mine` and pooled logits, in {words[right['lmi']]} by `lmi`, {words[right['ksg']]} by `ksg` and {words[right['auto']]} by `auto`"
    yield f"*never* is right in {words[int(counted['sign', 'never'].iloc[0].split()[0])]}"
    counts = {}
    for name in ESTIMATORS:
        own = pooled(name)[REAL[2]].query("decision == 'distil'")["outcome"].value_counts()
        counts[name] = own.get("helps", 0), own.get("hurts", 0)
    told = "`auto` confirmed in {} and contradicted in {}, `ksg` in {} and {}"
    yield told.format(*counts["auto"], *counts["ksg"])


def estimators():
    table = pd.read_csv(results.recorded_file("calibration")).query(
        "part == 'coverage' and estimator == 'auto'"
    )
    layers = table["labels"].str.startswith("hidden")
    clean, wide = table[~layers], table[layers]
    hits, n = round((clean["coverage"] * clean["trials"]).sum()), int(clean["trials"].sum())
    low, high = binomtest(hits, n).proportion_ci()
    yield f"in {100 * hits / n:.0f} % of the trials [{100 * low:.0f}, {100 * high:.0f}]"
    yield f"of hidden layers in {' and '.join(f'{100 * c:.0f}' for c in wide['coverage'])} %"
    of_clean, of_layers = (
        {part: 100 * own[f"wrong_sign_{part}"] for part in ("said", "found")}
        for own in (clean, wide)
    )
    for own, words in ((of_clean, "says {} to {} % in the clean cells, where {} to {} % of the signs are wrong"),
                       (of_layers, "{} to {} % of hidden layers, where {} to {} % are")):  # fmt: skip
        yield words.format(
            *(f"{v:.1f}" for part in ("said", "found") for v in (own[part].min(), own[part].max()))
        )


def first_page():
    table = pooled("auto")[REAL[0]]
    yield f"lifts the student by {table['percent'].max():.1f} points at most, and one that sees a smear costs up to {-table['percent'].min():.0f}"
    own, n, helps, _ = right_signs(many("in-sample")[1])
    (counted,) = tables.counts(many("in-sample")[0]).to_dict("records")
    yield f"On {counted['ordered pairs']} pairs of {counted['sets']} sets,"
    yield f"right in {ends(own.values())} of {n} clear effects, by estimator, and *never distil* in {n - helps}"
    own, n, helps, _ = right_signs(of_others(many("in-sample")[1]))
    yield f"in {ends(own.values())} of {n}, *never* in {n - helps}"
    rho = {name: ranks(name) for name in ESTIMATORS}
    shown = {
        section: [name for name in ESTIMATORS if rho[name][section][1] > 0]
        for section in rho["auto"]
    }
    assert [len(shown[section]) for section in REAL] == [3, 4, 4, 0]
    assert len(shown["synthetic, simulated"]) == 4
    outcomes = []
    for name in ESTIMATORS:
        said = pooled(name)[REAL[2]].query("decision == 'distil' and outcome != 'unresolved'")
        outcomes.append(said.assign(pair=said["dataset"] + said["teacher"] + said["student"]))
    pairs = pd.concat(outcomes).groupby("outcome")["pair"].nunique()
    words = {1: "one", 2: "two", 3: "three"}
    yield f"confirmed at {words[pairs['helps']]} of the TCGA pairs and contradicted at {words[pairs['hurts']]}"


QUOTED = {
    "book/intro.md": first_page,
    "notebooks/py/02_mnist_m.py": digits,
    "notebooks/py/03_mosei.py": sentiment,
    "notebooks/py/04_tcga.py": cancer,
    "notebooks/py/07_estimators.py": estimators,
}
PAGES = {
    "notebooks/py/01_synthetic.py": synthetic,
    "notebooks/py/06_counterexamples.py": nothing,
    "notebooks/py/05_does_it_predict.py": does_it_predict,
    "notebooks/py/08_many_pairs.py": many_pairs,
}


def watched(page):
    text = text_of(page)
    start = text.index("## Answer")
    return text[start : text.index("## Check yourself", start)]


@pytest.mark.parametrize("page", PAGES)
def test_every_number_of_the_answer_comes_from_the_tables(page):
    text = watched(page)
    phrases = list(PAGES[page]())
    missing = [phrase for phrase in phrases if phrase not in text]
    assert not missing, "\n".join(missing)
    for phrase in sorted(phrases, key=len, reverse=True):
        text = text.replace(phrase, "")
    for constant in CONSTANTS:
        text = re.sub(constant, "", text)
    assert re.findall(r".{30}\d.{10}", text) == []


@pytest.mark.parametrize("page", QUOTED)
def test_quoted_numbers_come_from_the_tables(page):
    text = text_of(page)
    assert [phrase for phrase in QUOTED[page]() if phrase not in text] == []
