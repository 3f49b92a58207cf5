"""Gaussian and mixture laws with exact velocities, and the two ways a score error is averaged."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tsgen.diffusion.denoising_loss import NoisedBatch, noised_batch
from tsgen.diffusion.mixture_velocity import GaussianMixture, mixture_velocity
from tsgen.networks.history_encoder import Past
from tsgen.random_streams import numpy_stream
from tsgen.torch_streams import torch_stream
from tsgen.training.tangent_kernel import HeadInputs

N_FRESH = 1500


def law(weights: list[float], means: list[list[float]], covariances: list[list[list[float]]]) -> GaussianMixture:
    return GaussianMixture(torch.tensor(weights).log(), torch.tensor(means), torch.tensor(covariances))


LAWS = {
    "Gaussian, 1 asset, sd 0.6": law([1.0], [[0.0]], [[[0.36]]]),
    "Gaussian, 3 assets, correlated": law([1.0], [[0.0] * 3], [[[1.0, 0.7, 0.3], [0.7, 1.0, 0.5], [0.3, 0.5, 1.0]]]),
    "two modes, 1 asset": law([0.6, 0.4], [[-0.8], [1.1]], [[[0.1]], [[0.16]]]),
    "three modes, 2 assets": law(
        [0.4, 0.3, 0.3], [[1.1, 0.2], [-0.9, 0.8], [-0.4, -1.0]], [[[0.2, 0.0], [0.0, 0.2]]] * 3
    ),
    "scale mixture, 1 asset": law([0.75, 0.25], [[0.0], [0.0]], [[[0.4]], [[2.8]]]),
}


def draw(name: str, n: int, seed: int) -> Tensor:
    """Clean values of the law, shape (n, asset), float32."""
    rng, chosen = numpy_stream(seed, f"clean {name}"), LAWS[name]
    weights = torch.softmax(chosen.log_weights.double(), dim=0).numpy()
    component = rng.choice(len(weights), size=n, p=weights)
    roots = torch.linalg.cholesky(chosen.covariances).numpy()
    noise = rng.standard_normal((n, chosen.means.shape[1]))
    values = chosen.means.numpy()[component] + np.einsum("nij,nj->ni", roots[component], noise)
    return torch.from_numpy(values).float()


def without_past(batch: NoisedBatch) -> HeadInputs:
    n, n_assets = batch.noisy.shape
    return HeadInputs(batch.noisy, batch.tau, Past(torch.zeros(n, 1, n_assets), torch.zeros(n, 1), torch.zeros(n, 0)))


class Fresh(NamedTuple):
    """Fresh noised points with the exact velocity."""

    inputs: HeadInputs
    exact: Tensor

    @classmethod
    def of(cls, name: str, seed: int) -> "Fresh":
        batch = noised_batch(draw(name, N_FRESH, seed + 10_000), generator=torch_stream(seed, "fresh noise"))
        return cls(without_past(batch), mixture_velocity(batch.noisy, batch.tau, LAWS[name]))

    def errors(self, velocity: Tensor) -> tuple[float, float]:
        """Root mean square error of the velocity, and of the score weighted with the noise variance.

        The score is ``-u - cot(tau) F``: with weight ``sin(tau)^2`` its squared error is ``cos(tau)^2`` times that of
        the velocity.
        """
        square = (velocity.double() - self.exact).square()
        weighted = (torch.cos(self.inputs.tau).square() * square).mean()
        return float(square.mean().sqrt()), float(weighted.sqrt())


def empirical_velocity(batch: NoisedBatch, clean: Tensor) -> Tensor:
    """Mean label given the noisy point, over the observations ``clean``: all that noise drawn afresh can teach."""
    parts, values = [], clean.double()
    for rows in torch.arange(len(batch.noisy)).split(max(1, 4_000_000 // len(clean))):
        noisy, tau = batch.noisy[rows].double(), batch.tau[rows].double()
        cosine, sine = torch.cos(tau), torch.sin(tau)
        # squared distances from the noiseless places of all observations, up to what a row has in common
        squares = cosine.square() * values.square().sum(dim=1) - 2.0 * cosine * (noisy @ values.T)
        expected = torch.softmax(-0.5 * squares / sine.square(), dim=1) @ values
        parts.append(cosine * (noisy - cosine * expected) / sine - sine * expected)
    return torch.cat(parts)
