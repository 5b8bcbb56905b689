"""From the trained networks of `study` to tables, and from tables to what they say."""

from itertools import pairwise

import numpy as np
import pandas as pd

from cchkd_utils import results
from cchkd_utils.results import intervals
from cchkd_utils.sections.scores import regression_scores, scores

CELL = ["teacher", "student", "condition", "knob", "lam", "temperature", "metric"]
PAIR = ["teacher", "student", "condition", "knob", "estimator"]


def result_rows(study, cases, lam, temperature, common, draws=1000):
    """Train every student and return the rows of the results table.

    Where all repeats are folds of one data set, rows of accuracy also carry ``video_gain``,
    ``video_lo`` and ``video_hi``: the gain over all held-out utterances and its 95 % interval by a
    bootstrap over videos.

    Parameters
    ----------
    study : sentiment.Study, its cases prepared
    cases : sequence of sentiment.Case
    lam, temperature : sequence of float
    common : dict
        ``dataset`` and ``kind``.
    draws : int
        Of the bootstrap.

    Returns
    -------
    list of dict
    """
    out = []
    for student in dict.fromkeys(case.student for case in cases):
        own = [case for case in cases if case.student == student]
        grid, outputs = study.students(student, own, lam, temperature)
        alone = study.logits[student, 0.0]
        before = [_scores(study, alone[i], i) for i in range(len(study.seeds))]
        interval = (
            _over_videos(study, student, grid, outputs, draws) if study.repeats.shared else {}
        )
        for (case, i, weight, heat), predicted in zip(grid, outputs):
            row = common | case.columns(study.encoder) | {
                "experiment": study.encoder, "knob": case.noise, "seed": study.seeds[i],
                "n_train": study.repeats.train.shape[1], "lam": weight, "temperature": heat,
                "weight": weight if study.task == "classification" else weight / (1 + weight),
            }  # fmt: skip
            after = _scores(study, predicted, i)
            for name in after.keys() & before[i].keys():
                extra = interval.get((case, weight, heat), {}) if name == "accuracy" else {}
                values = {"metric": name, "baseline": before[i][name], "distilled": after[name]}
                out.append(results.result(**row, **values) | extra)
    return sorted(out, key=lambda row: [row[name] for name in (*CELL, "seed")])


def _scores(study, outputs, i):
    """Score the held-out rows of repeat i; without rows of every class there is no AUC."""
    rows = study.repeats.test[i]
    outputs, y = outputs[rows], study.repeats.y[i][rows]
    if study.task == "regression":
        return regression_scores(outputs[:, 0], y)
    found = {name: float(value) for name, value in scores(outputs, y).items()}
    if len(np.unique(y)) < outputs.shape[1]:
        del found["AUC"]
    return found


def _over_videos(study, student, grid, outputs, draws):
    """Gain in accuracy of every cell over all held-out rows, with its interval over videos."""
    if study.task != "classification":
        return {}
    r = study.repeats
    cells = list(dict.fromkeys((case, weight, heat) for case, _, weight, heat in grid))
    position = {cell: c for c, cell in enumerate(cells)}
    change, tested = np.zeros((len(cells), r.y.shape[1])), np.zeros(r.y.shape[1])
    for rows in r.test:
        tested[rows] += 1
    for (case, i, weight, heat), after in zip(grid, outputs):
        right = (one[r.test[i]].argmax(1) == r.y[i][r.test[i]]
                 for one in (after, study.logits[student, 0.0][i]))  # fmt: skip
        change[position[case, weight, heat], r.test[i]] += np.subtract(*map(np.float64, right))
    used = np.flatnonzero(tested)
    found = intervals.cluster_bootstrap(
        lambda rows: change[:, used[rows]].sum(1) / tested[used[rows]].sum(),
        r.units[0][used], draws=draws, seed=study.seeds[0],
    )  # fmt: skip
    names = ("video_gain", "video_lo", "video_hi")
    return {cell: dict(zip(names, map(float, values))) for cell, *values in zip(cells, *found)}


def verdict_rows(study, cases, estimators, common, **options):
    """Return the rows of the verdicts table.

    How the soft labels arose changes neither representation: both conditions share one estimate.

    Parameters
    ----------
    study, cases, common
        As in `result_rows`.
    estimators : sequence of str
    **options
        Of `criterion.assess`.

    Returns
    -------
    list of dict
    """
    out, done = [], {}
    for case in cases:
        for i, seed in enumerate(study.seeds):
            for name in estimators:
                key = (case.teacher, case.student, case.noise, i, name)
                if key not in done:
                    done[key] = study.assess(case, i, name, **options)
                row = common | case.columns(study.encoder) | {"knob": case.noise, "seed": seed}
                out.append(results.verdict(done[key], **row))
    return out


def gains(rows, test_share=None):
    """Mean gain of every cell with its interval and outcome; see `intervals.fold_gains`."""
    return intervals.fold_gains(rows, CELL, test_share)


def judged(verdicts, test_share=None):
    """One verdict per case and estimator from those of all repeats.

    The gap is averaged over repeats; "distil" where its 95 % interval lies above zero.

    Returns
    -------
    DataFrame
        `PAIR`, gap, gap_lo, gap_hi, decision, both informations, and how many repeats said what.
    """
    out = []
    for case, group in verdicts.groupby(PAIR):
        gap, low, high = intervals.over_repeats(group["gap"], test_share)
        decision = "distil" if low > 0 else "do not distil" if high < 0 else "undecided"
        counts = group["decision"].value_counts()
        said = {f"says {name}": int(counts.get(name, 0)) for name in results.DECISIONS}
        numbers = group[["mi_teacher_student", "mi_student_label"]].mean().to_dict()
        named = dict(zip(PAIR, case), gap=gap, gap_lo=low, gap_hi=high, decision=decision)
        out.append(named | numbers | said)
    return pd.DataFrame(out)


