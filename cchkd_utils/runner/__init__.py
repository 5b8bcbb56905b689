"""Run notebooks with parameters: checked, cached by content, resumed after a kill."""

from cchkd_utils.runner.cluster import SchedulerError, run_many
from cchkd_utils.runner.execute import KernelError, Run, RunError, run
from cchkd_utils.runner.grid import read_grid
from cchkd_utils.runner.listing import list_runs, list_sweeps, overview, preview
from cchkd_utils.runner.parameters import Parameter, ParameterError, declared
from cchkd_utils.runner.plans import Plan, plan
from cchkd_utils.runner.presets import find_notebook, notebooks, settle
from cchkd_utils.runner.sweep import Sweep, clock, plan_sweep, setting, sweep

__all__ = [
    "KernelError",
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
