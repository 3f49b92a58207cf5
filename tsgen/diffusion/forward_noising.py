r"""Variance-preserving noising as an angle, and the conversions between prediction targets.

``u = cos(tau) z + sin(tau) eps``. The network predicts the velocity ``v = cos(tau) eps - sin(tau) z``,
the derivative of ``u`` with respect to the angle. Given ``u``, any one of clean value, noise, velocity
and score determines the others; the score is never formed during sampling because it multiplies
a network error by ``cot(tau)``.
"""

import torch
from torch import Tensor


def noised(clean: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
    """Noisy value at angle ``tau``: ``cos(tau) clean + sin(tau) noise`` (shapes broadcast)."""
    return torch.cos(tau) * clean + torch.sin(tau) * noise


def velocity_target(clean: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
    """Regression target of score matching: ``cos(tau) noise - sin(tau) clean``."""
    return torch.cos(tau) * noise - torch.sin(tau) * clean


def clean_estimate(noisy: Tensor, velocity: Tensor, tau: Tensor) -> Tensor:
    """Posterior mean of the clean value: ``cos(tau) u - sin(tau) F``."""
    return torch.cos(tau) * noisy - torch.sin(tau) * velocity


def noise_estimate(noisy: Tensor, velocity: Tensor, tau: Tensor) -> Tensor:
    """Posterior mean of the noise: ``sin(tau) u + cos(tau) F``."""
    return torch.sin(tau) * noisy + torch.cos(tau) * velocity


def score_estimate(noisy: Tensor, velocity: Tensor, tau: Tensor) -> Tensor:
    """Gradient of the log density of ``u``: ``-u - cot(tau) F``; infinite precision needed as tau goes to 0.

    References
    ----------
    Tweedie's formula: score = -E[eps | u] / sin(tau).
    """
    return -noisy - velocity * torch.cos(tau) / torch.sin(tau)
