"""Knowledge distillation: losses, networks, and many students trained at once."""

from cchkd_utils import not_installed

try:
    from cchkd_utils.distill.losses import kd_loss, kd_mse
    from cchkd_utils.distill.options import Member, Options
    from cchkd_utils.distill.own_models import assess_models, collect
    from cchkd_utils.distill.stack import Ensemble
    from cchkd_utils.distill.training import train, train_ensemble
except ModuleNotFoundError as error:
    raise not_installed(error) from None

__all__ = [
    "Ensemble", "Member", "Options", "assess_models", "collect", "kd_loss", "kd_mse", "train",
    "train_ensemble",
]  # fmt: skip
