"""Stylised facts, real against generated, with a band that says how well the real value itself is known.

For the eye, not for a verdict: the metrics of this folder judge. Every number is the same estimator on realised and
generated windows; the band is a stationary bootstrap of the realised ones. Above `paired_windows`, shown by the report.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, final

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.path_functionals import equally_weighted
from tsgen.random_streams import numpy_stream
from tsgen.return_kind import ReturnKind

BAND = (0.05, 0.95)
ABSOLUTE, LEVERAGE, QUANTILES = "autocorrelation of |r|", "leverage", "quantiles of standardised returns"
TAILS, PAIRS = "tail losses", "correlation of pairs"
_LONGEST_LAG = 20
_LEVELS = (
    0.001,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    0.95,
    0.975,
    0.99,
    0.995,
    0.999,
)
_TAIL_LEVELS = (0.9, 0.95, 0.975, 0.99, 0.995)
_MOST_PAIRS = 500
# an automatic block length is an estimate: of a short record it may come out as long as the record
_LONGEST_BLOCK = 0.25


@final
@dataclass(frozen=True, kw_only=True)
class StylisedFact:
    """One property of returns at several points: lags, levels or pairs of assets.

    Parameters
    ----------
    name : str
    points : tuple of str or float
        Lags in periods, probability levels, or pairs of assets.
    real, generated : tuple of float
        Value at every point.
    low, high : tuple of float
        5 and 95 % quantiles of the stationary bootstrap of ``real``.

    Raises
    ------
    ShapeError
        If the lengths differ or there is no point.
    DataError
        If a number is not finite.

    Examples
    --------
    >>> fact = StylisedFact(name="leverage", points=(1, 2), real=(-0.1, -0.05), generated=(0.0, 0.0),
    ...     low=(-0.15, -0.1), high=(-0.05, 0.01))
    >>> fact.share_inside
    0.5
    """

    name: str
    points: tuple[str | float, ...]
    real: tuple[float, ...]
    generated: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", tuple(self.points))
        for name in ("real", "generated", "low", "high"):
            values = tuple(float(v) for v in getattr(self, name))
            if len(values) != len(self.points) or not values:
                raise ShapeError(
                    f"{name} of {self.name} must have one value per point: expected {len(self.points)} (at least 1), "
                    f"got {len(values)}."
                )
            if not np.isfinite(values).all():
                raise DataError(
                    f"{name} of {self.name} must be finite: some values are not. Leave out assets that do not move."
                )
            object.__setattr__(self, name, values)

    @property
    def share_inside(self) -> float:
        """Share of the points at which the generated value lies inside the band."""
        inside = [low <= g <= high for g, low, high in zip(self.generated, self.low, self.high, strict=True)]
        return float(np.mean(inside))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able content; ``StylisedFact(**content)`` brings it back."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(**content)


def stylised_facts(pairs: PairedWindows, *, seed: int, replications: int = 200) -> tuple[StylisedFact, ...]:
    """Stylised facts of realised and generated windows.

    Parameters
    ----------
    pairs : PairedWindows
        Units in time order.
    seed : int
        Of the bootstrap.
    replications : int, default 200
        Bootstrap samples behind the bands; at least 50.

    Returns
    -------
    tuple of StylisedFact
        Mean over assets of the autocorrelations of |r| and of the leverage function ``corr(r_t, r_{t+k}^2)`` at lags
        1 to 20 (windows of two periods or more); quantiles of returns standardised by their own mean and standard
        deviation, all assets together; quantiles of the losses of the equally weighted portfolio (decimals per period);
        correlations of pairs (two assets or more; of many assets, 500 pairs spread over all).

    Raises
    ------
    ConfigError
        If ``replications`` is below 50, or ``seed`` is no non-negative integer.
    DataError
        If an asset does not move in some bootstrap sample.

    Notes
    -----
    Windows are resampled whole, in blocks of windows where units are dates (automatic length for their mean absolute
    return) and one by one for independent paths. A band is for one point: of twenty independent points two lie outside
    it even if the generator is right.

    References
    ----------
    Cont (2001), "Empirical properties of asset returns: stylized facts and statistical issues"; Politis, Romano (1994),
    "The stationary bootstrap", JASA 89.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((40, 5, 2)), generated=rng.standard_normal((40, 9, 5, 2)),
    ...     assets=("A", "B"), kind="log",
    ... )
    >>> [fact.name for fact in stylised_facts(pairs, seed=0, replications=50)][:2]
    ['autocorrelation of |r|', 'leverage']
    """
    if isinstance(replications, bool) or not isinstance(replications, (int, np.integer)) or replications < 50:
        raise ConfigError(f"replications must be an integer of at least 50, or bands are noise: got {replications!r}.")
    rng = numpy_stream(seed, "stylised facts")
    real = fact_numbers(pairs.realised, kind=pairs.kind)
    generated = fact_numbers(pairs.generated.reshape(-1, pairs.horizon, pairs.n_assets), kind=pairs.kind)
    bootstrap = StationaryBootstrap(_block_length(pairs), np.arange(pairs.n_units), seed=rng)
    samples = [fact_numbers(pairs.realised[rows], kind=pairs.kind) for (rows,), _ in bootstrap.bootstrap(replications)]
    facts = []
    for name, values in real.items():
        low, high = np.quantile([sample[name] for sample in samples], BAND, axis=0)
        facts.append(
            StylisedFact(
                name=name,
                points=_points(name, pairs),
                real=tuple(values),
                generated=tuple(generated[name]),
                low=tuple(low),
                high=tuple(high),
            )
        )
    return tuple(facts)


def fact_numbers(windows: NDArray[np.float64], *, kind: ReturnKind) -> dict[str, NDArray[np.float64]]:
    """Every fact of one set of windows.

    Autocorrelations take their products inside windows; means and variances are those of all windows.

    Parameters
    ----------
    windows : array of shape (unit, time, asset), float64
        Decimals per period.
    kind : {"simple", "log"}

    Returns
    -------
    dict of str to ndarray of shape (point,)

    Examples
    --------
    >>> numbers = fact_numbers(np.array([[[1.0], [-1.0], [2.0], [-2.0]]]), kind="log")
    >>> numbers["tail losses"].shape
    (5,)
    """
    _, horizon, n_assets = windows.shape
    rows = windows.reshape(-1, n_assets)
    deviation = rows.std(axis=0)
    if (deviation == 0.0).any():
        raise DataError("an asset does not move in some sample of windows: its facts do not exist. Leave it out.")
    standardised = (windows - rows.mean(axis=0)) / deviation
    numbers: dict[str, NDArray[np.float64]] = {}
    if horizon > 1:
        lags = _lags(horizon)
        absolute, square = _unit(np.abs(standardised)), _unit(standardised**2)
        numbers[ABSOLUTE] = _lagged(absolute, absolute, lags)
        numbers[LEVERAGE] = _lagged(standardised, square, lags)
    numbers[QUANTILES] = np.quantile(standardised, _LEVELS)
    numbers[TAILS] = np.quantile(-equally_weighted(windows, kind=kind), _TAIL_LEVELS)
    if n_assets > 1:
        flat = standardised.reshape(-1, n_assets)
        correlation = flat.T @ flat / len(flat)
        first, second = _pairs(n_assets)
        numbers[PAIRS] = correlation[first, second]
    return numbers


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred and scaled to variance one, asset by asset; zero where nothing moves."""
    centred = values - values.mean(axis=(0, 1))
    deviation = centred.std(axis=(0, 1))
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0.0)


