"""One step given the past, against the exact conditional law: calibration, and the score at every noise level."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kstest
from torch import Tensor

from tsgen.diffusion.angle_grid import deterministic_angles
from tsgen.diffusion.deterministic_scheme import deterministic_pass, deterministic_plan
from tsgen.generator import AdaptedDiffusionGenerator
from tsgen.marketdata.known_processes import (
    ConditionalLaw,
    ConditionallyKnownProcess,
    GaussianLaw,
    GaussianMixtureLaw,
    StudentTLaw,
)
from tsgen.networks.history_encoder import Past
from tsgen.whitening.whitening_protocol import Prediction, as_dtype, colour, whiten

Array = NDArray[np.float64]
ANGLES = (0.25, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.5)


def _known(generator: AdaptedDiffusionGenerator, past: Array) -> tuple[Prediction, Past]:
    """What the generator knows after ``past`` (path, time, asset)."""
    whitening, lookback = generator.whitening, generator.config.head.lookback
    values = torch.from_numpy(past)
    count, length, n_assets = values.shape
    state = whitening.start(count)
    window, known = torch.zeros(count, lookback, n_assets), torch.zeros(count, lookback)
    for t in range(length):
        z = whiten(whitening.predict(state), values[:, t]).float()
        window = torch.cat([window[:, 1:], z[:, None]], dim=1)
        known = torch.cat([known[:, 1:], torch.ones(count, 1)], dim=1)
        state = whitening.observe(state, values[:, t])
    prediction = whitening.predict(as_dtype(state, torch.float64))
    return prediction, Past(window, known, prediction.features.float())


def _groups(
    process: ConditionallyKnownProcess, horizon: int, count: int, *, rng: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    """Exact pasts of every length below ``horizon``, with what followed; ``count`` in all."""
    lengths = np.unique(np.linspace(0, horizon - 1, 16).astype(int))
    each = -(-count // len(lengths))
    for length in lengths.tolist():
        paths = process.sample(each, length + 1, rng=rng)
        yield paths[:, :length], paths[:, length]


@torch.no_grad()
def _draw(generator: AdaptedDiffusionGenerator, prediction: Prediction, past: Past, noise: Tensor) -> Array:
    angles = deterministic_angles(generator.config.sampler.n_steps)
    plan = deterministic_plan(angles, evaluate_start=generator.config.whitening == "identity")
    head = generator.head
    levels = [head.prepare(float(tau)) for tau in plan.angles]
    context = head.context(past)
    z = deterministic_pass(lambda u, k: head.velocity_at(u, levels[k], context), noise, plan)
    return colour(prediction, z.double()).numpy()


def _in_innovations(law: ConditionalLaw, prediction: Prediction) -> ConditionalLaw:
    """The exact law of the generator's own innovation, an affine image of the law of the next return."""
    scale, location = prediction.scale.numpy(), prediction.location.numpy()
    inverse = np.eye(scale.shape[1])[None] / scale[:, None, :]
    if isinstance(prediction.root, Tensor):
        inverse = np.linalg.inv(np.broadcast_to(prediction.root.numpy(), inverse.shape)) @ inverse

    def moved(mean: Array) -> Array:
        return np.einsum("bij,bj->bi", inverse, mean - location)

    def turned(covariance: Array) -> Array:
        return inverse @ covariance @ inverse.transpose(0, 2, 1)

    if isinstance(law, StudentTLaw):
        return StudentTLaw(mean=moved(law.mean), covariance=turned(law.covariance), dof=law.dof)
    if isinstance(law, GaussianMixtureLaw):
        count = law.weights.shape[1]
        means = np.stack([moved(law.means[:, j]) for j in range(count)], axis=1)
        covariances = np.stack([turned(law.covariances[:, j]) for j in range(count)], axis=1)
        return GaussianMixtureLaw(weights=law.weights, means=means, covariances=covariances)
    if isinstance(law, GaussianLaw):
        return GaussianLaw(mean=moved(law.mean), covariance=turned(law.covariance))
    raise TypeError(f"no affine image of {type(law).__name__} is known here")


@torch.no_grad()
def conditional_row(
    generator: AdaptedDiffusionGenerator,
    process: ConditionallyKnownProcess,
    horizon: int,
    *,
    count: int,
    rng: np.random.Generator,
) -> dict[str, object]:
    """Uniformity of ``count`` one-step forecasts, and the relative error of score and velocity by noise level."""
    transforms: list[Array] = []
    squares = np.zeros((len(ANGLES), 4))
    for past, following in _groups(process, horizon, count, rng=rng):
        prediction, known = _known(generator, past)
        law = process.conditional_law(past)
        noise = torch.from_numpy(rng.standard_normal(following.shape)).float()
        transforms.append(law.marginal_cdf(_draw(generator, prediction, known, noise)))
        own = _in_innovations(law, prediction)
        clean = whiten(prediction, torch.from_numpy(following)).numpy()
        for i, tau in enumerate(ANGLES):
            noised = np.cos(tau) * clean + np.sin(tau) * rng.standard_normal(clean.shape)
            angle = torch.full((len(clean), 1), tau)
            answer = generator.head(torch.from_numpy(noised).float(), angle, known).double().numpy()
            exact, score = own.velocity(noised, tau), own.noised_score(noised, tau)
            error = ((answer - exact) ** 2).sum()
            squares[i] += [error / np.tan(tau) ** 2, (score**2).sum(), error, (exact**2).sum()]
    pit = np.concatenate(transforms)
    p_values = [float(kstest(pit[:, i], "uniform").pvalue) for i in range(pit.shape[1])]
    return {
        "pit_p": p_values,
        "pit_p_smallest": min(p_values),
        "score_error": {str(a): float(np.sqrt(s[0] / s[1])) for a, s in zip(ANGLES, squares, strict=True)},
        "score_error_largest": float(np.sqrt(squares[:, 0] / squares[:, 1]).max()),
        "velocity_error": {
            str(a): float(np.sqrt(s[2] / max(s[3], 1e-12))) for a, s in zip(ANGLES, squares, strict=True)
        },
    }