def ranking(verdicts, test_share=None):
    """I(H;Y) of every modality with its 95 % interval over repeats, per estimator; nats."""
    out = []
    one = verdicts.drop_duplicates(["student", "estimator", "seed"])
    for (estimator, student), group in one.groupby(["estimator", "student"]):
        mean, low, high = intervals.over_repeats(group["mi_student_label"], test_share)
        out.append((estimator, student, mean, max(low, 0.0), high))
    return pd.DataFrame(out, columns=["estimator", "modality", "nats", "lo", "hi"])


def ordering(verdicts, estimator, test_share=None):
    """Write the modalities by falling I(H;Y): ">" where the 95 % interval says so, else "≈"."""
    one = verdicts[verdicts["estimator"] == estimator].drop_duplicates(["student", "seed"])
    table = one.pivot(index="seed", columns="student", values="mi_student_label")
    names = table.mean().sort_values(ascending=False).index
    text = names[0]
    for better, worse in pairwise(names):
        _, low, _ = intervals.over_repeats(table[better] - table[worse], test_share)
        text += f" {'>' if low > 0 else '≈'} {worse}"
    return text


def points(rows, verdicts, lam, temperature, test_share=None, metric="accuracy"):
    """Join gain and verdict of every case at one λ and T.

    Returns
    -------
    DataFrame
        Columns of `gains` (the gain of an accuracy in percentage points), of `judged`, and
        ``soft``: how the soft labels arose.
    """
    some = rows[(rows["metric"] == metric) & (rows["lam"] == lam)]
    found = gains(some[some["temperature"] == temperature], test_share)
    scale = 1 if metric in ("mae", "correlation") else 100
    found[["gain", "gain_lo", "gain_hi"]] *= scale
    found["soft"] = found["condition"].str.split(", ").str[1]
    joined = found.merge(judged(verdicts, test_share), on=PAIR[:4], suffixes=("", "_gap"))
    kind = joined["teacher"].str.contains("+", regex=False)
    order = {name: i for i, name in enumerate(("text", "audio", "vision"))}
    keys = [kind, joined["student"].map(order), joined["teacher"].map(order)]
    return joined.iloc[np.lexsort([key.fillna(9) for key in keys[::-1]])].reset_index(drop=True)


def crossing(sweep):
    """Say between which levels of noise a gain becomes a loss.

    Parameters
    ----------
    sweep : DataFrame
        One row per level: knob, gain, gain_lo, gain_hi.

    Returns
    -------
    str
        The last level that helps and the first that harms, each by its 95 % interval.
    """
    sweep = sweep.sort_values("knob")
    helps = sweep.loc[sweep["gain_lo"] > 0, "knob"]
    harms = sweep.loc[sweep["gain_hi"] < 0, "knob"]
    first = f"helps up to noise {helps.max():g}" if len(helps) else "helps nowhere for sure"
    last = f"harms from noise {harms.min():g}" if len(harms) else "harms nowhere for sure"
    return f"{first}, {last}"


def text(row):
    """Write a gain in percentage points with its interval."""
    return f"{row['gain']:+.1f} [{row['gain_lo']:+.1f}, {row['gain_hi']:+.1f}]"


def beside_the_paper(points, verdicts, estimator, test_share=None):
    """What stands beside the paper's three statements on CMU-MOSEI, as written text.

    Parameters
    ----------
    points : `points`, all levels of noise, one λ and T
    verdicts : DataFrame
    estimator : str
        Of the ranking.
    test_share : float, optional
        As in `gains`.

    Returns
    -------
    dict of str to str
        The keys of `PAPER`.
    """
    out = {"I(H;Y)": ordering(verdicts, estimator, test_share)}
    one = points.drop_duplicates(["teacher", "student", "soft", "knob"])
    for student in ("vision", "audio"):
        pair = one[(one["teacher"] == "text") & (one["student"] == student)]
        clean = pair[pair["knob"] == 0]
        parts = [f"{soft} {text(row)}" for soft, row in clean.set_index("soft").iterrows()]
        out[f"text → {student}"] = "; ".join(parts)
        swept = [f"{soft}: {crossing(some)}" for soft, some in pair.groupby("soft", sort=False)]
        out[f"noise, text → {student}"] = "; ".join(swept)
    return out


PAPER = {
    "I(H;Y)": "text > audio > vision",
    "text → vision": "+1.1 %",
    "text → audio": "+2.3 %",
    "noise, text → vision": "from helpful to harmful at the boundary of CCH",
    "noise, text → audio": "from helpful to harmful at the boundary of CCH",
}


def over_the_grid(rows, test_share=None):
    """Outcomes of every pair over all λ and T: how many help, hurt or stay unresolved."""
    found = gains(rows[(rows["metric"] == "accuracy") & (rows["knob"] == 0)], test_share)
    found["soft"] = found["condition"].str.split(", ").str[1]
    grouped = found.groupby(["soft", "teacher", "student"])
    counts = grouped["outcome"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=["helps", "hurts", "unresolved"], fill_value=0)
    low, high = (100 * getattr(grouped["gain"], end)() for end in ("min", "max"))
    spans = [f"{a:+.1f} … {b:+.1f}" for a, b in zip(low, high)]
    return counts.assign(**{"gain (points)": spans})
