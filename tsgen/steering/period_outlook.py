r"""What a portfolio's next return and the volatility after it look like, linear in the innovations of the period.

To first order the return of portfolio ``s`` is :math:`l_s + a_s' z`. The deviation of the return *after* that is, for
the filters of volatility that exist, close to piecewise linear in the standardised shocks ``y = root z``:
:math:`d_s + \sum_i (h_{si} |y_i| + c_{si} y_i)`. The coefficients come from the whitening itself, by differentiating
its forecast at shocks of plus and minus two deviations, once per period instead of once per noise level. A root that
moves fast (`tsgen.whitening.moving_correlation`) is taken as it is today: two deviations of every asset at once are
about four of the market, where the slopes of its averages are several times those of an ordinary day, and foreseen
deviations were further off with them than without.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.steering.running_statistics import SMALLEST_WEALTH
from tsgen.whitening.mixing import mixed_back
from tsgen.whitening.moving_correlation import DirectedRoot
from tsgen.whitening.whitening_protocol import Prediction, State, Whitening

# where the forecast is differentiated: large enough to see squared shocks, small enough to be seen often
_PROBE = 2.0
# E|y + s eps| for normal eps is matched at y = 0 by sqrt(y^2 + (2 / pi) s^2)
_SMOOTHING = 2.0 / torch.pi


class PortfolioForecast(NamedTuple):
    """One-period law of the portfolios' returns."""

    location: Tensor
    """(path, portfolio)."""
    deviation: Tensor
    """(path, portfolio)."""
    loading: Tensor
    """(path, portfolio, asset): derivative of the return with respect to the innovations."""


class FollowingPeriod(NamedTuple):
    """Forecast of the period after, as a function of the standardised shocks of this one."""

    level: Tensor
    """(path, portfolio): deviation without shocks."""
    even: Tensor
    """(path, portfolio, asset): per absolute shock."""
    odd: Tensor
    """(path, portfolio, asset): per shock."""
    location: Tensor
    """(path, portfolio)."""
    location_slope: Tensor | None
    """(path, portfolio, asset); ``None`` where the expected return does not depend on the shocks."""


def portfolio_forecast(prediction: Prediction, growth: Tensor, wealth: Tensor, weights: Tensor) -> PortfolioForecast:
    """Law of the next period's portfolio returns, to first order in the innovations.

    Parameters
    ----------
    prediction : Prediction
        Of the whitening, for innovations of unit covariance.
    growth, wealth : Tensor
        Holdings: each asset's growth (path, asset) and each portfolio's wealth (path, portfolio).
    weights : Tensor of shape (portfolio, asset)
    """
    held = growth[:, None, :] * weights / wealth.clamp_min(SMALLEST_WEALTH)[:, :, None]
    loading = mixed_back(prediction.root, held * prediction.scale[:, None, :])
    deviation = loading.square().sum(dim=-1).clamp_min(1e-16).sqrt()
    return PortfolioForecast((held * prediction.location[:, None, :]).sum(dim=-1), deviation, loading)


def following_period(
    whitening: Whitening,
    state: State,
    prediction: Prediction,
    growth: Tensor,
    wealth: Tensor,
    *,
    weights: Tensor,
) -> FollowingPeriod:
    """Forecast of the period after this one as a function of this one's shocks."""
    n = len(growth)
    twice = tuple(torch.cat([s, s]) if s.shape[0] == n else s for s in state)
    with torch.enable_grad():
        probe = torch.full_like(growth, _PROBE)
        shocks = torch.cat([probe, -probe]).requires_grad_(True)
        location, scale = (torch.cat([x.expand(n, -1)] * 2) for x in (prediction.location, prediction.scale))
        following = whitening.predict(whitening.imagine(twice, location + scale * shocks))
        if isinstance(prediction.root, DirectedRoot):
            following = following._replace(root=prediction.root.stacked(2))
        both = (torch.cat([growth, growth]), torch.cat([wealth, wealth]))
        forecast = portfolio_forecast(following, *both, weights)
        slopes = _row_slopes(forecast.deviation, shocks)
        drifts = _row_slopes(forecast.location, shocks)
    up, down = slopes[:n], -slopes[n:]
    turn = 0.5 * (drifts[:n] + drifts[n:])
    deviation, mean = forecast.deviation.detach(), forecast.location.detach()
    level = 0.5 * (deviation[:n] + deviation[n:]) - 0.5 * _PROBE * (up + down).sum(dim=-1)
    return FollowingPeriod(
        level=level,
        even=0.5 * (up + down),
        odd=0.5 * (up - down),
        location=0.5 * (mean[:n] + mean[n:]),
        location_slope=turn if bool(turn.any()) else None,
    )


def _row_slopes(values: Tensor, shocks: Tensor) -> Tensor:
    """Derivative of ``values`` (row, portfolio) with respect to each row's ``shocks``, (row, portfolio, asset)."""
    columns = []
    for s in range(values.shape[1]):
        if values.requires_grad:
            (slope,) = torch.autograd.grad(values[:, s].sum(), shocks, retain_graph=True, allow_unused=True)
        else:
            slope = None
        # a forecast through an eigendecomposition has no numerical slope where eigenvalues meet: none is used there
        columns.append(torch.zeros_like(shocks) if slope is None else slope.nan_to_num(0.0, 0.0, 0.0))
    return torch.stack(columns, dim=1)


def deviation_after(following: FollowingPeriod, shocks: Tensor, sine: float) -> Tensor:
    """Deviation of the period after, (path, portfolio), when ``shocks`` are known up to noise of size ``sine``."""
    moved = (following.even * _sizes(shocks, sine)[:, None] + following.odd * shocks[:, None]).sum(dim=-1)
    return torch.maximum(following.level + moved, 0.2 * following.level.abs() + 1e-8)


def deviation_slope(following: FollowingPeriod, shocks: Tensor, sine: float) -> Tensor:
    """Derivative of `deviation_after` above its floor with respect to the shocks, (path, portfolio, asset)."""
    return following.even * (shocks / _sizes(shocks, sine))[:, None] + following.odd


def _sizes(shocks: Tensor, sine: float) -> Tensor:
    return (shocks.square() + _SMOOTHING * sine**2 + 1e-12).sqrt()


def location_after(following: FollowingPeriod, shocks: Tensor) -> Tensor:
    """Expected return of the period after, (path, portfolio)."""
    if following.location_slope is None:
        return following.location.clone()
    return following.location + (following.location_slope * shocks[:, None]).sum(dim=-1)
