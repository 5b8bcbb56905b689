"""The setting of a grid that lies nearest to the one that a figure is about."""

from collections.abc import Iterable

import pandas as pd


def nearest(values: Iterable[float], wanted: float) -> float:
    """Return the value nearest to `wanted`; of two equally near ones, the smaller."""
    return min(values, key=lambda value: (abs(value - wanted), value))


def near(table: pd.DataFrame, **wanted: float) -> pd.DataFrame:
    """Return the rows whose columns have the values of the table that are nearest to `wanted`."""
    for column, value in wanted.items():
        table = table[table[column] == nearest(table[column].unique(), value)]
    return table
