"""Run notebooks with parameters: checked, cached by content, resumed after a kill."""

from cchkd_utils.runner.cluster import SchedulerError, run_many
from cchkd_utils.runner.execute import KernelError, Run, RunError, run
from cchkd_utils.runner.grid import read_grid
from cchkd_utils.runner.listing import Listed, list_runs, list_sweeps, overview, preview
from cchkd_utils.runner.parameters import Parameter, ParameterError, declared
from cchkd_utils.runner.plans import Plan, find_notebook, notebooks, plan, settle
from cchkd_utils.runner.progress import clock, setting
from cchkd_utils.runner.sweep import Sweep, plan_sweep, sweep

__all__ = [
    "KernelError",
    "Listed",
    "Parameter",
    "ParameterError",
    "Plan",
    "Run",
    "RunError",
    "SchedulerError",
    "Sweep",
    "clock",
    "declared",
    "find_notebook",
    "list_runs",
    "list_sweeps",
    "notebooks",
    "overview",
    "plan",
    "plan_sweep",
    "preview",
    "read_grid",
    "run",
    "run_many",
    "setting",
    "settle",
    "sweep",
]
