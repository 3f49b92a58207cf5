r"""Slope of the value with respect to the clean estimate, mostly in closed form.

The value reads the clean estimate through a few numbers per portfolio (return, deviation and drift of the period after)
and its size. Their slopes, those of the features and that of the network are written out, which makes a steered path
affordable; only the constraints' own forecasts are differentiated automatically.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.steering.control_policy import ControlPolicy, Transition, base_value
from tsgen.steering.look_ahead import (
    N_COLUMNS,
    Day,
    Foreseen,
    Glimpse,
    Outlook,
    clock_of,
    feature_columns,
    feature_slopes,
    glimpse_of,
    outlook_of,
)
from tsgen.steering.period_outlook import deviation_slope
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.portfolio_mixing import mixed_back
from tsgen.steering.running_statistics import RunningStatistics


class ValueSlope(NamedTuple):
    """Value at a node and its slope."""

    foreseen: Foreseen
    value: Tensor
    """(path,)."""
    clean: Tensor
    """(path, asset): with respect to the clean estimate."""


class _Forecasts(NamedTuple):
    """The constraints' forecasts with gradients recorded down to return, deviation and, for whole paths, estimate."""

    inputs: list[Tensor]
    outlook: Outlook
    """Without gradients."""
    location: Tensor
    spread: Tensor
    base: Tensor
    shown: Tensor
    """Features of the forecasts."""


def value_slope(
    policy: ControlPolicy, book: PortfolioBook, day: Day, clean: Tensor, at: Transition, share: float
) -> ValueSlope:
    """Value and slope at the clean estimate (path, asset)."""
    image = day.see(clean, at.sine)
    mapped = image.mapped
    glimpse = glimpse_of(mapped, day, at.sine)
    own = _forecasts(policy, book, day, glimpse, mapped, at.sine)
    outlook = own.outlook
    columns = feature_columns(glimpse, outlook, day)
    clock = clock_of(day, at.cosine, at.sine, share, mapped)
    features = torch.cat([*columns, own.shown.detach(), glimpse.size, clock], dim=1)
    learned, pull = policy.network.with_slope(features)
    n, s = glimpse.period_return.shape
    parts = list(pull[:, : N_COLUMNS * s].view(n, N_COLUMNS, s).unbind(dim=1))
    by_return, by_deviation, by_drift = feature_slopes(parts, glimpse, outlook, day)
    first = N_COLUMNS * s
    found = _pulled(own, pull[:, first : first + own.shown.shape[1]])
    by_return, by_deviation = by_return + found[0], by_deviation + found[1]
    slope = _summed(by_return, day.forecast.loading)
    slope = torch.addcmul(slope, pull[:, first + own.shown.shape[1]][:, None], mapped, value=2.0 / mapped.shape[1])
    if day.following is not None and glimpse.shocks is not None:
        turned = by_deviation[:, :, None] * deviation_slope(day.following, glimpse.shocks, at.sine)
        if day.following.location_slope is not None:
            turned = turned + by_drift[:, :, None] * day.following.location_slope
        back = mixed_back(day.prediction, turned)
        slope = slope + (back[:, 0] if s == 1 else back.sum(dim=1))
    if book.needs_paths:
        slope = slope + found[2]
    foreseen = Foreseen(features, own.location.detach(), own.spread.detach())
    return ValueSlope(foreseen, own.base.detach() + learned, day.pulled_back(image, slope))


def _summed(amounts: Tensor, loading: Tensor) -> Tensor:
    """``sum_s amount_s loading_s``, (path, asset)."""
    if amounts.shape[1] == 1:
        return amounts * loading[:, 0]
    return (amounts[:, :, None] * loading).sum(dim=1)


def _forecasts(
    policy: ControlPolicy, book: PortfolioBook, day: Day, glimpse: Glimpse, mapped: Tensor, sine: float
) -> _Forecasts:
    with torch.enable_grad():
        inputs = [glimpse.period_return.detach().requires_grad_(True), glimpse.deviation.detach().requires_grad_(True)]
        read = mapped.detach().requires_grad_(book.needs_paths)
        seen = glimpse._replace(period_return=inputs[0], deviation=inputs[1])
        outlook = outlook_of(seen, day, sine)
        location, spread = book.look_ahead(outlook.after, outlook.total, outlook.remaining, day, read)
        base = base_value(policy.statistics, policy.multipliers, location, spread)
        shown = book.features(location)
    known = Outlook(RunningStatistics(*(x.detach() for x in outlook.after)), *(x.detach() for x in outlook[1:]))
    wanted = [*inputs, read] if book.needs_paths else inputs
    return _Forecasts(wanted, known, location, spread, base, shown)


def _pulled(own: _Forecasts, pull: Tensor) -> list[Tensor]:
    """Slopes of base and shown forecasts with respect to the inputs."""
    outputs, weights = [], []
    for output, weight in ((own.base, torch.ones_like(own.base)), (own.shown, pull)):
        if output.requires_grad and output.numel():
            outputs.append(output)
            weights.append(weight)
    if not outputs:
        return [torch.zeros_like(x) for x in own.inputs]
    found = torch.autograd.grad(outputs, own.inputs, grad_outputs=weights, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, own.inputs, strict=True)]
