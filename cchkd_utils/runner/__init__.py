"""Run notebooks with parameters: checked, cached by content, resumed after a kill."""

from cchkd_utils.runner.execute import Run, RunError, find_notebook, notebooks, run, settle
from cchkd_utils.runner.many import Job, Sweep, run_many, sweep
from cchkd_utils.runner.parameters import Parameter, ParameterError, declared

__all__ = [
    "Job",
    "Parameter",
    "ParameterError",
    "Run",
    "RunError",
    "Sweep",
    "declared",
    "find_notebook",
    "notebooks",
    "run",
    "run_many",
    "settle",
    "sweep",
]
