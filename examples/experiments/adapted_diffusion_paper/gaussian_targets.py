"""The two Gaussian targets of the published experiments, and how generated paths are judged on them.

ARMA(2,2) with coefficients (0.9, -0.01) and (0.1, 0.1), innovation standard deviation 0.05, started at zero, and the
Gaussian process with kernel 2.004 exp(-|i-j|^0.8 / 8). Both path laws are known, so every number has an exact-sampler
floor: the same metric on as many paths drawn from the law itself.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from statsmodels.tsa.arima_process import arma_acf

from tsgen.evaluation import fitted_adapted_wasserstein
from tsgen.generator import AdaptedDiffusionGenerator
from tsgen.marketdata.known_processes import Arma, KernelProcess, powered_exponential
from tsgen.random_streams import numpy_stream
from tsgen.training.training_rows import make_rows
from tsgen.whitening.whitening_protocol import Whitening

Paths = NDArray[np.float64]

PHI, THETA, INNOVATION_SD = (0.9, -0.01), (0.1, 0.1), 0.05
LONGEST_LAG = 39


class Target(NamedTuple):
    """A known process with the number of paths that are generated to judge it."""

    process: Arma | KernelProcess
    horizon: int
    n_generated: int


def arma(horizon: int) -> Target:
    return Target(Arma(PHI, THETA, innovation_sd=INNOVATION_SD, start="zero"), horizon, 4096)


def gaussian_process(horizon: int = 32) -> Target:
    # exp(-|s-t|^0.8 / 8) = exp(-(|s-t| / 8^(1/0.8))^0.8)
    kernel = powered_exponential(variance=2.004, length=8.0 ** (1 / 0.8), power=0.8)
    return Target(KernelProcess(kernel), horizon, 8192)


def path_autocorrelation(paths: Paths) -> NDArray[np.float64]:
    """Sample autocorrelation of every path (its own mean removed), averaged over paths; lags 0 to 39."""
    centred = paths[:, :, 0] - paths[:, :, 0].mean(axis=1, keepdims=True)
    lags = range(min(LONGEST_LAG + 1, paths.shape[1]))
    raw = np.stack([(centred[:, : centred.shape[1] - lag] * centred[:, lag:]).sum(axis=1) for lag in lags], axis=1)
    return (raw / raw[:, :1]).mean(axis=0)


def relative(value: NDArray[np.float64], truth: NDArray[np.float64], *, order: int) -> float:
    """Relative error in the entrywise L1 (order 1) or the Frobenius norm (order 2)."""
    return float(np.linalg.norm((value - truth).ravel(), order) / np.linalg.norm(truth.ravel(), order))


def second_moments(paths: Paths) -> NDArray[np.float64]:
    return np.cov(paths[:, :, 0], rowvar=False)


def judge(paths: Paths, target: Target, training: Paths) -> dict[str, float]:
    """Errors of paths against the law and against the training paths."""
    covariance = target.process.covariance(target.horizon)
    scale = np.sqrt(np.trace(covariance))
    found = {
        "covariance_error": relative(second_moments(paths), covariance, order=2),
        "covariance_vs_training": relative(second_moments(paths), second_moments(training), order=2),
        "last_variance_ratio": float(paths[:, -1, 0].var() / covariance[-1, -1]),
    }
    if len(paths) > target.horizon:
        distance = fitted_adapted_wasserstein(paths, np.zeros(target.horizon), covariance)
        found["adapted_distance"] = float(distance / scale)  # root mean square per period, in units of its own size
    if isinstance(target.process, Arma):
        theory = arma_acf(np.r_[1.0, -np.array(PHI)], np.r_[1.0, THETA], lags=min(LONGEST_LAG + 1, target.horizon))
        sample = path_autocorrelation(paths)
        found["acf_error"] = relative(sample, theory, order=1)
        found["acf_vs_training"] = relative(sample, path_autocorrelation(training), order=1)
    return found


def learned_score_error(generator: AdaptedDiffusionGenerator, target: Target, *, seed: int) -> dict[str, float]:
    """Relative error of the learned score at three noise levels, on fresh paths of the true law.

    In the generator's own units (innovations after its whitening), so it is compared within a preset, not between.
    """
    horizon, whitening = target.horizon, generator.whitening
    paths = target.process.sample(200, horizon, rng=numpy_stream(seed, "score error paths"))
    factor = np.linalg.cholesky(target.process.covariance(horizon))
    shocks = np.linalg.solve(factor, paths[:, :, 0].T).T
    deviation = np.diag(factor)
    exact_mean = paths[:, :, 0] - shocks * deviation
    location, scale = _predictions(whitening, torch.from_numpy(paths))
    innovations = (paths[:, :, 0] - location) / scale
    mean, spread = (exact_mean - location) / scale, deviation / scale
    rows = make_rows(
        torch.from_numpy(innovations[:, :, None]), torch.zeros(200, horizon, 0), generator.config.head.lookback
    )
    noise = numpy_stream(seed, "score error noise").standard_normal(mean.shape)
    found = {}
    for tau in (0.3, 0.8, 1.3):
        cosine, sine = np.cos(tau), np.sin(tau)
        noisy = cosine * innovations + sine * noise
        truth = -(noisy - cosine * mean) / (cosine**2 * spread**2 + sine**2)
        u = torch.from_numpy(noisy.reshape(-1, 1)).float()
        with torch.no_grad():
            velocity = generator.head(u, torch.full((len(u), 1), tau), rows.past(torch.arange(rows.n_rows)))
        learned = -noisy - velocity.numpy().reshape(noisy.shape) * cosine / sine
        found[f"score_error_tau_{tau}"] = float(np.sqrt(((learned - truth) ** 2).mean() / (truth**2).mean()))
    return found


def _predictions(whitening: Whitening, paths: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Location and scale (path, time) that the whitening gives the next value of one asset."""
    state, location, scale = whitening.start(len(paths)), [], []
    for t in range(paths.shape[1]):
        prediction = whitening.predict(state)
        location.append(prediction.location[:, 0].numpy())
        scale.append(prediction.scale[:, 0].numpy())
        state = whitening.observe(state, paths[:, t])
    return np.stack(location, axis=1), np.stack(scale, axis=1)
