"""Classifier two-sample test: a model that sees the order of time tries to tell real from generated windows.

Features are taken in time order (coarse path, coarse volatility path, lagged and cross products), so a
generator with the right margins and the wrong dynamics is found out. Accuracy one half is the best score.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from tsgen.errors import DataError, ShapeError
from tsgen.evaluation.metric_result import MetricResult, judge
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort
from tsgen.random_streams import numpy_stream

_GROUP = "classifier"
_FOLDS = 5
_PATH_BLOCKS = 8
_LONGEST_LAG = 5
# in each fold both classes need a few windows to learn from
_FEWEST_UNITS = 20


def classifier_test(
    pairs: PairedWindows,
    *,
    seed: int,
    classifier: Any = None,
    effort: ComparisonEffort = DEFAULT_EFFORT,
) -> MetricResult:
    """Cross-validated accuracy of a classifier between realised and generated windows.

    Parameters
    ----------
    pairs : PairedWindows
        At least 20 units and windows of 2 periods.
    seed : int
    classifier : scikit-learn classifier, optional
        By default ridge logistic regression on `window_features`, which contains products of neighbours in time.
    effort : ComparisonEffort

    Returns
    -------
    MetricResult
        Accuracy, one realised against one generated window per unit, 5 folds of whole units. Floor: the same with one
        random member of each unit taken as real, refitted every time. Standard error: binomial over units.

    Raises
    ------
    DataError
        If there are fewer than 20 units, or windows of one period.
    ConfigError
        If ``seed`` is no non-negative integer.

    Notes
    -----
    Features are centred unit by unit over all members: what the date explains for every member is not evidence.

    References
    ----------
    Lopez-Paz, Oquab (2017), "Revisiting classifier two-sample tests", section 3.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((40, 5, 1)), generated=3 * rng.standard_normal((40, 9, 5, 1)),
    ...     assets=("A",), kind="log",
    ... )
    >>> result = classifier_test(pairs, seed=0, effort=ComparisonEffort(null_worlds=19))
    >>> result.value > 0.7, result.verdict
    (True, 'above floor')
    """
    pairs.require(metric="a classifier that sees time", horizon=2)
    if pairs.n_units < _FEWEST_UNITS:
        raise DataError(
            f"a cross-validated classifier needs at least {_FEWEST_UNITS} units: got {pairs.n_units}. Use more dates."
        )
    rng = numpy_stream(seed, _GROUP)
    members = pairs.members
    features = window_features(members)
    features = features - features.mean(axis=1, keepdims=True)
    deviation = features.std(axis=(0, 1))
    # a feature that never varies (for example cross products of one asset) carries nothing
    features = features[..., deviation > 0] / deviation[deviation > 0]
    folds = rng.permutation(pairs.n_units) % _FOLDS
    model = classifier or LogisticRegression(C=0.1, max_iter=200)
    real = np.zeros(pairs.n_units, dtype=np.int64)
    value = _accuracy(features, real, folds, model, rng)
    n_members = features.shape[1]
    nulls = [
        _accuracy(features, rng.integers(n_members, size=pairs.n_units), folds, model, rng)
        for _ in range(effort.null_worlds)
    ]
    judgement = judge(value, nulls)
    return MetricResult(
        group=_GROUP,
        metric="classifier accuracy",
        value=value,
        floor=judgement.floor,
        floor_deviation=judgement.floor_deviation,
        standard_error=float(np.sqrt(max(value * (1.0 - value), 0.25 / pairs.n_units) / (2 * pairs.n_units))),
        verdict=judgement.verdict,
        p_value=judgement.p_value,
        n=pairs.n_units,
    )


def window_features(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features of windows in time order, tamed by ``arcsinh`` so that fat tails do not decide alone.

    Parameters
    ----------
    windows : array of shape (unit, member, time, asset)
        At least two periods. Scaled by the standard deviation of each asset over all of them.

    Returns
    -------
    ndarray of shape (unit, member, feature), float64
        Up to 8 block sums of the mean asset, up to 8 block means of squares, per-asset averages of ``r^2``, ``r^4``,
        ``max |r|``, and for lags up to 5 of ``r_t r_{t+k}``, ``|r_t| |r_{t+k}|``, ``r_t r_{t+k}^2``; products across
        assets in the same and the next period.

    Raises
    ------
    ShapeError
        If axes do not agree, or there are fewer than two periods.
    DataError
        If values are not finite, or an asset is constant.

    Examples
    --------
    >>> window_features(np.random.default_rng(0).standard_normal((3, 2, 4, 2))).shape
    (3, 2, 23)
    """
    if windows.ndim != 4 or 0 in windows.shape or windows.shape[2] < 2:
        raise ShapeError(
            f"windows must have axes (unit, member, time, asset) with at least two periods: got shape {windows.shape}."
        )
    if not np.isfinite(windows).all():
        raise DataError(f"windows must be finite: {int((~np.isfinite(windows)).sum())} values are not.")
    flat = windows.reshape(-1, windows.shape[-1])
    if (np.ptp(flat, axis=0) == 0.0).any():
        raise DataError("an asset is constant in all windows: it has no scale. Leave it out.")
    scaled = windows / flat.std(axis=0)
    periods = scaled.shape[2]
    starts = np.linspace(0, periods, min(_PATH_BLOCKS, periods), endpoint=False).astype(int)
    average, square, size = scaled.mean(axis=-1), scaled**2, np.abs(scaled)
    columns = [np.add.reduceat(average, starts, axis=2)]
    columns.append(np.add.reduceat(square.mean(axis=-1), starts, axis=2))
    single = [square.mean(axis=(2, 3)), (square**2).mean(axis=(2, 3)), size.max(axis=2).mean(axis=2)]
    for k in range(1, min(_LONGEST_LAG, periods - 1) + 1):
        early, late = slice(None, -k), slice(k, None)
        for first, second in ((scaled, scaled), (size, size), (scaled, square)):
            single.append((first[:, :, early] * second[:, :, late]).mean(axis=(2, 3)))
    single += _cross_products(scaled)
    columns.append(np.stack(single, axis=-1))
    return np.arcsinh(np.concatenate(columns, axis=-1))


