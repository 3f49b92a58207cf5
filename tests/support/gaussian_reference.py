"""Independent Gaussian returns as a steering reference: every tilt by a linear statistic is known in closed form."""

import numpy as np
import torch

from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.sampling.origin import origin_at_start
from tsgen.steering import SteeringReference
from tsgen.torch_streams import module_initialisation
from tsgen.whitening.identity import IdentityWhitening


def gaussian_reference(n_assets=1, *, mean=0.0, deviation=0.01, kind="simple") -> SteeringReference:
    """``x_t ~ N(mean, deviation^2)``, independent over time and assets."""
    whitening = IdentityWhitening(
        mean=torch.full((n_assets,), mean, dtype=torch.float64),
        deviation=torch.as_tensor(np.broadcast_to(deviation, n_assets).copy(), dtype=torch.float64),
    )
    shape = HeadShape(
        n_assets=n_assets,
        n_features=0,
        context="none",
        lookback=0,
        width=1,
        n_blocks=0,
        activation="silu",
        n_components=0,
        learned=False,
    )
    with module_initialisation(0, "gaussian reference"):
        head = ScoreHead(shape).requires_grad_(False).eval()
    return SteeringReference(
        head=head,
        whitening=whitening,
        origin=origin_at_start(whitening, 0),
        assets=tuple(f"A{i}" for i in range(n_assets)),
        kind=kind,
    )
