"""Comparison of models by their scores on the same dates: which differences are more than noise.

Scores of neighbouring dates depend on each other, so errors come from blocks of dates (20 by default, about a
month) and the set of models that cannot be told from the best one from a block bootstrap.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from arch.bootstrap import MCS
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.random_streams import check_seed

BLOCK = 20
MIN_BLOCKS = 5


class PairedDifference(NamedTuple):
    """Mean difference of two score records with the error that dependence over time leaves."""

    difference: float
    """Mean of first minus second: negative means the first is better."""
    standard_error: float
    t: float
    p_value: float
    """Two-sided, Student-t with (blocks - 1) degrees of freedom."""
    n_blocks: int


class DieboldMariano(NamedTuple):
    """Diebold-Mariano test of equal expected scores, small-sample corrected."""

    statistic: float
    p_value: float


def block_standard_error(values: ArrayLike, *, block: int = BLOCK) -> float:
    """Standard error of the mean of a dependent record, from the means of whole blocks of dates.

    Parameters
    ----------
    values : array of shape (date,), float64
    block : int
        Dates per block; longer than the memory of the record. An incomplete last block is left out.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If there is not one finite record of at least five blocks.

    Examples
    --------
    >>> record = np.repeat([1.0, -1.0, 1.0, -1.0, 1.0, -1.0], 20)
    >>> round(block_standard_error(record), 4), round(block_standard_error(record, block=1), 4)
    (0.4472, 0.0917)
    """
    means = _block_means(values, block)
    return float(means.std(ddof=1) / np.sqrt(means.size))


def paired_difference(first: ArrayLike, second: ArrayLike, *, block: int = BLOCK) -> PairedDifference:
    """Compare two records of scores made on the same dates.

    Parameters
    ----------
    first, second : array of shape (date,), float64
        Scores, lower is better, same dates in the same order.
    block : int

    Raises
    ------
    ShapeError, DataError, ConfigError
        If the records differ in length, are not finite, are too short, or are equal on every date.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.standard_normal(1000)
    >>> result = paired_difference(noise, noise + 0.1 * rng.standard_normal(1000) + 0.05)
    >>> result.difference < 0, result.p_value < 0.01
    (True, True)
    """
    a, b = _checked_pair(first, second)
    means = _block_means(a - b, block)
    error = float(means.std(ddof=1) / np.sqrt(means.size))
    if _is_constant(a - b, scale=float(np.abs(np.concatenate([a, b])).max())):
        raise DataError("the two records differ by a constant: no error can be estimated. Are they different models?")
    ratio = float(means.mean() / error)
    return PairedDifference(
        difference=float((a - b).mean()),
        standard_error=error,
        t=ratio,
        p_value=float(2.0 * student_t.sf(abs(ratio), means.size - 1)),
        n_blocks=means.size,
    )


def diebold_mariano(first: ArrayLike, second: ArrayLike, *, horizon: int = 1) -> DieboldMariano:
    """Diebold-Mariano test with the Harvey-Leybourne-Newbold correction.

    Parameters
    ----------
    first, second : array of shape (date,), float64
        Scores, lower is better; a negative statistic favours the first.
    horizon : int
        Forecast horizon h in dates: autocovariances up to h - 1 enter the variance.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If the records do not match or differ by a constant, or the estimated variance is not positive.

    References
    ----------
    Diebold, Mariano (1995), "Comparing predictive accuracy", JBES 13; Harvey, Leybourne, Newbold (1997), "Testing the
    equality of prediction mean squared errors", International Journal of Forecasting 13, equation 9.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> diebold_mariano(rng.standard_normal(500), rng.standard_normal(500)).p_value > 0.01
    True
    """
    a, b = _checked_pair(first, second)
    n = a.size
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or not 1 <= horizon < n:
        raise ConfigError(f"horizon must be an integer between 1 and the {n - 1} dates: got {horizon!r}.")
    # rounding would pass for a variance and make the difference infinitely significant
    if _is_constant(a - b, scale=float(np.abs(np.concatenate([a, b])).max())):
        raise DataError("the two records differ by a constant: no error can be estimated. Are they different models?")
    deviations = (a - b) - (a - b).mean()
    covariances = [float((deviations[k:] * deviations[: n - k]).mean()) for k in range(horizon)]
    variance = (covariances[0] + 2.0 * sum(covariances[1:])) / n
    if variance <= 0.0:
        raise DataError(
            f"the estimated variance of the score difference is {variance:.3g}: the horizon {horizon} is too long. "
            "Use paired_difference."
        )
    correction = np.sqrt((n + 1.0 - 2.0 * horizon + horizon * (horizon - 1.0) / n) / n)
    statistic = float(correction * (a - b).mean() / np.sqrt(variance))
    return DieboldMariano(statistic, float(2.0 * student_t.sf(abs(statistic), n - 1)))


def model_confidence_set(
    scores: Mapping[str, ArrayLike], *, seed: int, size: float = 0.1, block: int = BLOCK, repetitions: int = 500
) -> pd.DataFrame:
    """Models that cannot be told from the best one at the given size.

    Parameters
    ----------
    scores : mapping of model name to array of shape (date,), float64
        Lower is better, the same dates for all; at least two models.
    seed : int
    size : float
        Probability with which the best model may be missing from the set.
    block : int
        Mean block length of the stationary bootstrap.
    repetitions : int
        Bootstrap samples, at least 100.

    Returns
    -------
    DataFrame
        Index: model. Columns: mean_score, p_value (of leaving the set), included.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If there are fewer than two models, records do not match or are equal, the size is not in (0, 1), or
        repetitions are too few.

    References
    ----------
    Hansen, Lunde, Nason (2011), "The model confidence set", Econometrica 79; computed by `arch.bootstrap.MCS`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> good = rng.standard_normal(400)
    >>> table = model_confidence_set({"good": good, "bad": good + 0.5 + 0.1 * rng.standard_normal(400)}, seed=0)
    >>> table["included"].tolist()
    [True, False]
    """
    if len(scores) < 2:
        raise DataError(f"a model confidence set needs at least two models: got {list(scores)}. Add baselines.")
    if not 0.0 < size < 1.0:
        raise ConfigError(f"size must be between 0 and 1, for example 0.1: got {size!r}.")
    if isinstance(repetitions, bool) or not isinstance(repetitions, (int, np.integer)) or repetitions < 100:
        raise ConfigError(f"repetitions must be an integer of at least 100, for example 500: got {repetitions!r}.")
    names = list(scores)
    first = np.asarray(scores[names[0]], dtype=np.float64)
    for name in names[1:]:
        _checked_pair(first, scores[name])
    losses = np.column_stack([np.asarray(scores[name], dtype=np.float64) for name in names])
    _block_means(losses[:, 0], block)
    _check_distinct(losses, names)
    mcs = MCS(losses, size=size, reps=repetitions, block_size=block, bootstrap="stationary", seed=check_seed(seed))
    mcs.compute()
    p_values = mcs.pvalues["Pvalue"].reindex(range(len(names)))
    table = pd.DataFrame({"mean_score": losses.mean(axis=0), "p_value": p_values.to_numpy(np.float64)}, index=names)
    table["included"] = table["p_value"] > size
    return table.rename_axis("model")


def _check_distinct(losses: NDArray[np.float64], names: list[str]) -> None:
    for i in range(len(names)):
        for j in range(i):
            if _is_constant(losses[:, i] - losses[:, j], scale=float(np.abs(losses).max())):
                raise DataError(
                    f"models {names[j]!r} and {names[i]!r} have the same scores up to a constant: leave one out."
                )


def _is_constant(difference: NDArray[np.float64], *, scale: float) -> bool:
    # a difference of equal records is rounding: a few units in the last place of the scores
    return float(np.ptp(difference)) <= 1e-13 * scale


def _checked_pair(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.size < 2:
        raise ShapeError(f"score records must have the same dates, shape (date,): got {a.shape} and {b.shape}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("score records must be finite: some values are missing or infinite.")
    return a, b


def _block_means(values: ArrayLike, block: int) -> NDArray[np.float64]:
    record = np.asarray(values, dtype=np.float64)
    if record.ndim != 1:
        raise ShapeError(f"a score record must have shape (date,): got {record.shape}.")
    if not np.isfinite(record).all():
        raise DataError("a score record must be finite: some values are missing or infinite.")
    if isinstance(block, bool) or not isinstance(block, (int, np.integer)) or block < 1:
        raise ConfigError(f"block must be a positive number of dates: got {block!r}.")
    count = record.size // block
    if count < MIN_BLOCKS:
        raise DataError(
            f"a block standard error needs at least {MIN_BLOCKS} blocks of {block} dates: got {record.size} dates. "
            "Evaluate a longer period or use shorter blocks."
        )
    return record[: count * block].reshape(count, block).mean(axis=1)
