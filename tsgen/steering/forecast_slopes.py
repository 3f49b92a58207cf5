r"""How the constraints' forecasts move with a portfolio's return in this period and its deviation after it.

Derivatives of `PortfolioBook.look_ahead`, in closed form: a steered path asks for them at every noise level, and
recording gradients there costs more than all of its arithmetic. All portfolios' returns and deviations enter on their
own, so a slope is two columns per functional.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.reweighting import BarrierHit, DrawdownBeyond, TerminalLoss
from tsgen.steering.bound_statistic import normal_density
from tsgen.steering.look_ahead import Day, Glimpse, Outlook
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.risk_functionals import (
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    PathEvent,
    PathMean,
    RealisedVolatility,
    TerminalReturn,
)

PortfolioFunctional = TerminalReturn | RealisedVolatility | MaxDrawdown | ExpectedShortfall | EventProbability


class Slopes(NamedTuple):
    """Derivatives with respect to the return of the period and to the deviation after it, each (path,)."""

    by_return: Tensor
    by_deviation: Tensor | None
    """``None``: zero."""


class _Portfolio(NamedTuple):
    """One portfolio's columns, each (path,)."""

    period_return: Tensor
    deviation: Tensor
    before: Tensor
    """Wealth before the period: what the wealth after it gains per unit of return."""
    wealth: Tensor
    peak: Tensor
    rising: Tensor
    """Whether the wealth is its own peak."""
    remaining: Tensor
    remaining_slopes: Slopes


def forecast_slopes(
    book: PortfolioBook,
    on_location: list[Tensor],
    on_spread: list[Tensor | None],
    glimpse: Glimpse,
    outlook: Outlook,
    day: Day,
) -> tuple[Tensor, Tensor]:
    """Slopes with respect to returns and deviations, each (path, portfolio), pulled back from the forecasts.

    Parameters
    ----------
    book : PortfolioBook
    on_location, on_spread : list of Tensor of shape (path,)
        Slope of what is wanted with respect to every functional's location and spread.
    glimpse, outlook, day
        Where the forecasts were made.
    """
    n_portfolios = len(book.weights)
    portfolios = [_columns(glimpse, outlook, day, row) for row in range(n_portfolios)]
    by_return = [torch.zeros_like(p.wealth) for p in portfolios]
    by_deviation = [torch.zeros_like(p.wealth) for p in portfolios]
    for j, (functional, row) in enumerate(zip(book.functionals, book.rows, strict=True)):
        if isinstance(functional, PathMean):
            continue  # reads the estimate itself
        own = portfolios[row]
        parts = [(on_location[j], _location_slopes(functional, own, outlook, day, row))]
        spread = on_spread[j]
        if spread is not None:
            parts.append((spread, own.remaining_slopes))
        for weight, slopes in parts:
            by_return[row].addcmul_(weight, slopes.by_return)
            if slopes.by_deviation is not None:
                by_deviation[row].addcmul_(weight, slopes.by_deviation)
    return torch.stack(by_return, dim=1), torch.stack(by_deviation, dim=1)


def _columns(glimpse: Glimpse, outlook: Outlook, day: Day, row: int) -> _Portfolio:
    wealth, peak = outlook.after.wealth[:, row], outlook.after.peak[:, row]
    before, deviation = day.running.wealth[:, row], glimpse.deviation[:, row]
    remaining = outlook.remaining[:, row]
    left = day.horizon - day.period - 1
    # remaining = wealth sqrt(rest + left deviation^2)
    by_return = remaining / wealth * before
    by_deviation = wealth.square() * deviation / remaining * left if left else None
    slopes = Slopes(by_return, by_deviation)
    return _Portfolio(glimpse.period_return[:, row], deviation, before, wealth, peak, wealth >= peak, remaining, slopes)


def _location_slopes(functional: PortfolioFunctional, own: _Portfolio, outlook: Outlook, day: Day, row: int) -> Slopes:
    match functional:
        case TerminalReturn():
            return Slopes(own.before, None)
        case ExpectedShortfall():
            return Slopes(-own.before, None)
        case RealisedVolatility():
            scale = 1.0 / ((outlook.total[:, row] / day.horizon).clamp_min(1e-16).sqrt() * day.horizon)
            left = day.horizon - day.period - 1
            return Slopes(own.period_return * scale, own.deviation * scale * left)
        case MaxDrawdown():
            deeper = outlook.after.drawdown[:, row] > day.running.drawdown[:, row]
            return Slopes(-own.before / own.peak * (deeper & ~own.rising), None)
        case EventProbability():
            return _event_slopes(functional.event, own, outlook, row)


def _event_slopes(event: PathEvent, own: _Portfolio, outlook: Outlook, row: int) -> Slopes:
    """Of a probability ``c Phi(-distance / remaining)``, with c = 2 on the way (reflection) and 1 at the end."""
    match event:
        case TerminalLoss():
            distance, moved, open_ = own.wealth - (1.0 - event.loss), own.before, None
        case BarrierHit() if event.barrier < 0:
            distance, moved = own.wealth - (1.0 + event.barrier), own.before
            open_ = outlook.after.lowest[:, row] > 1.0 + event.barrier
        case BarrierHit():
            distance, moved = (1.0 + event.barrier) - own.wealth, -own.before
            open_ = outlook.after.peak[:, row] < 1.0 + event.barrier
        case DrawdownBeyond():
            distance = own.wealth - (1.0 - event.depth) * own.peak
            moved = own.before * torch.where(own.rising, event.depth, 1.0)
            open_ = outlook.after.drawdown[:, row] < event.depth
    scaled = distance / own.remaining
    density = normal_density(scaled) / own.remaining
    if open_ is not None:
        # what has happened, and what the reflected path is past, is certain
        density = density * (2.0 * (open_ & (distance > 0)))
    by_return, by_deviation = own.remaining_slopes
    return Slopes(
        density * (scaled * by_return - moved),
        None if by_deviation is None else density * scaled * by_deviation,
    )
