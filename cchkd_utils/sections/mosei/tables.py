"""From the trained networks of `study` to tables, and from tables to what they say."""

from collections import defaultdict
from itertools import pairwise, product

import numpy as np
import pandas as pd

from cchkd_utils import results
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.results import intervals
from cchkd_utils.sections.mosei.study import MODALITIES
from cchkd_utils.sections.scores import regression_scores, scores

CELL = ["teacher", "student", "condition", "knob", "lam", "temperature", "metric"]
PAIR = ["teacher", "student", "condition", "knob", "estimator"]
UNSCALED = ("mae", "correlation")  # metrics whose gains are not told in percentage points
PAPER = {
    "I(H;Y)": "text > audio > vision",
    "text → vision": "+1.1 %",
    "text → audio": "+2.3 %",
    "noise, text → vision": "from helpful to harmful at the boundary of CCH",
    "noise, text → audio": "from helpful to harmful at the boundary of CCH",
}


def result_rows(study, cases, lam, temperature, common, draws=1000):
    """Train every student and return the rows of the results table.

    Where all repeats are folds of one data set, rows of accuracy also carry ``video_gain``,
    ``video_lo`` and ``video_hi``: the gain over all held-out utterances and its 95 % interval by a
    bootstrap over videos with that many `draws`. `common` holds the columns dataset and kind.
    """
    out = []
    for student in dict.fromkeys(case.student for case in cases):
        own = [case for case in cases if case.student == student]
        grid, outputs = study.students(student, own, lam, temperature)
        alone = study.logits[student, 0.0]
        before = [_scores(study, alone[i], i) for i in range(len(study.seeds))]
        interval = _over_videos(study, alone, grid, outputs, draws)
        for (case, i, weight, t), predicted in zip(grid, outputs):
            row = common | study.columns(case) | {
                "experiment": study.encoder, "seed": study.seeds[i],
                "n_train": study.repeats.train.shape[1], "lam": weight, "temperature": t,
                "weight": teacher_share(weight, study.task),
            }  # fmt: skip
            after = _scores(study, predicted, i)
            for name in after.keys() & before[i].keys():
                extra = interval.get((case, weight, t), {}) if name == "accuracy" else {}
                values = {"metric": name, "baseline": before[i][name], "distilled": after[name]}
                out.append(results.result(**row, **values) | extra)
    return sorted(out, key=lambda row: [row[name] for name in (*CELL, "seed")])


def _scores(study, outputs, i):
    """Score the held-out rows of repeat i; without rows of every class there is no AUC."""
    rows = study.repeats.test[i]
    outputs, y = outputs[rows], study.repeats.y[i][rows]
    if study.task == "regression":
        return regression_scores(outputs[:, 0], y)
    everywhere = len(np.unique(y)) == outputs.shape[1]
    scored = scores(outputs, y).items()
    return {name: float(value) for name, value in scored if everywhere or name != "AUC"}


def _over_videos(study, alone, grid, outputs, draws):
    """Gain in accuracy of every cell over all held-out rows, with its interval over videos."""
    r = study.repeats
    if study.task != "classification" or not r.shared:
        return {}
    n = r.y.shape[1]
    changes = defaultdict(lambda: np.zeros(n))  # rows put right less rows put wrong, by cell
    for (case, i, weight, t), taught in zip(grid, outputs):
        rows = r.test[i]
        right = [logits[rows].argmax(1) == r.y[i][rows] for logits in (taught, alone[i])]
        changes[case, weight, t][rows] += np.subtract(*right, dtype=float)
    tested, change = np.bincount(np.concatenate(r.test), minlength=n), np.stack([*changes.values()])
    used = np.flatnonzero(tested)
    ends = intervals.cluster_bootstrap(
        lambda rows: change[:, used[rows]].sum(1) / tested[used[rows]].sum(),
        r.units[0][used], draws=draws, seed=study.seeds[0],
    )  # fmt: skip
    return {cell: dict(zip(intervals.VIDEO, map(float, end))) for cell, *end in zip(changes, *ends)}


def verdict_rows(study, cases, estimators, common, **options):
    """Return the rows of the verdicts table; `options` of `criterion.assess`.

    How the soft labels arose changes neither representation: both conditions share one estimate.
    """
    out, done = [], {}
    for case, (i, seed), name in product(cases, enumerate(study.seeds), estimators):
        key = (case.teacher, case.student, case.noise, i, name)
        if key not in done:
            done[key] = study.assess(case, i, name, **options)
        out.append(results.verdict(done[key], **common, **study.columns(case), seed=seed))
    return out


def _gains(rows, test_share):
    """Mean gain of every cell with its interval and outcome, and how its soft labels arose."""
    gains = intervals.fold_gains(rows, CELL, test_share)
    return gains.assign(soft=gains["condition"].str.split(", ").str[1])


