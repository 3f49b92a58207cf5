"""Adapted Wasserstein distance between Gaussian path laws, and the floor that sampling noise puts under it.

The ordinary Wasserstein distance may transport paths with knowledge of their future; the adapted one
couples only what is known so far, and so bounds the loss of decisions taken on one law when the other is
true. All functions return the distance itself, not its square, in the unit of the paths. It grows like
``sqrt(T)`` when every period is off by the same amount: divide by ``sqrt(T)`` to compare horizons.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import DataError, ShapeError
from tsgen.marketdata.known_processes.covariance_matrix import checked_cholesky
from tsgen.marketdata.known_processes.gaussian_path import GaussianPath
from tsgen.whole_numbers import whole_number


class SamplingFloor(NamedTuple):
    """Distance that exact samples of the true law show, by sampling noise alone."""

    mean: float
    """Average over repetitions."""
    standard_deviation: float
    """Spread of one repetition (ddof 1): divide by sqrt(repetitions) for the error of the mean."""


def gaussian_adapted_wasserstein(
    mean_a: ArrayLike, cov_a: ArrayLike, mean_b: ArrayLike, cov_b: ArrayLike, *, n_assets: int = 1
) -> float:
    """Adapted 2-Wasserstein distance between two Gaussian path laws.

    With ``A = L L'``, ``B = M M'`` (Cholesky) and N x N blocks,
    ``AW^2 = |a - b|^2 + tr A + tr B - 2 sum_t ||(L'M)_tt||_*``, with the nuclear norm of the diagonal blocks
    (one asset: the absolute value). Over bicausal couplings.

    Parameters
    ----------
    mean_a, mean_b : array of shape (T, N) or (T * N,), float64
    cov_a, cov_b : array of shape (T * N, T * N), float64
        Positive definite, time-major: the N assets of a period are neighbours.
    n_assets : int, default 1
        N.

    Returns
    -------
    float
        The distance (not squared), in the unit of the paths; zero (to rounding) exactly if the laws are equal.

    Raises
    ------
    ShapeError
        If shapes disagree or ``n_assets`` does not divide the dimension.
    DataError
        If values are not finite or a covariance is not symmetric positive definite.
    ConfigError
        If ``n_assets`` is not a positive integer.

    Notes
    -----
    Computed as ``|a - b|^2 + ||L - M Q||_F^2`` with the block-diagonal orthogonal ``Q`` of the optimal coupling: the
    same number without the cancellation of the formula above, so nearly equal laws keep full relative accuracy.

    References
    ----------
    Gunasingam, Wong (2024), "Adapted optimal transport between Gaussian processes in discrete time",
    arXiv 2404.06625, main theorem (one asset); Gunasingam, Wong (2026), "Adapted optimal transport between filtered
    Gaussian processes", arXiv 2604.22159 (Procrustes problem between Cholesky factors, several assets).

    Examples
    --------
    >>> positive, negative = [[1.0, 0.9], [0.9, 1.0]], [[1.0, -0.9], [-0.9, 1.0]]
    >>> round(gaussian_adapted_wasserstein([0, 0], positive, [0, 0], negative) ** 2, 6)
    3.24
    """
    block = whole_number(n_assets, "n_assets")
    factor_a, factor_b, shift = _checked_laws(mean_a, cov_a, mean_b, cov_b)
    size = shift.size
    if size % block:
        raise ShapeError(
            f"the dimension {size} of the laws must be a multiple of n_assets={block} (periods * n_assets)."
        )
    return _coupled_distance(factor_a, factor_b, shift, block=block)


def gaussian_wasserstein(mean_a: ArrayLike, cov_a: ArrayLike, mean_b: ArrayLike, cov_b: ArrayLike) -> float:
    """Ordinary 2-Wasserstein distance between two Gaussian laws; never above the adapted one.

    Parameters
    ----------
    mean_a, mean_b : array of shape (d,) or (T, N), float64
    cov_a, cov_b : array of shape (d, d), float64
        Positive definite.

    Returns
    -------
    float
        The distance (not squared).

    Raises
    ------
    ShapeError, DataError
        As `gaussian_adapted_wasserstein`.

    Notes
    -----
    ``W^2 = |a - b|^2 + tr A + tr B - 2 ||L'M||_*``: the adapted distance of a single period with d assets.

    References
    ----------
    Gelbrich (1990), "On a formula for the L2 Wasserstein metric between measures on Euclidean and Hilbert spaces".

    Examples
    --------
    >>> positive, negative = [[1.0, 0.9], [0.9, 1.0]], [[1.0, -0.9], [-0.9, 1.0]]
    >>> round(gaussian_wasserstein([0, 0], positive, [0, 0], negative) ** 2, 3)
    2.256
    """
    factor_a, factor_b, shift = _checked_laws(mean_a, cov_a, mean_b, cov_b)
    return _coupled_distance(factor_a, factor_b, shift, block=shift.size)


def fitted_adapted_wasserstein(
    paths: ArrayLike, mean: ArrayLike, covariance: ArrayLike, *, known_mean: bool = False
) -> float:
    """Adapted Wasserstein distance from the Gaussian fit of sampled paths to a Gaussian law.

    Parameters
    ----------
    paths : array of shape (path, time, asset), float64
        At least T * N + 1 of them, or the fitted covariance is singular.
    mean : array of shape (T, N) or (T * N,)
    covariance : array of shape (T * N, T * N)
        Of the law to compare with, time-major.
    known_mean : bool, default False
        False: mean and covariance are both fitted, so errors of the mean count. True: deviations are taken from the
        given mean, so only the covariance is judged (then T * N paths suffice).

    Returns
    -------
    float
        The distance (not squared). It is positive even for exact samples: compare with `sampling_floor`.

    Raises
    ------
    ShapeError, DataError
        If shapes disagree, values are not finite, paths are too few, or the covariance is not positive definite.

    Notes
    -----
    Judges the first two moments only: a law with other tails and equal moments has distance zero in the limit.

    Examples
    --------
    >>> import numpy as np
    >>> paths = np.random.default_rng(0).standard_normal((5000, 4, 1))
    >>> fitted_adapted_wasserstein(paths, np.zeros(4), np.eye(4)) < 0.1
    True
    """
    values = np.asarray(paths, dtype=np.float64)
    if values.ndim != 3 or 0 in values.shape:
        raise ShapeError(f"paths must have axes (path, time, asset): got shape {values.shape}.")
    if not np.isfinite(values).all():
        raise DataError(f"paths must be finite: {int((~np.isfinite(values)).sum())} values are not.")
    count, periods, n_assets = values.shape
    size = periods * n_assets
    needed = size if known_mean else size + 1
    if count < needed:
        raise DataError(
            f"a Gaussian fit of {periods} periods and {n_assets} assets needs at least {needed} paths: got {count}. "
            "Sample more paths or shorten the horizon."
        )
    flat = values.reshape(count, size)
    target = np.asarray(mean, dtype=np.float64)
    if target.size != size:
        raise ShapeError(f"mean must have shape {(periods, n_assets)} to match the paths: got {target.shape}.")
    centre = target.reshape(size) if known_mean else flat.mean(axis=0)
    deviations = flat - centre
    # ddof 1 where a mean was fitted: unbiased either way
    fitted = deviations.T @ deviations / (count if known_mean else count - 1)
    return gaussian_adapted_wasserstein(centre, fitted, target.reshape(size), covariance, n_assets=n_assets)


def sampling_floor(
    mean: ArrayLike,
    covariance: ArrayLike,
    *,
    n_assets: int,
    n_paths: int,
    repetitions: int,
    rng: np.random.Generator,
    known_mean: bool = False,
) -> SamplingFloor:
    """Distance that ``n_paths`` exact paths have from their own law: no generator should be expected below it.

    Parameters
    ----------
    mean : array of shape (T, N) or (T * N,)
    covariance : array of shape (T * N, T * N), time-major
    n_assets : int
    n_paths : int
        As many as the generator under test is given.
    repetitions : int
        At least 2.
    rng : numpy.random.Generator
    known_mean : bool, default False
        As in `fitted_adapted_wasserstein`.

    Returns
    -------
    SamplingFloor
        Mean and standard deviation over repetitions, of the distance (not squared).

    Raises
    ------
    ShapeError, DataError, ConfigError
        As `fitted_adapted_wasserstein`; also for fewer than two repetitions.

    Examples
    --------
    >>> import numpy as np
    >>> floor = sampling_floor(
    ...     np.zeros(4), np.eye(4), n_assets=1, n_paths=500, repetitions=5, rng=np.random.default_rng(0)
    ... )
    >>> 0.05 < floor.mean < 0.3
    True
    """
    if whole_number(repetitions, "repetitions") < 2:
        raise DataError("a floor needs at least 2 repetitions, or it has no spread: got 1. Use for example 20.")
    law = GaussianPath(mean, covariance, n_assets=n_assets)
    distances = [
        fitted_adapted_wasserstein(
            law.sample(n_paths, law.longest_horizon, rng=rng), mean, covariance, known_mean=known_mean
        )
        for _ in range(repetitions)
    ]
    return SamplingFloor(mean=float(np.mean(distances)), standard_deviation=float(np.std(distances, ddof=1)))


def _checked_laws(
    mean_a: ArrayLike, cov_a: ArrayLike, mean_b: ArrayLike, cov_b: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Cholesky factors of both laws and the difference of their means."""
    factor_a, factor_b = checked_cholesky(cov_a, name="cov_a"), checked_cholesky(cov_b, name="cov_b")
    a, b = np.asarray(mean_a, dtype=np.float64), np.asarray(mean_b, dtype=np.float64)
    if factor_a.ndim != 2 or factor_a.shape != factor_b.shape or a.size != len(factor_a) or b.size != len(factor_a):
        raise ShapeError(
            "both laws must have the same dimension d, means of d entries and covariances (d, d): got means "
            f"{a.shape} and {b.shape}, covariances {factor_a.shape} and {factor_b.shape}."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("means must be finite: some entries are missing or infinite.")
    return factor_a, factor_b, a.ravel() - b.ravel()


def _coupled_distance(
    factor_a: NDArray[np.float64], factor_b: NDArray[np.float64], shift: NDArray[np.float64], *, block: int
) -> float:
    """Root of ``|shift|^2 + ||L - M Q||_F^2``, Q block-diagonal from the polar factors of ``(M'L)_tt``."""
    rotated = np.empty_like(factor_b)
    for first in range(0, len(factor_b), block):
        now = slice(first, first + block)
        # block (M'L)_tt = U S V': tr(Q' M'L) is largest, the nuclear norm, for Q = U V'
        left, _, right = np.linalg.svd(factor_b[:, now].T @ factor_a[:, now])
        rotated[:, now] = factor_b[:, now] @ (left @ right)
    return float(np.sqrt((shift**2).sum() + ((factor_a - rotated) ** 2).sum()))