def _lagged(early: NDArray[np.float64], late: NDArray[np.float64], lags: Sequence[int]) -> NDArray[np.float64]:
    """Mean over assets of the pooled correlation of one series with another, k periods later."""
    return np.array([float((early[:, :-k] * late[:, k:]).mean()) for k in lags])


def _lags(horizon: int) -> range:
    return range(1, min(_LONGEST_LAG, horizon - 1) + 1)


def _pairs(n_assets: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, second = np.triu_indices(n_assets, k=1)
    kept = np.unique(np.linspace(0, len(first) - 1, min(len(first), _MOST_PAIRS)).astype(int))
    return first[kept], second[kept]


def _points(name: str, pairs: PairedWindows) -> tuple[str | float, ...]:
    if name in (ABSOLUTE, LEVERAGE):
        return tuple(_lags(pairs.horizon))
    if name == PAIRS:
        first, second = _pairs(pairs.n_assets)
        return tuple(f"{pairs.assets[i]} and {pairs.assets[j]}" for i, j in zip(first, second, strict=True))
    return _LEVELS if name == QUANTILES else _TAIL_LEVELS


def _block_length(pairs: PairedWindows) -> int:
    size = np.abs(pairs.realised).mean(axis=(1, 2))
    if pairs.dates is None or np.ptp(size) == 0.0:
        return 1
    best = float(optimal_block_length(size)["stationary"].iloc[0])
    return round(np.clip(best, 1.0, _LONGEST_BLOCK * pairs.n_units))