def judged(verdicts, test_share=None):
    """One verdict per case and estimator from those of all repeats.

    The gap is averaged over repeats; "distil" where its 95 % interval lies above zero.

    Returns
    -------
    DataFrame
        `PAIR`, gap, gap_lo, gap_hi, decision, mi_teacher_student, mi_student_label.
    """
    grouped = verdicts.groupby(PAIR)
    out = grouped[["mi_teacher_student", "mi_student_label"]].mean()
    gap = [intervals.over_repeats(group, test_share) for _, group in grouped["gap"]]
    out["gap"], out["gap_lo"], out["gap_hi"] = zip(*gap)
    signs = [out["gap_lo"] > 0, out["gap_hi"] < 0]
    out["decision"] = np.select(signs, ["distil", "do not distil"], "undecided")
    return out.reset_index()


def ranking(verdicts, test_share=None):
    """I(H;Y) of every modality with its 95 % interval over repeats, per estimator; nats."""
    out = []
    each = verdicts.drop_duplicates(["student", "estimator", "seed"])
    for (estimator, student), group in each.groupby(["estimator", "student"]):
        mean, low, high = intervals.over_repeats(group["mi_student_label"], test_share)
        out.append((estimator, student, mean, max(low, 0.0), high))
    return pd.DataFrame(out, columns=["estimator", "modality", "nats", "lo", "hi"])


def ordering(verdicts, estimator, test_share=None):
    """Write the modalities by falling I(H;Y): ">" where the 95 % interval says so, else "≈"."""
    each = verdicts[verdicts["estimator"] == estimator].drop_duplicates(["student", "seed"])
    table = each.pivot(index="seed", columns="student", values="mi_student_label")
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
        `CELL`, gain (of an accuracy in percentage points), gain_lo, gain_hi, outcome, the columns
        of `judged`, and ``soft``: how the soft labels arose. Single teachers first.
    """
    own = rows[(rows["metric"] == metric) & (rows["lam"] == lam)]
    gains = _gains(own[own["temperature"] == temperature], test_share)
    gains[["gain", "gain_lo", "gain_hi"]] *= 1 if metric in UNSCALED else 100
    joined = gains.merge(judged(verdicts, test_share), on=PAIR[:4])
    two = joined["teacher"].str.contains("+", regex=False)
    place = {name: i for i, name in enumerate(MODALITIES)}
    keys = [two, joined["student"].map(place), joined["teacher"].map(place)]
    return joined.iloc[np.lexsort([key.fillna(9) for key in keys[::-1]])].reset_index(drop=True)


def noise_where_it_turns(sweep):
    """Say up to which level of noise a gain surely helps, and from which on it surely harms.

    `sweep` has a row per level: knob, gain_lo, gain_hi (95 % interval).
    """
    helps = sweep.loc[sweep["gain_lo"] > 0, "knob"]
    harms = sweep.loc[sweep["gain_hi"] < 0, "knob"]
    first = f"helps up to noise {helps.max():g}" if len(helps) else "helps nowhere for sure"
    last = f"harms from noise {harms.min():g}" if len(harms) else "harms nowhere for sure"
    return f"{first}, {last}"


def text(row):
    """Write a gain in percentage points with its interval."""
    return f"{row['gain']:+.1f} [{row['gain_lo']:+.1f}, {row['gain_hi']:+.1f}]"


def beside_the_paper(points, verdicts, estimator, test_share=None):
    """Write, by the keys of `PAPER`, what stands beside the paper's statements on CMU-MOSEI.

    `points` holds all levels of noise at one λ and T; the ranking is that of `estimator`.
    """
    out = {"I(H;Y)": ordering(verdicts, estimator, test_share)}
    cells = points.drop_duplicates(["teacher", "student", "soft", "knob"])
    for student in ("vision", "audio"):
        pair = cells[(cells["teacher"] == "text") & (cells["student"] == student)]
        clean = pair[pair["knob"] == 0].set_index("soft")
        out[f"text → {student}"] = "; ".join(f"{k} {text(row)}" for k, row in clean.iterrows())
        swept = pair.groupby("soft", sort=False)
        turns = [f"{soft}: {noise_where_it_turns(sweep)}" for soft, sweep in swept]
        out[f"noise, text → {student}"] = "; ".join(turns)
    return out


def over_the_grid(rows, test_share=None):
    """Outcomes of every pair over all λ and T: how many help, hurt or stay unresolved."""
    gains = _gains(rows[(rows["metric"] == "accuracy") & (rows["knob"] == 0)], test_share)
    grouped = gains.groupby(["soft", "teacher", "student"])
    counts = grouped["outcome"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=["helps", "hurts", "unresolved"], fill_value=0)
    low, high = 100 * grouped["gain"].min(), 100 * grouped["gain"].max()
    spans = [f"{a:+.1f} … {b:+.1f}" for a, b in zip(low, high)]
    return counts.assign(**{"gain (points)": spans})
