"""One module per section of the book; each ``load`` returns one `base.Multimodal` value."""

from cchkd_utils.datasets.base import Multimodal, data_root

__all__ = ["Multimodal", "data_root"]
