"""Distances of second moments with the sampling floor removed, and path statistics with their standard errors."""

import numpy as np
from numpy.typing import NDArray

from tsgen.evaluation import fitted_adapted_wasserstein, sampling_floor
from tsgen.marketdata.known_processes import GaussianPathProcess

Array = NDArray[np.float64]
_BATCHES = 20


def _covariance(paths: Array) -> Array:
    return np.cov(paths.reshape(len(paths), -1).T)


def _relative_error(paths: Array, truth: Array) -> float:
    return float(np.linalg.norm(_covariance(paths) - truth) / np.linalg.norm(truth))


def _without_floor(distance: float, floor: float) -> float:
    return float(np.sqrt(max(distance**2 - floor**2, 0.0)))


def gaussian_row(
    process: GaussianPathProcess, generated: Array, training: Array, *, rng: np.random.Generator
) -> dict[str, float]:
    """Adapted Wasserstein distance and relative covariance error, each with floor and saturated fit."""
    count, horizon, n_assets = generated.shape
    mean, truth = process.mean(horizon), process.covariance(horizon)
    floor = sampling_floor(mean, truth, n_assets=n_assets, n_paths=count, repetitions=5, rng=rng).mean
    distance = fitted_adapted_wasserstein(generated, mean, truth)
    saturated = fitted_adapted_wasserstein(training, mean, truth)
    exact = [_relative_error(process.sample(count, horizon, rng=rng), truth) for _ in range(3)]
    error, error_floor = _relative_error(generated, truth), float(np.mean(exact))
    trained = _relative_error(training, truth)
    return {
        "adapted_model_over_saturated": _without_floor(distance, floor) / saturated,
        "covariance_error": error,
        "covariance_error_exact_sampler": error_floor,
        "covariance_error_training": trained,
        "covariance_over_saturated": error / trained,
        "covariance_model_over_saturated": _without_floor(error, error_floor) / trained,
    }


def _statistics(paths: Array, lags: int) -> dict[str, Array]:
    """Variance, kurtosis and autocorrelation of absolute values, pooled over paths and time; asset last."""
    flat = paths.reshape(-1, paths.shape[2])
    centred = flat - flat.mean(axis=0)
    variance = (centred**2).mean(axis=0)
    size = np.abs(paths) - np.abs(paths).mean(axis=(0, 1))
    scale = (size**2).mean(axis=(0, 1))
    horizon = paths.shape[1]
    acf = np.stack([(size[:, lag:] * size[:, : horizon - lag]).mean(axis=(0, 1)) / scale for lag in range(1, lags + 1)])
    return {"variance": variance, "kurtosis": (centred**4).mean(axis=0) / variance**2, "acf_abs": acf}


def _errors(paths: Array, lags: int) -> dict[str, Array]:
    """Standard error of every statistic, from batches of whole paths."""
    batches = [_statistics(part, lags) for part in np.array_split(paths, _BATCHES)]
    return {name: np.std([b[name] for b in batches], axis=0, ddof=1) / np.sqrt(_BATCHES) for name in batches[0]}


def statistics_row(generated: Array, exact: Array, *, n_training: int, lags: int) -> dict[str, float]:
    """Largest deviation of each statistic, in standard errors.

    ``z`` counts the sampling error of the generated and of the exact paths alone; ``z_training`` also the error that
    an estimate from ``n_training`` exact paths has, which no model fitted to them can be expected to beat by much.
    """
    ours, truth = _statistics(generated, lags), _statistics(exact, lags)
    our_error, true_error = _errors(generated, lags), _errors(exact, lags)
    row: dict[str, float] = {}
    for name, value in ours.items():
        difference = value - truth[name]
        squared = our_error[name] ** 2 + true_error[name] ** 2
        limited = squared + true_error[name] ** 2 * len(exact) / n_training
        row[f"{name}_z"] = float(np.abs(difference / np.sqrt(squared)).max())
        row[f"{name}_z_training"] = float(np.abs(difference / np.sqrt(limited)).max())
        row[f"{name}_generated"] = float(value.ravel()[0])
        row[f"{name}_exact"] = float(truth[name].ravel()[0])
    row["acf_abs_last_generated"] = float(ours["acf_abs"][-1].mean())
    row["acf_abs_last_exact"] = float(truth["acf_abs"][-1].mean())
    return row
