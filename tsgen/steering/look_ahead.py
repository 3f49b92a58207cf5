r"""What can be foreseen of the final statistics while a period is being generated.

At every noise level the clean estimate :math:`\hat z = \cos\tau\, u - \sin\tau\, F` completes the current period; the
running statistics are updated with it, and with the forecast of the next period after it. These look-ahead features are
what the value function reads; without them steering breaks. Their number does not grow with the assets.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.steering.path_completion import PathCompletion
from tsgen.steering.period_outlook import FollowingPeriod, PortfolioForecast, deviation_after, location_after
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.quick_map import QuickMap, Seen
from tsgen.steering.running_statistics import RunningStatistics, moved_on
from tsgen.whitening.limited_loss import limited
from tsgen.whitening.mixing import mixed
from tsgen.whitening.residual_map import ResidualMap
from tsgen.whitening.whitening_protocol import Prediction

_MAPPED_FROM = 0.75


class Day(NamedTuple):
    """All that is known when a period begins, for the whole block."""

    period: int
    horizon: int
    running: RunningStatistics
    prediction: Prediction
    forecast: PortfolioForecast
    following: FollowingPeriod | None
    """``None`` in the last period, and where nothing is foreseen."""
    unit: Tensor
    """(1, portfolio): forecast deviation of the first period, the unit of the features."""
    completion: PathCompletion | None
    residual_map: ResidualMap | None = None
    """In the precision of the chain."""
    quick_map: QuickMap | None = None
    """The same by table, for look-ahead."""
    limited_losses: bool = False
    """See `tsgen.steering.steering_reference.SteeringReference`."""

    def returns_of(self, unbounded: Tensor) -> Tensor:
        """Returns (path, asset) of what the whitening coloured."""
        return limited(unbounded) if self.limited_losses else unbounded

    def corrected(self, clean: Tensor) -> Tensor:
        """Innovations that a result of the chain stands for, (path, asset)."""
        return clean if self.residual_map is None else self.residual_map(clean)

    def see(self, clean: Tensor, sine: float) -> Seen:
        """Innovations that a clean estimate stands for, nearly, with the way back for gradients."""
        # estimates far from the end are small, and there the map hardly moves anything
        if self.quick_map is None or sine > _MAPPED_FROM:
            return Seen(clean, None, None)
        return self.quick_map.see(clean)

    def pulled_back(self, seen: Seen, slope: Tensor) -> Tensor:
        """Slope with respect to the clean estimate, from the one with respect to ``seen.mapped``."""
        return slope if self.quick_map is None else self.quick_map.pull_back(seen, slope)


class Foreseen(NamedTuple):
    """Look-ahead at one noise level."""

    features: Tensor
    """(path, feature): inputs of the value network."""
    location: Tensor
    """(path, constraint): forecast of the statistic, or probability of the event."""
    spread: Tensor
    """(path, constraint): standard deviation of what is still to come."""


class Glimpse(NamedTuple):
    """All that the clean estimate says about portfolios: four numbers per path (the first three per portfolio)."""

    period_return: Tensor
    deviation: Tensor
    """Forecast deviation of the period after."""
    drift: Tensor
    """Forecast return of the period after."""
    size: Tensor
    """(path, 1): mean square of the clean estimate."""
    shocks: Tensor | None
    """(path, asset): the estimate in the whitening's standardised units; ``None`` in the last period."""

    def numbers(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The numbers alone."""
        return self.period_return, self.deviation, self.drift, self.size


def glimpse_of(clean: Tensor, day: Day, sine: float) -> Glimpse:
    """Reduce the clean estimate (path, asset) to what portfolios see of it."""
    period_return = day.forecast.location + (day.forecast.loading * clean[:, None]).sum(dim=-1)
    size = clean.square().mean(dim=1, keepdim=True)
    if day.following is None:
        return Glimpse(period_return, day.forecast.deviation.clone(), day.forecast.location.clone(), size, None)
    shocks = mixed(day.prediction.root, clean)
    deviation = deviation_after(day.following, shocks, sine)
    return Glimpse(period_return, deviation, location_after(day.following, shocks), size, shocks)


def foresee(clean: Tensor, day: Day, book: PortfolioBook, *, cosine: float, sine: float, share: float) -> Foreseen:
    """Features and forecasts at the clean estimate.

    Parameters
    ----------
    clean : Tensor of shape (path, asset)
        Clean estimate of this period's result of the chain.
    day : Day
    book : PortfolioBook
        Portfolios and the statistics that constraints are about.
    cosine, sine : float
        Of the noise angle.
    share : float
        Number of the level over the number of levels, 0 before any noise, below 1.
    """
    seen = day.see(clean, sine).mapped
    return foreseen_from(glimpse_of(seen, day, sine), seen, day, book, cosine=cosine, sine=sine, share=share)


class Outlook(NamedTuple):
    """Running statistics completed by the glimpse; each (path, portfolio)."""

    after: RunningStatistics
    squares: Tensor
    """Sum of squared returns, with what is still noise in this period."""
    total: Tensor
    """The same over the whole horizon."""
    remaining: Tensor
    """Standard deviation of the terminal wealth given the estimate."""


def outlook_of(glimpse: Glimpse, day: Day, sine: float) -> Outlook:
    """Complete the running statistics; differentiable in the glimpse's numbers."""
    after = moved_on(day.running, glimpse.period_return)
    left = day.horizon - day.period - 1
    rest = (sine * day.forecast.deviation).square()  # variance of this period that is still noise
    still = rest + left * glimpse.deviation.square()
    return Outlook(after, after.squares + rest, after.squares + still, after.wealth * (still + 1e-12).sqrt())


def foreseen_from(
    glimpse: Glimpse, clean: Tensor, day: Day, book: PortfolioBook, *, cosine: float, sine: float, share: float
) -> Foreseen:
    """`foresee` from a glimpse; differentiable in its numbers."""
    outlook = outlook_of(glimpse, day, sine)
    location, spread = book.look_ahead(outlook.after, outlook.total, outlook.remaining, day, clean)
    columns = feature_columns(glimpse, outlook, day)
    clock = clock_of(day, cosine, sine, share, clean)
    features = torch.cat([*columns, book.features(location), glimpse.size, clock], dim=1)
    return Foreseen(features, location, spread)


def feature_columns(glimpse: Glimpse, outlook: Outlook, day: Day) -> list[Tensor]:
    """Features of the portfolios, each (path, portfolio); `feature_slopes` has their derivatives."""
    after, unit = outlook.after, day.unit
    wide = unit * day.horizon**0.5
    return [
        (after.wealth - 1.0) / wide,
        glimpse.period_return / day.forecast.deviation,
        (day.forecast.deviation / unit).log(),
        (glimpse.deviation / unit).log(),
        glimpse.drift / unit,
        (outlook.squares / day.horizon).sqrt() / unit,
        (1.0 - after.wealth / after.peak) / wide,
        after.drawdown / wide,
        (after.lowest - 1.0) / wide,
    ]


N_COLUMNS = 9
"""Length of `feature_columns`."""


def feature_slopes(pulls: list[Tensor], glimpse: Glimpse, outlook: Outlook, day: Day) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes with respect to return, deviation and drift, from the slopes with respect to `feature_columns`."""
    after, before, unit = outlook.after, day.running, day.unit
    wide = unit * day.horizon**0.5
    # wealth moves by its old value per unit of return; from a peak the drawdown moves the other way
    falling = (after.wealth < after.peak) * (before.wealth / after.peak)
    deeper = after.drawdown > before.drawdown
    lower = after.lowest < before.lowest
    by_return = (
        (pulls[0] + pulls[8] * lower) * before.wealth
        - (pulls[6] + pulls[7] * deeper) * falling
        + pulls[5] * glimpse.period_return / (outlook.squares * day.horizon).sqrt() * day.horizon**0.5
    ) / wide + pulls[1] / day.forecast.deviation
    return by_return, pulls[3] / glimpse.deviation, pulls[4] / unit


def clock_of(day: Day, cosine: float, sine: float, share: float, like: Tensor) -> Tensor:
    """Features of time and noise level, the same for all paths."""
    done = (day.period + 1) / day.horizon
    row = torch.tensor([done, (1.0 - done) ** 0.5, cosine, sine, share], dtype=like.dtype, device=like.device)
    return row.expand(len(like), -1)
