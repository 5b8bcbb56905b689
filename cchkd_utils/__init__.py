"""When does cross-modal knowledge distillation help? The shared module of the book.

Import the module you need (``from cchkd_utils import gaussian, mi, criterion``). Nothing is
imported here, so that the command line starts fast and a run's hash covers exactly what it uses.
"""

__version__ = "0.2.0"

REPOSITORY = "https://github.com/cch-companion/cchkd"
EXTRAS = {"torch": "torch", "matplotlib": "plots", "seaborn": "plots", "pandas": "plots"}


def not_installed(error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return an error that says how to get a missing package.

    The core needs numpy, scipy, scikit-learn and pyyaml only; ``pyproject.toml`` has the extras.
    """
    name = (error.name or "").partition(".")[0]
    how = f"pip install 'cchkd[{EXTRAS.get(name, 'book')}] @ git+{REPOSITORY}'"
    return ModuleNotFoundError(f"{name} is not installed: {how}", name=name)
