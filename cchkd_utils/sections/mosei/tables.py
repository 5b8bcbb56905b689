"""From the trained networks of `study` to tables, and from tables to what they say."""

from itertools import pairwise, product

import numpy as np
import pandas as pd

from cchkd_utils import results
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import pooled
from cchkd_utils.sections.mosei.study import MODALITIES
from cchkd_utils.sections.quantities import over_folds, regression_scores, scores

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


def result_rows(study, cases, lam, temperature, common):
    """Train every student; return the rows of results, `common` (dataset, kind) in each."""
    out = []
    for student in dict.fromkeys(case.student for case in cases):
        own = [case for case in cases if case.student == student]
        grid, outputs = study.students(student, own, lam, temperature)
        alone = study.logits[student, 0.0]
        before = [_scores(study, alone[i], i) for i in range(len(study.seeds))]
        stderr = _over_videos(study, alone, own, lam, temperature, outputs)
        for (case, i, weight, t), predicted in zip(grid, outputs):
            row = common | study.columns(case) | {
                "experiment": study.encoder, "seed": study.seeds[i],
                "n_train": study.repeats.train.shape[1], "lam": weight, "temperature": t,
                "weight": teacher_share(weight, study.task),
            }  # fmt: skip
            for name, after in _scores(study, predicted, i).items():
                numbers = {"baseline": round(before[i][name], 7), "distilled": round(after, 7)}
                extra = stderr.get((case, weight, t, name), {})
                out.append(results.result(**row, metric=name, **numbers) | extra)
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


def _over_videos(study, alone, cases, lam, temperature, outputs):
    """Standard error of the gain over videos, by case, λ, T and metric, where folds share rows."""
    r, cells = study.repeats, list(product(cases, lam, temperature))
    if study.task != "classification" or not r.shared or len(r.test) < 2:
        return {}
    shape = len(cases), len(r.test), len(lam) * len(temperature)
    taught = outputs.reshape(*shape, *outputs.shape[1:]).swapaxes(1, 2)
    taught = taught.reshape(len(cells), len(r.test), *outputs.shape[1:])
    scored, out = over_folds(alone, taught, r.y[0], r.test, r.units[0], study.repeat), {}
    for name, (_, _, stderr, n) in scored.items():
        for cell, value in zip(cells, stderr):
            numbers = {"n_folds": r.folds, "unit_stderr": round(float(value), 7), "n_units": n}
            out[*cell, name] = numbers
    return out


def verdict_rows(study, cases, estimators, common, **options):
    """Return the rows of the verdicts table; `options` of `criterion.assess`."""
    out, done = [], {}  # how soft labels arose changes no representation: they share an estimate
    for case, (i, seed), name in product(cases, enumerate(study.seeds), estimators):
        key = (case.teacher, case.student, case.noise, i, name)
        if key not in done:
            done[key] = study.assess(case, i, name, **options)
        out.append(results.verdict(done[key], **common, **study.columns(case), seed=seed))
    return out


def _gains(rows):
    """Mean gain of every cell with its interval and outcome, and how its soft labels arose."""
    gains = intervals.summarise(rows, CELL)
    return gains.assign(soft=gains["condition"].str.split(", ").str[1])


def judged(verdicts, test_share=None):
    """One verdict per case and estimator: what most repeats said; the mean gap's 95 % interval."""
    said = pooled(verdicts, PAIR, ["mi_teacher_student", "mi_student_label"])
    return _over_repeats(verdicts, PAIR, "gap", test_share).merge(said, on=PAIR)


def _over_repeats(table, by, value, test_share):
    """Mean of a column over repeats and, under its name with _lo and _hi, its 95 % interval."""
    grouped = table.groupby(by)[value]
    rows = [(*key, *intervals.over_repeats(group, test_share)) for key, group in grouped]
    return pd.DataFrame(rows, columns=[*by, value, f"{value}_lo", f"{value}_hi"])


def ranking(verdicts, test_share=None):
    """I(H;Y) of every modality with its 95 % interval over repeats, per estimator; nats."""
    each = verdicts.drop_duplicates(["student", "estimator", "seed"])
    each = each.rename(columns={"student": "modality", "mi_student_label": "nats"})
    ranked = _over_repeats(each, ["estimator", "modality"], "nats", test_share)
    return ranked.assign(nats_lo=ranked["nats_lo"].clip(lower=0))


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
    """Join gain (points, if of an accuracy) and verdict at one λ and T; single teachers first."""
    own = rows[(rows["metric"] == metric) & (rows["lam"] == lam)]
    gains = _gains(own[own["temperature"] == temperature])
    gains[["gain", "gain_lo", "gain_hi"]] *= 1 if metric in UNSCALED else 100
    joined = gains.merge(judged(verdicts, test_share), on=PAIR[:4])
    place = {name: i for i, name in enumerate(MODALITIES)}
    student, teacher = (joined[name].map(place).fillna(9) for name in ("student", "teacher"))
    order = np.lexsort([teacher, student, joined["teacher"].str.contains("+", regex=False)])
    return joined.iloc[order].reset_index(drop=True)


def noise_where_it_turns(sweep):
    """Say up to which level of noise (``knob``) a gain surely helps, from which on it harms."""
    helps = sweep.loc[sweep["gain_lo"] > 0, "knob"]
    harms = sweep.loc[sweep["gain_hi"] < 0, "knob"]
    first = f"helps up to noise {helps.max():g}" if len(helps) else "helps nowhere for sure"
    last = f"harms from noise {harms.min():g}" if len(harms) else "harms nowhere for sure"
    return f"{first}, {last}"


def text(row):
    """Write a gain in percentage points with its interval."""
    return f"{row['gain']:+.1f} [{row['gain_lo']:+.1f}, {row['gain_hi']:+.1f}]"


def beside_the_paper(points, verdicts, estimator, test_share=None):
    """Write, by the keys of `PAPER`, what `points` of all levels of noise say beside it."""
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


def over_the_grid(rows):
    """Outcomes of every pair over all λ and T: how many help, hurt or stay unresolved."""
    gains = _gains(rows[(rows["metric"] == "accuracy") & (rows["knob"] == 0)])
    pairs = gains.assign(gain=100 * gains["gain"]).groupby(["soft", "teacher", "student"])
    counts = pairs["outcome"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=["helps", "hurts", "unresolved"], fill_value=0)
    spans = pairs["gain"].agg(lambda gains: f"{gains.min():+.1f} … {gains.max():+.1f}")
    return counts.assign(**{"gain (points)": spans})
