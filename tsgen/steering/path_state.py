"""Everything a block of half-made paths carries from one period to the next, and how rows of it are picked."""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.networks.history_encoder import Past
from tsgen.steering.look_ahead import Day
from tsgen.steering.path_completion import PathCompletion
from tsgen.steering.period_outlook import following_period, portfolio_forecast
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.quick_map import QuickMap
from tsgen.steering.running_statistics import RunningStatistics, grown, realised, statistics_at_start
from tsgen.steering.steering_reference import SteeringReference
from tsgen.whitening.whitening_protocol import State, as_dtype, colour


class PathState(NamedTuple):
    """State of a block before a period; leading axis path (or 1 where all paths share)."""

    state: State
    window: Tensor
    known: Tensor
    growth: Tensor
    """(path, asset): gross growth of every asset since the start."""
    running: RunningStatistics
    made: Tensor
    """(path, periods so far, asset): returns, kept only where a functional reads the whole path."""


def path_state_at_start(reference: SteeringReference, book: PortfolioBook, n_paths: int) -> PathState:
    """State of ``n_paths`` roll-outs from the reference's starting point."""
    origin = reference.origin
    held = as_dtype(reference.whitening.hold(origin.state, n_paths), torch.float32)
    n_assets = reference.whitening.n_assets
    window = origin.window.to(torch.float32).expand(n_paths, -1, -1)
    return PathState(
        held,
        window,
        origin.known.to(torch.float32).expand(n_paths, -1),
        torch.ones(n_paths, n_assets),
        statistics_at_start(n_paths, len(book.weights)),
        torch.zeros(n_paths, 0, n_assets),
    )


def rows_of(paths: PathState, rows: Tensor) -> PathState:
    """The same state for the paths ``rows`` (with repetition)."""
    n = len(paths.window)

    def picked(field: Tensor) -> Tensor:
        return field[rows] if field.shape[0] == n else field

    return PathState(
        tuple(picked(s) for s in paths.state),
        paths.window[rows],
        paths.known[rows],
        paths.growth[rows],
        RunningStatistics(*(x[rows] for x in paths.running)),
        paths.made[rows],
    )


def day_of(
    paths: PathState,
    reference: SteeringReference,
    book: PortfolioBook,
    *,
    period: int,
    horizon: int,
    unit: Tensor | None,
    foreseen: bool,
    quick_map: QuickMap | None = None,
) -> Day:
    """What is known at the beginning of a period.

    Parameters
    ----------
    unit : Tensor of shape (1, portfolio), optional
        Forecast deviation of the first period; ``None`` in the first period itself.
    foreseen : bool
        Whether look-ahead will be asked for (it needs the forecast of the period after).
    quick_map : QuickMap, optional
        The reference's residual map as a table.
    """
    prediction = reference.whitening.predict(paths.state)
    wealth, weights = paths.running.wealth, book.weights
    forecast = portfolio_forecast(prediction, paths.growth, wealth, weights)
    following = completion = None
    if foreseen and period + 1 < horizon:
        following = following_period(
            reference.whitening,
            paths.state,
            prediction,
            paths.growth,
            wealth,
            weights=weights,
        )
    if book.needs_paths:
        expected = prediction.location.expand(len(paths.window), -1)
        completion = PathCompletion(paths.made, expected, max(horizon - period - 1, 0))
    first = forecast.deviation[:1] if unit is None else unit
    correction = None if reference.residual_map is None else reference.residual_map.like(paths.growth)
    return Day(
        period,
        horizon,
        paths.running,
        prediction,
        forecast,
        following,
        first,
        completion,
        correction,
        quick_map,
        reference.limited_losses,
    )


def past_of(paths: PathState, day: Day) -> Past:
    """What the head's encoder may see."""
    return Past(paths.window, paths.known, day.prediction.features)


def after_day(
    paths: PathState, day: Day, innovations: Tensor, reference: SteeringReference, book: PortfolioBook
) -> tuple[PathState, Tensor]:
    """State after the period, and its returns of shape (path, asset), from the results of the chain."""
    innovations = day.corrected(innovations)
    unbounded = colour(day.prediction, innovations)
    returns = day.returns_of(unbounded)
    window, known = paths.window, paths.known
    if window.shape[1]:
        window = torch.cat([window[:, 1:], innovations[:, None]], dim=1)
        known = torch.cat([known[:, 1:], torch.ones_like(known[:, :1])], dim=1)
    growth = grown(paths.growth, returns, reference.kind)
    following = PathState(
        reference.whitening.imagine(paths.state, unbounded),
        window,
        known,
        growth,
        realised(paths.running, growth, book.weights),
        torch.cat([paths.made, returns[:, None]], dim=1) if book.needs_paths else paths.made,
    )
    return following, returns
