"""How papermill executes a run: it writes the notebook once, at the end, failed or not.

Its own engine writes all of it before and after every cell, a tenth of a short run's time.
"""

from typing import Any

from papermill.engines import NBClientEngine, papermill_engines

NAME = "written-once"


class _Engine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, *args: Any, **kw: Any) -> None:
        path, nb_man.output_path = nb_man.output_path, None
        try:
            super().execute_managed_notebook(nb_man, *args, **kw)
        finally:
            nb_man.output_path = path  # papermill's last step is to save


papermill_engines.register(NAME, _Engine)
