"""Exact conditional velocities of Gaussian path laws, to judge a sampler without any training."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tsgen.networks.history_encoder import Past


class ExactGaussianHead:
    """Velocity of ``x_t | x_{<t} ~ N(m_t, S_t)`` of a Gaussian path law, given the whole past in the window.

    The window is right-aligned, so period ``t`` sees its ``t`` past values at the end of it.
    """

    def __init__(self, covariance: np.ndarray, mean: np.ndarray, n_assets: int, *, inflate: float = 1.0) -> None:
        self.n_assets = n_assets
        self.mean = mean.reshape(-1, n_assets)
        self.covariance = covariance
        self.inflate = inflate  # a wrong conditional variance, for negative controls

    def _conditional(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        n = self.n_assets
        now, past = slice(t * n, (t + 1) * n), slice(0, t * n)
        beta = np.linalg.solve(self.covariance[past, past], self.covariance[past, now]).T if t else np.zeros((n, 0))
        left = self.covariance[now, now] - beta @ self.covariance[past, now]
        return beta, left * self.inflate

    def context(self, past: Past) -> Any:
        t = int(past.known[0].sum())
        beta, left = self._conditional(t)
        window = past.window[:, past.window.shape[1] - t :].reshape(len(past.window), -1).double()
        deviation = window - torch.from_numpy(self.mean[:t].reshape(-1))
        mean = torch.from_numpy(self.mean[t]) + deviation @ torch.from_numpy(beta).T
        return mean, torch.from_numpy(left)

    def prepare(self, tau: float) -> float:
        return tau

    def velocity_at(self, noisy: Tensor, level: float, context: Any) -> Tensor:
        mean, left = context
        cosine, sine = np.cos(level), np.sin(level)
        identity = torch.eye(self.n_assets, dtype=torch.float64)
        gain = cosine * sine * torch.linalg.solve(cosine**2 * left + sine**2 * identity, identity - left)
        return ((noisy.double() - cosine * mean) @ gain.T - sine * mean).to(noisy.dtype)

    def to(self, device: Any, /) -> "ExactGaussianHead":
        return self
