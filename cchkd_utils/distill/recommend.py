"""What to do: choose λ and T by held-out folds, with the reader's own network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import KFold
from torch import nn

from cchkd_utils.distill import Member, networks, train_ensemble
from cchkd_utils.results import SIGNS, intervals


@dataclass(frozen=True)
class Recommendation:
    """The weight and temperature to use, and what they gained on held-out rows.

    The best of many looks better than it is: judge it again on rows that were not used here.
    """

    lam: float  # 0: do not distil; no choice gained more than its standard error
    temperature: float
    gain: float  # over the undistilled student, mean over folds; above 0 is better
    ci: tuple[float, float]  # 95 % interval of the gain
    metric: str  # accuracy, in regression mse
    table: pd.DataFrame  # a row per lam and temperature: score, gain, gain_lo, gain_hi

    def plot(self):
        """Draw the gain over λ and T, a `matplotlib` figure; the recommended cell is framed."""
        from matplotlib.patches import Rectangle

        from cchkd_utils import plots

        grid = self.table.pivot(index="temperature", columns="lam", values="gain")
        scale, digits = (100, "1f") if self.metric == "accuracy" else (1, "2g")
        fig, ax = plots.figure(width=1.6 + 0.9 * grid.shape[1], height=1.8 + 0.5 * len(grid))
        most = abs(scale * grid.to_numpy()).max() or 1
        ax.imshow(scale * grid, cmap="RdBu", vmin=-most, vmax=most, aspect="auto", origin="lower")
        for (i, j), gain in np.ndenumerate(scale * grid.to_numpy()):
            dark = abs(gain) > 0.6 * most
            ax.text(
                j, i, f"{gain:+.{digits}}", ha="center", va="center", color="w" if dark else "k"
            )
        if self.lam:
            at = grid.columns.get_loc(self.lam) - 0.5, grid.index.get_loc(self.temperature) - 0.5
            ax.add_patch(Rectangle(at, 1, 1, fill=False, lw=3))
        ax.set_xticks(range(grid.shape[1]), [f"{value:g}" for value in grid.columns])
        ax.set_yticks(range(len(grid)), [f"{value:g}" for value in grid.index])
        unit = "points" if self.metric == "accuracy" else self.metric
        ax.set(xlabel="weight λ", ylabel="temperature T")
        ax.grid(False)
        told = f"λ = {self.lam:g}, T = {self.temperature:g}" if self.lam else "do not distil"
        plots.headline(fig, f"{told}; gains on held-out folds ({unit})")
        return fig

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False, float_format="{:.3g}".format)


def recommend(
    teacher: ArrayLike,
    student: ArrayLike,
    labels: ArrayLike,
    *,
    lam: Sequence[float] = (0.2, 0.3, 0.5, 0.7, 0.8),
    temperature: Sequence[float] = (1.0, 2.0, 3.0, 4.0),
    model: Callable[[], nn.Module] | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    **options,
) -> Recommendation:
    """Choose the weight λ and the temperature T by cross-validation, on accuracy or mse.

    All students of all folds are trained as one ensemble. Those of one fold share their initial
    weights and batches with its undistilled student, so that gains are paired. ValueError for
    lengths that differ, too few folds or rows, an empty grid.

    Parameters
    ----------
    teacher : array [n, k] or [n]
        The teacher's logits (or, in regression, predictions) for the student's training rows,
        from a teacher that was not trained on these rows, or cross-fitted: memorised labels would
        only repeat the labels.
    student, labels : array [n, ...] and [n]
        The student's inputs; integers 0..k-1, or real targets for regression.
    lam, temperature : sequences of float
        The grid. Regression has no temperature.
    model : callable () -> torch.nn.Module, optional
        Builds the student. Default: `networks.MLP`.
    repeats : int
        Each makes new folds and new initial weights.
    **options
        Of `distill.train_ensemble`.
    """
    teacher, student, labels = (np.asarray(a) for a in (teacher, student, labels))
    lam, temperature = (np.atleast_1d(a).tolist() for a in (lam, temperature))
    task = "classification" if teacher.ndim == 2 and teacher.shape[1] > 1 else "regression"
    _check(teacher, student, labels, lam, temperature, folds, repeats)
    grid = [(0.0, 1.0), *product(lam, temperature if task == "classification" else [1.0])]
    if model is None:
        d_in = int(np.prod(student.shape[1:]))
        d_out = teacher.shape[1] if task == "classification" else 1
        model = partial(networks.MLP, d_in, d_out)
    trains, tests = _folds(len(labels), folds, repeats, seed)
    members = [
        Member(seed + i // folds, *setting, data=i, teacher=i if setting[0] else None)
        for i in range(len(trains))
        for setting in grid
    ]
    trained = train_ensemble(
        model, student[trains], labels[trains], members, teacher=teacher[trains], task=task,
        **options,
    )  # fmt: skip
    predictions = trained.predict(student[tests])
    truth = labels[tests].repeat(len(grid), axis=0)
    if task == "classification":
        metric, scores = "accuracy", (predictions.argmax(-1) == truth).mean(axis=1)
    else:
        metric, scores = "mse", ((predictions[..., 0] - truth) ** 2).mean(axis=1)
    return _choose(scores.reshape(len(trains), len(grid)), grid, metric, 1 / folds)


def _check(teacher, student, labels, lam, temperature, folds, repeats):
    if student.ndim < 2:
        raise ValueError("student has one axis: pass inputs [n, d], one row per sample")
    lengths = {"teacher": len(teacher), "student": len(student), "labels": len(labels)}
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise ValueError(f"rows differ ({text}): pass the same samples in the same order")
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}: at least 1 is needed")
    if not 2 <= folds <= len(labels) // 2:
        raise ValueError(f"folds is {folds}: choose 2 to {len(labels) // 2} for these rows")
    if not len(lam) or not len(temperature) or 0 in lam:
        raise ValueError("the grid is empty or holds λ = 0, which is the baseline: give λ > 0")


def _folds(n: int, folds: int, repeats: int, seed: int) -> tuple[NDArray, NDArray]:
    """Row numbers [repeats * folds, ...] to train and to test on; n % folds rows sit out."""
    trains, tests = [], []
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(n)[: n - n % folds]
        for train, test in KFold(folds).split(order):
            trains.append(order[train])
            tests.append(order[test])
    return np.array(trains), np.array(tests)


def _choose(scores: NDArray, grid: list, metric: str, test_share: float) -> Recommendation:
    """Take the setting of the largest gain, if it is more than its standard error."""
    gains = SIGNS[metric] * (scores[:, 1:] - scores[:, :1]).T
    rows = [[*at, *intervals.repeated_folds(g, test_share)] for at, g in zip(grid[1:], gains)]
    table = pd.DataFrame(rows, columns=["lam", "temperature", "gain", "gain_lo", "gain_hi"])
    table.insert(2, "score", scores[:, 1:].mean(axis=0))
    which = table["gain"].idxmax()
    _, one_stderr_below, _ = intervals.repeated_folds(gains[which], test_share, level=0.68)
    if one_stderr_below <= 0:
        return Recommendation(0.0, 1.0, 0.0, (0.0, 0.0), metric, table)
    best = table.loc[which].astype(float)
    ci = (best["gain_lo"], best["gain_hi"])
    return Recommendation(best["lam"], best["temperature"], best["gain"], ci, metric, table)
