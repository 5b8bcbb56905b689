"""Knowledge distillation: losses, networks, and many students trained at once."""

from cchkd_utils.distill.losses import kd_loss, kd_mse, teacher_share
from cchkd_utils.distill.stack import Ensemble
from cchkd_utils.distill.training import Member, train, train_ensemble

__all__ = ["Ensemble", "Member", "kd_loss", "kd_mse", "teacher_share", "train", "train_ensemble"]
