"""Run notebooks with parameters: checked, cached by content, resumed after a kill."""

from cchkd_utils.runner.cluster import SchedulerError, run_many
from cchkd_utils.runner.execute import KernelError, Run, RunError, run
from cchkd_utils.runner.listing import overview, preview
from cchkd_utils.runner.parameters import ParameterError, declared, find_notebook, notebooks, settle
from cchkd_utils.runner.runs import plan
from cchkd_utils.runner.sweep import clock, plan_sweep, setting, sweep

__all__ = [
    "KernelError", "ParameterError", "Run", "RunError", "SchedulerError", "clock", "declared",
    "find_notebook", "notebooks", "overview", "plan", "plan_sweep", "preview", "run", "run_many",
    "setting", "settle", "sweep",
]  # fmt: skip
