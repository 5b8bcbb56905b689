"""Knowledge distillation: losses, networks, and many students trained at once."""

from cchkd_utils.distill.losses import kd_loss, kd_mse
from cchkd_utils.distill.stack import Ensemble
from cchkd_utils.distill.training import Member, Options, train, train_ensemble

__all__ = ["Ensemble", "Member", "Options", "kd_loss", "kd_mse", "train", "train_ensemble"]
