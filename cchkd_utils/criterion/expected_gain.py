"""Will it help, and by how much? A forecast, learned from the pairs recorded in the book.

A ridge regression of the gain in accuracy on what is known before distilling. Its coefficients lie
in ``forecast.json``, made by ``python -m cchkd_utils.sections.many_pairs.forecasting``; chapter 08
says how good it is on sources that it has not seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri

FILE = Path(__file__).with_name("forecast.json")
LEVEL = 0.90


class OutOfRange(ValueError):
    """Nothing like it was among the pairs that the forecast was learned from."""


@dataclass(frozen=True)
class Forecast:
    """What distillation should do to the mean accuracy on new rows, over fresh training samples.

    Examples
    --------
    >>> print(Forecast(0.8, 0.012, (-0.006, 0.03), 0.5, 2.0, ""))
    P(helps) 0.80, gain +1.2 points [-0.6, +3.0] at λ = 0.5, T = 2
    """

    p_help: float  #: Probability that the mean gain is above zero.
    gain: float  #: Expected gain in accuracy, 0.01 is a point.
    ci: tuple[float, float]  #: 90 % interval of the gain.
    lam: float  #: Weight of the teacher that it is for.
    temperature: float  #: Temperature that it is for.
    caveat: str  #: What it did not beat on sources that it had not seen; empty if nothing.

    def __str__(self) -> str:
        """One line."""
        gain, low, high = (100 * value for value in (self.gain, *self.ci))
        told = f"P(helps) {self.p_help:.2f}, gain {gain:+.1f} points [{low:+.1f}, {high:+.1f}]"
        told += f" at λ = {self.lam:g}, T = {self.temperature:g}"
        return f"{told} ({self.caveat})" if self.caveat else told


@cache
def _model() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


def features(known: Mapping) -> dict:
    """Return what the model looks at, from the arguments of `forecast` (numbers, or columns)."""
    accuracy = known["student_accuracy"]
    return {
        "advantage": known["teacher_accuracy"] - accuracy,
        "headroom": 1 - accuracy,
        "knows": known["mi_student_label"] / np.log(known["n_classes"]),  # of the label's nats
        "lam": known["lam"],
    }


def conditions(known: Mapping) -> dict:
    """Return what else must lie in the range of the pairs that the model was learned from."""
    return {
        "training rows": known["n_train"],
        "training rows per class": known["n_train"] / known["n_classes"],
        "temperature": known["temperature"],
    }


def forecast(
    *,
    teacher_accuracy: float,
    student_accuracy: float,
    mi_student_label: float,
    n_train: int,
    n_classes: int,
    lam: float = 0.5,
    temperature: float = 2.0,
) -> Forecast:
    """Foretell the gain in accuracy of a student from what is known before distilling it.

    The gap is not among it: on left-out sources it added nothing.

    Parameters
    ----------
    teacher_accuracy, student_accuracy : float
        Of teacher and undistilled student on held-out rows, 0 to 1.
    mi_student_label : float
        I(H2;Y) by ``auto``, nats.
    n_train, n_classes : int
        Rows that both networks were trained on; classes.
    lam, temperature : float
        How the student will be distilled: `distill.kd_loss`.

    Raises
    ------
    OutOfRange
        Where a number lies outside those of the pairs it was learned from.

    Examples
    --------
    >>> told = forecast(
    ...     teacher_accuracy=0.9, student_accuracy=0.7, mi_student_label=0.6, n_train=200,
    ...     n_classes=4,
    ... )
    >>> 0 <= told.p_help <= 1 and told.ci[0] < told.gain < told.ci[1]
    True
    """
    known = dict(locals())
    model = _model()
    values = features(known)
    for name, value in {**values, **conditions(known)}.items():
        low, high = model["range"][name]
        if not low <= value <= high:
            raise OutOfRange(
                f"no forecast: {name} is {value:.3g}, and {low:.3g} to {high:.3g} in the pairs "
                "that it was learned from"
            )
    mean, spread = predict(model, np.array([[*values.values()]]), np.array([lam]))
    half = ndtri((1 + LEVEL) / 2) * spread[0]
    return Forecast(
        p_help=float(ndtr(mean / spread)[0]), gain=float(mean[0]),
        ci=(float(mean[0] - half), float(mean[0] + half)), lam=lam, temperature=temperature,
        caveat=model["caveat"],
    )  # fmt: skip


def predict(model: Mapping, values: np.ndarray, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread [n] of the gain, from `features` [n, p] and the teacher's share λ [n].

    Both are proportional to λ: without the teacher there is no gain.
    """
    x = (values - np.array(model["mean"])) / np.array(model["scale"])
    return lam * (model["intercept"] + x @ np.array(model["weights"])), lam * model["spread"]
