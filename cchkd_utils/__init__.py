"""When does cross-modal knowledge distillation help? The shared module of the book.

Import the module you need (``from cchkd_utils import gaussian, mi, criterion``). Nothing is
imported here, so that the command line starts fast and a run's hash covers exactly what it uses.
"""

__version__ = "0.2.0"
