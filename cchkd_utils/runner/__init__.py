"""Run notebooks with parameters: checked, cached by content, resumed after a kill."""

from cchkd_utils.runner.execute import Run, RunError, find_notebook, notebooks, run, settle
from cchkd_utils.runner.parameters import Parameter, ParameterError, declared

__all__ = [
    "Parameter",
    "ParameterError",
    "Run",
    "RunError",
    "declared",
    "find_notebook",
    "notebooks",
    "run",
    "settle",
]