def _cross_products(scaled: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Mean products of different assets in the same period, of their sizes, and one period apart."""
    total, size = scaled.sum(axis=-1), np.abs(scaled)
    same = (total**2 - (scaled**2).sum(axis=-1)).mean(axis=-1)
    sizes = (size.sum(axis=-1) ** 2 - (size**2).sum(axis=-1)).mean(axis=-1)
    own = (scaled[:, :, :-1] * scaled[:, :, 1:]).sum(axis=-1)
    later = (total[:, :, :-1] * total[:, :, 1:] - own).mean(axis=-1)
    pairs = max(1, scaled.shape[-1] * (scaled.shape[-1] - 1))
    # rounding of total^2 - sum of squares would look like a feature of a single asset
    return [np.zeros_like(same)] * 3 if scaled.shape[-1] == 1 else [same / pairs, sizes / pairs, later / pairs]


def _accuracy(
    features: NDArray[np.float64],
    real: NDArray[np.int64],
    folds: NDArray[np.int64],
    model: Any,
    rng: np.random.Generator,
) -> float:
    """Share of held-out windows told apart, one real and one other random member per unit."""
    n_units, n_members = features.shape[:2]
    rows = np.arange(n_units)
    other = (real + rng.integers(1, n_members, size=n_units)) % n_members
    samples = np.concatenate([features[rows, real], features[rows, other]])
    labels = np.repeat(np.array([1, 0]), n_units)
    groups = np.concatenate([folds, folds])
    right = 0
    for fold in range(_FOLDS):
        held_out = groups == fold
        fitted: Any = clone(model)
        fitted.fit(samples[~held_out], labels[~held_out])
        right += int((fitted.predict(samples[held_out]) == labels[held_out]).sum())
    return right / len(labels)
