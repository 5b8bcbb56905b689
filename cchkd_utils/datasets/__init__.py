"""One module per section of the book; each ``load`` returns one `base.Multimodal` value."""

from cchkd_utils.datasets.base import Multimodal

__all__ = ["Multimodal"]
