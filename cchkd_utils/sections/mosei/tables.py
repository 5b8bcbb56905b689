"""From the trained networks of `study` to tables, and from tables to what they say."""

from collections import defaultdict
from itertools import pairwise, product

import numpy as np
import pandas as pd

from cchkd_utils import results
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.results import intervals
from cchkd_utils.sections.mosei.study import MODALITIES
from cchkd_utils.sections.quantities import regression_scores, scores

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
            for name, after in _scores(study, predicted, i).items():
                scored = {"metric": name, "baseline": before[i][name], "distilled": after}
                extra = interval.get((case, weight, t), {}) if name == "accuracy" else {}
                out.append(results.result(**row, **scored) | extra)
    return sorted(out, key=lambda row: [row[name] for name in (*CELL, "seed")])


def _scores(study, outputs, i):
    """Score the held-out rows of repeat i; without rows of every class there is no AUC."""
    rows = study.repeats.test[i]
    outputs, y = outputs[rows], study.repeats.y[i][rows]
    if study.task == "regression":
        return regression_scores(outputs[:, 0], y)
    scored = {name: float(value) for name, value in scores(outputs, y).items()}
    if len(np.unique(y)) < outputs.shape[1]:
        del scored["AUC"]
    return scored


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
    change = np.stack(list(changes.values()))
    tested = np.bincount(np.concatenate(r.test), minlength=n)
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

    Gap and informations are averaged over repeats; "distil" where the 95 % interval of the gap
    lies above zero.
    """
    means = verdicts.groupby(PAIR)[["mi_teacher_student", "mi_student_label"]].mean()
    gaps = _over_repeats(verdicts, PAIR, "gap", ["gap", "gap_lo", "gap_hi"], test_share)
    signs = [gaps["gap_lo"] > 0, gaps["gap_hi"] < 0]
    decision = np.select(signs, ["distil", "do not distil"], "undecided")
    return gaps.assign(decision=decision).merge(means, on=PAIR)


def _over_repeats(table, by, value, names, test_share):
    """Mean of a column over repeats and the ends of its 95 % interval, called `names`."""
    grouped = table.groupby(by)[value]
    rows = [(*key, *intervals.over_repeats(group, test_share)) for key, group in grouped]
    return pd.DataFrame(rows, columns=[*by, *names])


def ranking(verdicts, test_share=None):
    """I(H;Y) of every modality with its 95 % interval over repeats, per estimator; nats."""
    each = verdicts.drop_duplicates(["student", "estimator", "seed"])
    each, by = each.rename(columns={"student": "modality"}), ["estimator", "modality"]
    ranked = _over_repeats(each, by, "mi_student_label", ["nats", "lo", "hi"], test_share)
    return ranked.assign(lo=ranked["lo"].clip(lower=0))


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
    """Join gain (of an accuracy in percentage points) and verdict of every case at one λ and T.

    The column ``soft`` says how the soft labels arose. Single teachers come first.
    """
    own = rows[(rows["metric"] == metric) & (rows["lam"] == lam)]
    gains = _gains(own[own["temperature"] == temperature], test_share)
    gains[["gain", "gain_lo", "gain_hi"]] *= 1 if metric in UNSCALED else 100
    joined = gains.merge(judged(verdicts, test_share), on=PAIR[:4])
    place = {name: i for i, name in enumerate(MODALITIES)}
    student, teacher = (joined[name].map(place).fillna(9) for name in ("student", "teacher"))
    order = np.lexsort([teacher, student, joined["teacher"].str.contains("+", regex=False)])
    return joined.iloc[order].reset_index(drop=True)


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
    by = ["soft", "teacher", "student"]
    counts = pd.crosstab([gains[name] for name in by], gains["outcome"])
    counts = counts.reindex(columns=["helps", "hurts", "unresolved"], fill_value=0)
    gained = (100 * gains["gain"]).groupby([gains[name] for name in by])
    spans = gained.agg(lambda group: f"{group.min():+.1f} … {group.max():+.1f}")
    return counts.assign(**{"gain (points)": spans})
