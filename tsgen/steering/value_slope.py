r"""Slope of the value with respect to the clean estimate, mostly in closed form.

The value reads the clean estimate through a few numbers per portfolio (return, deviation and drift of the period after)
and its size. Their slopes, those of the features and that of the network are written out, which makes a steered path
affordable; only a user's function of the path is differentiated automatically.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.steering.control_policy import ControlPolicy, Transition
from tsgen.steering.forecast_slopes import forecast_slopes
from tsgen.steering.look_ahead import (
    N_COLUMNS,
    Day,
    Foreseen,
    clock_of,
    feature_columns,
    feature_slopes,
    glimpse_of,
    outlook_of,
)
from tsgen.steering.period_outlook import deviation_slope
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.risk_functionals import PathMean
from tsgen.whitening.mixing import mixed_back


class ValueSlope(NamedTuple):
    """What is foreseen at a node, and the slope of the value there."""

    foreseen: Foreseen
    clean: Tensor
    """(path, asset): with respect to the clean estimate."""


def value_slope(
    policy: ControlPolicy, book: PortfolioBook, day: Day, clean: Tensor, at: Transition, share: float
) -> ValueSlope:
    """Slope of the value at the clean estimate (path, asset)."""
    image = day.see(clean, at.sine)
    mapped = image.mapped
    glimpse = glimpse_of(mapped, day, at.sine)
    outlook = outlook_of(glimpse, day, at.sine)
    with torch.set_grad_enabled(book.needs_paths):
        read = mapped.detach().requires_grad_(book.needs_paths)
        made, spread = book.look_ahead(outlook.after, outlook.total, outlook.remaining, day, read)
    location = made.detach()
    shown = book.features(location)
    columns = feature_columns(glimpse, outlook, day)
    clock = clock_of(day, at.cosine, at.sine, share, mapped)
    features = torch.cat([*columns, shown, glimpse.size, clock], dim=1)
    pull = policy.network.slope(features)
    n, s = glimpse.period_return.shape
    parts = list(pull[:, : N_COLUMNS * s].view(n, N_COLUMNS, s).unbind(dim=1))
    by_return, by_deviation, by_drift = feature_slopes(parts, glimpse, outlook, day)
    first = N_COLUMNS * s
    last = first + shown.shape[1]
    on_location, on_spread = _wanted(policy, book, location, spread, pull[:, first:last])
    found = forecast_slopes(book, on_location, on_spread, glimpse, outlook, day)
    by_return, by_deviation = by_return + found[0], by_deviation + found[1]
    slope = _summed(by_return, day.forecast.loading)
    slope = torch.addcmul(slope, pull[:, last][:, None], mapped, value=2.0 / mapped.shape[1])
    if day.following is not None and glimpse.shocks is not None:
        turned = by_deviation[:, :, None] * deviation_slope(day.following, glimpse.shocks, at.sine)
        if day.following.location_slope is not None:
            turned = turned + by_drift[:, :, None] * day.following.location_slope
        back = mixed_back(day.prediction.root, turned)
        slope = slope + (back[:, 0] if s == 1 else back.sum(dim=1))
    if book.needs_paths:
        slope = slope + _of_paths(book, made, on_location, read)
    return ValueSlope(Foreseen(features, location, spread), day.pulled_back(image, slope))


def _summed(amounts: Tensor, loading: Tensor) -> Tensor:
    """``sum_s amount_s loading_s``, (path, asset)."""
    if amounts.shape[1] == 1:
        return amounts * loading[:, 0]
    return (amounts[:, :, None] * loading).sum(dim=1)


def _wanted(
    policy: ControlPolicy, book: PortfolioBook, location: Tensor, spread: Tensor, pull: Tensor
) -> tuple[list[Tensor], list[Tensor | None]]:
    """Slope of the value with respect to every functional's location and spread."""
    on_location, on_spread = [], []
    shown = book.feature_pulls(location, pull)
    for j, (statistic, multiplier) in enumerate(zip(policy.statistics, policy.aimed, strict=True)):
        own, scattered = statistic.base_slopes(multiplier, location[:, j], spread[:, j])
        extra = shown[j]
        on_location.append(own if extra is None else own + extra)
        on_spread.append(scattered)
    return on_location, on_spread


def _of_paths(book: PortfolioBook, made: Tensor, on_location: list[Tensor], read: Tensor) -> Tensor:
    """Slope through the functions of whole paths, with respect to the estimate (path, asset)."""
    if not made.requires_grad:
        return torch.zeros_like(read)
    none = torch.zeros(len(read))
    pairs = zip(book.functionals, on_location, strict=True)
    weights = torch.stack([weight if isinstance(f, PathMean) else none for f, weight in pairs], dim=1)
    (slope,) = torch.autograd.grad(made, read, grad_outputs=weights, allow_unused=True)
    return torch.zeros_like(read) if slope is None else slope
