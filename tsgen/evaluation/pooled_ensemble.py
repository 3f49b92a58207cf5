"""Realisation and scenarios of every date in one pool: ranks, scores and tail forecasts of each member.

If the forecast is right, the realised value and the M scenarios of a date are exchangeable given the history.
So every member of the pool may play the realised one while the other M play the forecast: the statistic of the
true realisation is judged against the statistics of these stand-ins, with the same finite M, the same ties and
the same dependence between series. One sort per date serves all: leaving a member out only shifts the order.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError, ShapeError


class TailForecast(NamedTuple):
    """Losses of the members that play the realised one, and the risk that the others forecast; each (D, 1 + R)."""

    losses: NDArray[np.float64]
    var: NDArray[np.float64]
    es: NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class PooledEnsemble:
    """Sorted pools of one series; build with `PooledEnsemble.of`.

    Attributes
    ----------
    ascending : ndarray of shape (D, M + 1), float64
        Sorted values of realisation and scenarios.
    ranks : ndarray of shape (D, 1 + R), int64
        Number of pool members below the realised one (column 0) and below R stand-ins; ties are broken at random.
    """

    ascending: NDArray[np.float64]
    ranks: NDArray[np.int64]
    _sums: NDArray[np.float64] = field(repr=False)

    @classmethod
    def of(
        cls,
        realised: NDArray[np.float64],
        scenarios: NDArray[np.float64],
        *,
        n_stand_ins: int,
        rng: np.random.Generator,
    ) -> Self:
        """Pool realisations (D,) with scenarios (D, M).

        Raises
        ------
        ShapeError
            If the axes do not agree.
        DataError
            If values are not finite: a missing one would rank above all others.
        ConfigError
            If more stand-ins are asked for than there are scenarios.

        Examples
        --------
        >>> pool = PooledEnsemble.of(
        ...     np.array([0.5]), np.array([[0.0, 1.0, 2.0]]), n_stand_ins=1, rng=np.random.default_rng(0)
        ... )
        >>> pool.ranks.tolist()
        [[1, 0]]
        """
        if realised.ndim != 1 or scenarios.ndim != 2 or len(realised) != len(scenarios):
            raise ShapeError(
                f"realised must be (date,) and scenarios (date, scenario): got {realised.shape} and {scenarios.shape}."
            )
        for name, values in (("realised", realised), ("scenarios", scenarios)):
            if not np.isfinite(values).all():
                raise DataError(f"{name} must be finite: {int((~np.isfinite(values)).sum())} values are not.")
        if not 0 <= n_stand_ins <= scenarios.shape[1]:
            raise ConfigError(
                f"n_stand_ins must be between 0 and the {scenarios.shape[1]} scenarios: got {n_stand_ins}."
            )
        pool = np.concatenate([realised[:, None], scenarios], axis=1)
        # random tie-breaking keeps the ranks exactly uniform for generators that repeat values (bootstraps)
        order = np.lexsort((rng.random(pool.shape), pool), axis=1)
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(pool.shape[1])[None, :], axis=1)
        ascending = np.take_along_axis(pool, order, axis=1)
        sums = np.concatenate([np.zeros((len(pool), 1)), np.cumsum(ascending, axis=1)], axis=1)
        return cls(ascending=ascending, ranks=ranks[:, : n_stand_ins + 1].copy(), _sums=sums)

    @property
    def n_scenarios(self) -> int:
        """Number of scenarios per date M."""
        return self.ascending.shape[1] - 1

    @property
    def values(self) -> NDArray[np.float64]:
        """Values of the members that play the realised one, (D, 1 + R)."""
        return np.take_along_axis(self.ascending, self.ranks, axis=1)

    def randomised_pit(self, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Randomised probability integral transform ``(rank + U) / (M + 1)``, exactly uniform, (D, 1 + R).

        References
        ----------
        Czado, Gneiting, Held (2009), "Predictive model assessment for count data", Biometrics 65, section 2.2
        (randomised transform); Talagrand's rank histogram for ensembles.
        """
        return (self.ranks + rng.random(self.ranks.shape)) / (self.n_scenarios + 1.0)

    def crps(self) -> NDArray[np.float64]:
        """Continuous ranked probability score of the others for each member, fair estimator, (D, 1 + R).

        ``E|X - y| - E|X - X'| / 2`` with the mean over pairs of different scenarios: unbiased for any M.

        Raises
        ------
        DataError
            If there is one scenario only.

        References
        ----------
        Gneiting, Raftery (2007), "Strictly proper scoring rules, prediction, and estimation", equation 21;
        Ferro (2014), "Fair scores for ensemble forecasts", QJRMS 140.
        """
        size = self.ascending.shape[1]
        m = size - 1
        if m < 2:
            raise DataError("a fair ensemble score needs at least 2 scenarios per date: got 1. Sample more scenarios.")
        total = self._sums[:, -1:]
        below = np.take_along_axis(self._sums, self.ranks, axis=1)
        y = self.values
        # sum over the pool of |x - y|: ranks members below, size - 1 - rank above
        distance = y * (2 * self.ranks + 1 - size) + total - 2.0 * below - y
        positions = 2.0 * np.arange(size) - (size - 1)
        pairs = (self.ascending * positions).sum(axis=1, keepdims=True)
        return distance / m - (pairs - distance) / (m * (m - 1.0))

    def tail(self, level: float) -> TailForecast:
        """Value at risk and expected shortfall of the others for each member; losses are minus the values.

        The position of the quantile is ``h = (1 - level) (M + 1)`` from the worst scenario, linear in between: an
        independent further draw then exceeds the forecast with probability ``1 - level`` for every finite M (exactly
        where h is whole). The shortfall is the mean of the worst h scenarios, the last one in part.

        Raises
        ------
        DataError
            If the tail holds less than one scenario.
        """
        m = self.n_scenarios
        position = checked_tail_position(level, m)
        whole = int(position)
        part = position - whole
        # 0-based from the worst loss; the pool has one more member than the forecast
        worst = -self.ascending[:, : whole + 2]
        sums = np.concatenate([np.zeros((len(worst), 1)), np.cumsum(worst, axis=1)], axis=1)
        before = self.ranks < whole
        kth = np.where(before, worst[:, whole, None], worst[:, whole - 1, None])
        # the member itself stands before the next one when its rank is at most `whole`
        following = np.where(self.ranks <= whole, worst[:, whole + 1, None], worst[:, whole, None])
        losses = -self.values
        top = np.where(before, sums[:, whole + 1, None] - losses, sums[:, whole, None])
        return TailForecast(
            losses=losses, var=(1.0 - part) * kth + part * following, es=(top + part * following) / position
        )


def checked_tail_position(level: float, n_scenarios: int) -> float:
    """Position ``(1 - level) (M + 1)`` of the value at risk among M scenarios, from the worst.

    Raises
    ------
    ConfigError
        If the level is not between 0.5 and 1.
    DataError
        If the position is below 1.

    Examples
    --------
    >>> round(checked_tail_position(0.99, 999), 9)
    10.0
    """
    if not 0.5 < level < 1.0:
        raise ConfigError(f"level must be a confidence level between 0.5 and 1, for example 0.975: got {level!r}.")
    # 1 - 0.975 is 0.02500000000000002 in binary: keep whole positions whole
    position = round((1.0 - level) * (n_scenarios + 1), 9)
    if position < 1.0:
        raise DataError(
            f"the value at risk at level {level:g} needs at least {int(np.ceil(1.0 / (1.0 - level))) - 1} scenarios "
            f"per date: got {n_scenarios}. Sample more scenarios or use a lower level."
        )
    return position
