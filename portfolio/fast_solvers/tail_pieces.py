"""Tail risks as sums of maxima of linear pieces, of which only the relevant ones are ever written down.

``rho(w) = min_z z + sum_i c_i (max_j a_ij w - z)^+``: group i is a scenario (CVaR), a time on a path (CDaR) or a
path (CVaR of the maximum drawdown); piece j of a drawdown is a pair of peak and trough. Leaving out pieces gives
a lower bound of rho, so what is missing shows as the difference to its true value and is added then.
"""

from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from portfolio.drawdown import AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdown, MaximumDrawdownCVaR
from portfolio.fast_solvers.direct_form import Array
from portfolio.risk_measures import ConditionalValueAtRisk, RiskMeasure
from portfolio.wealth import LinearWealth

Index = NDArray[np.intp]


class TailPieces(Protocol):
    """One measure on one set of paths, in units of ``unit``.

    Attributes
    ----------
    caps : ndarray of shape (group,) or None
        c; ``None`` stands for the largest loss of all (infinite caps).
    has_quantile : bool
        Whether z is free to choose; else it is zero.
    floor : float
        Lower bound of z: drawdowns are not negative.
    single : bool
        Whether every group has one piece only.
    """

    caps: Array | None
    has_quantile: bool
    floor: float
    single: bool

    def losses(self, weights: Array) -> tuple[Array, Index]:
        """Loss of every group, shape (group,), and the number of the piece that attains it."""
        ...

    def rows(self, groups: Index, pieces: Index) -> Array:
        """Coefficients of pieces, shape (piece, asset)."""
        ...


@final
class TerminalLosses:
    """Scenarios with one piece each: the loss at the end of the horizon."""

    has_quantile = True
    floor = -np.inf
    single = True

    def __init__(self, wealth: LinearWealth, level: float, unit: float) -> None:
        self.caps: Array | None = wealth.probabilities / (1.0 - level)
        self._rows = wealth.outcomes * (-1.0 / unit)

    def losses(self, weights: Array) -> tuple[Array, Index]:
        """Loss of every scenario; its only piece has number 0."""
        return self._rows @ weights, np.zeros(len(self._rows), dtype=np.intp)

    def rows(self, groups: Index, pieces: Index) -> Array:  # noqa: ARG002  (one piece per group)
        """Coefficients of pieces, shape (piece, asset)."""
        return self._rows[groups]


class _Paths:
    """Gains with the start in front, and the running peak of a portfolio."""

    def __init__(self, wealth: LinearWealth, unit: float) -> None:
        gains = wealth.gains
        self.n_times = gains.shape[1]
        self.gains = np.concatenate([np.zeros_like(gains[:, :1]), gains], axis=1) / unit

    def depth_and_peak(self, weights: Array) -> tuple[Array, Index]:
        """Drawdown and the time of its peak, each of shape (path, time); the start is time 0."""
        wealth = self.gains @ weights
        running = np.maximum.accumulate(wealth, axis=1)
        risen = np.empty(wealth.shape, dtype=bool)
        risen[:, 0] = True
        np.greater(wealth[:, 1:], running[:, :-1], out=risen[:, 1:])
        peak = np.maximum.accumulate(np.where(risen, np.arange(self.n_times + 1), 0), axis=1)
        return (running - wealth)[:, 1:], peak[:, 1:]

    def differences(self, path: Index, peak: Index, trough: Index) -> Array:
        """Gain at the peak less gain at the trough, shape (piece, asset)."""
        return self.gains[path, peak] - self.gains[path, trough]


@final
class PooledDrawdowns:
    """Every (path, time) is a group; a piece is a time of the peak. A level of 0 is the average."""

    floor = 0.0
    single = False

    def __init__(self, wealth: LinearWealth, level: float, unit: float) -> None:
        self._paths = _Paths(wealth, unit)
        periods = self._paths.n_times
        self.has_quantile = level > 0.0
        self.caps: Array | None = np.repeat(wealth.probabilities / (periods * (1.0 - level)), periods)

    def losses(self, weights: Array) -> tuple[Array, Index]:
        """Drawdown of every path and time, and the time of its peak."""
        depth, peak = self._paths.depth_and_peak(weights)
        return depth.ravel(), peak.ravel()

    def rows(self, groups: Index, pieces: Index) -> Array:
        """Coefficients of pieces, shape (piece, asset)."""
        path, time = np.divmod(groups, self._paths.n_times)
        return self._paths.differences(path, pieces, time + 1)


@final
class DeepestDrawdowns:
    """Every path is a group; a piece is a pair of peak and trough. Without a level it is the hard maximum."""

    has_quantile = True
    floor = 0.0
    single = False

    def __init__(self, wealth: LinearWealth, level: float | None, unit: float) -> None:
        self._paths = _Paths(wealth, unit)
        self.caps: Array | None = None if level is None else wealth.probabilities / (1.0 - level)

    def losses(self, weights: Array) -> tuple[Array, Index]:
        """Maximum drawdown of every path, and its pair of peak and trough as one number."""
        depth, peak = self._paths.depth_and_peak(weights)
        path, trough = np.arange(len(depth)), depth.argmax(axis=1)
        return depth[path, trough], peak[path, trough] * (self._paths.n_times + 1) + trough + 1

    def rows(self, groups: Index, pieces: Index) -> Array:
        """Coefficients of pieces, shape (piece, asset)."""
        peak, trough = np.divmod(pieces, self._paths.n_times + 1)
        return self._paths.differences(groups, peak, trough)


def tail_pieces(measure: RiskMeasure, wealth: LinearWealth, unit: float) -> TailPieces:
    """Pieces of one of the measures that have them.

    Parameters
    ----------
    measure : ConditionalValueAtRisk, AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdownCVaR, MaximumDrawdown
    wealth : LinearWealth
    unit : float
        Losses are counted in this many decimals of wealth.

    Returns
    -------
    TailPieces

    References
    ----------
    Rockafellar and Uryasev (2000), "Optimization of conditional value-at-risk", equation 17; Chekhlov, Uryasev and
    Zabarankin (2005), "Drawdown measure in portfolio optimization", section 5.

    Examples
    --------
    >>> from portfolio.wealth import linear_wealth
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet([[[0.1], [-0.1], [0.3]]], assets=["A"], kind="simple")
    >>> pieces = tail_pieces(MaximumDrawdown(), linear_wealth(s, "rebalanced"), 1.0)
    >>> [x.round(6).tolist() for x in pieces.losses(np.ones(1))]  # peak after 1, trough after 2 periods
    [[0.1], [6]]
    """
    match measure:
        case ConditionalValueAtRisk():
            return TerminalLosses(wealth, measure.level, unit)
        case AverageDrawdown():
            return PooledDrawdowns(wealth, 0.0, unit)
        case ConditionalDrawdownAtRisk():
            return PooledDrawdowns(wealth, measure.level, unit)
        case MaximumDrawdownCVaR():
            return DeepestDrawdowns(wealth, measure.level, unit)
        case MaximumDrawdown():
            return DeepestDrawdowns(wealth, None, unit)
    raise TypeError(f"{measure!r} has no linear pieces.")
