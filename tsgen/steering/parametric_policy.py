"""A control that is a learned amount along a portfolio's loading: no slope of a value, one velocity per step."""

from dataclasses import dataclass
from typing import final

from torch import Tensor

from tsgen.steering.bound_statistic import BoundStatistic
from tsgen.steering.control_policy import base_value
from tsgen.steering.look_ahead import Day, Foreseen
from tsgen.steering.value_network import ValueNetwork


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ParametricPolicy:
    """``v = kappa(features) a`` with ``a`` the unit vector of the portfolio's loading.

    Parameters
    ----------
    statistics : tuple of BoundStatistic
    multipliers : tuple of float
    network : ValueNetwork
        Its output is the amount.
    row : int
        Portfolio along whose loading the noise moves.
    level_gains : Tensor of shape (slot,)
        Ones: the amount is learned as it is.
    limit : float
        Largest norm of the noise shift.
    """

    statistics: tuple[BoundStatistic, ...]
    multipliers: tuple[float, ...]
    network: ValueNetwork
    row: int
    level_gains: Tensor
    limit: float

    def value(self, foreseen: Foreseen) -> Tensor:
        """Foreseen tilt, for choosing among candidates."""
        return base_value(self.statistics, self.multipliers, foreseen.location, foreseen.spread)

    def axis(self, day: Day) -> Tensor:
        """Unit direction, (path, asset)."""
        loading = day.forecast.loading[:, self.row]
        return loading / loading.square().sum(dim=1, keepdim=True).sqrt().clamp_min(1e-12)

    def amount(self, foreseen: Foreseen) -> Tensor:
        """Shift along the axis, (path, 1), within the limit."""
        return self.network(foreseen.features).clamp(-self.limit, self.limit)[:, None]
