"""Knowledge distillation: losses, networks, and many students trained at once."""

from cchkd_utils.distill.members import Ensemble, Member, kd_loss, kd_mse, train, train_ensemble

__all__ = ["Ensemble", "Member", "kd_loss", "kd_mse", "train", "train_ensemble"]
