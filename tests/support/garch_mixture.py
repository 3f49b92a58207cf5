"""A one-asset law with fat tails, volatility clusters and an exact velocity, to steer without any training.

``x_i = 0.1 x_{i-1} + s_i z_i`` with ``s_i^2 = 0.05 + 0.10 x_{i-1}^2 + 0.85 s_{i-1}^2`` and ``z`` a scale mixture of
three normals of total variance one. Its velocity is the closed form inside `ScoreHead`, so the reverse chain is exact
up to its own discretisation.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tsgen.diffusion.mixture_velocity import GaussianMixture
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.sampling.origin import origin_at_start
from tsgen.steering import SteeringReference
from tsgen.torch_streams import module_initialisation
from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state

WEIGHTS, VARIANCES = (0.6, 0.35, 0.05), (0.5, 1.3, 4.9)
UNIT = 0.01
"""Returns are in hundredths, so that wealth stays near one."""


class GarchWhitening:
    """Location and scale of the process; state (last return, variance), in units of ``UNIT``."""

    kind = "garch"
    n_assets, n_features = 1, 0
    max_periods: int | None = None
    largest_mixed = math.inf

    def start(self, n_paths: int) -> State:
        return (torch.tensor([[0.0, 1.0]], dtype=torch.float64).expand(n_paths, 2).clone(),)

    def predict(self, state: State) -> Prediction:
        last, variance = state[0][:, :1], state[0][:, 1:]
        return Prediction(UNIT * 0.1 * last, UNIT * variance.sqrt(), None, last[:, :0])

    def observe(self, state: State, returns: Tensor) -> State:
        last = returns / UNIT
        return (torch.cat([last, 0.05 + 0.10 * last.square() + 0.85 * state[0][:, 1:]], dim=1),)

    imagine = observe

    def hold(self, state: State, n_paths: int) -> State:
        return repeat_state(state, n_paths)

    def arrays(self) -> dict[str, Tensor]:
        return {}

    def facts(self) -> dict[str, Any]:
        return {}


def _last_share(angle: float) -> float:
    """E|v - F|^2 at the last level, by Monte Carlo on the exact velocity; its error (1e-3) is far below its use."""
    rng = np.random.default_rng(0)
    n, c, s = 1_000_000, np.cos(angle), np.sin(angle)
    j = rng.choice(3, size=n, p=WEIGHTS)
    z = rng.standard_normal(n) * np.sqrt(np.array(VARIANCES))[j]
    noise = rng.standard_normal(n)
    u = c * z + s * noise
    variance = c * c * np.array(VARIANCES) + s * s
    log = np.log(WEIGHTS) - 0.5 * np.log(variance) - 0.5 * u[:, None] ** 2 / variance
    posterior = np.exp(log - log.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    slope = c * s * (1.0 - np.array(VARIANCES)) / variance
    velocity = (posterior * slope).sum(axis=1) * u
    return float(np.mean((c * noise - s * z - velocity) ** 2))


def garch_mixture() -> SteeringReference:
    """The process as a steering reference."""
    anchor = GaussianMixture(torch.tensor(WEIGHTS).log(), torch.zeros(3, 1), torch.tensor(VARIANCES).reshape(3, 1, 1))
    shape = HeadShape(
        n_assets=1,
        n_features=0,
        context="none",
        lookback=0,
        width=1,
        n_blocks=0,
        activation="silu",
        n_components=3,
        learned=False,
    )
    with module_initialisation(0, "garch mixture"):
        head = ScoreHead(shape, anchor).requires_grad_(False).eval()
    whitening = GarchWhitening()
    return SteeringReference(
        head=head,
        whitening=whitening,
        origin=origin_at_start(whitening, 0),
        assets=("x",),
        kind="log",
        last_share=_last_share(float(np.arctan(0.25))),
    )
