r"""What the whole panel says on the volatility of each of its series: how large its moves are, and where they lead.

One series says little on today's volatility, all of them together say much. With ``x_i`` the standardised return of
asset i over its own slow level, clipped at five,

    B <- .85 B + .15 P mean_i N_i |x_i|,        C <- .70 C + .30 B,        size
    T <- .85 T + .15 (1 - Q mean_i s_i x_i),                               trend

and asset i's volatility gets ``g_i C + h_i max(T, 0)`` times its slow level. The size is averaged twice, because the
day after a large move is calmer than one average says. The trend nets rises against falls: volatility comes down after
a recovery as it goes up after a slide, which counting falls alone misses. ``P`` and ``Q`` give the size a mean of one
and the trend a standard deviation of 0.7; without news both are one.

References
----------
Guyon and Lekeufack (2023), "Volatility is (mostly) path-dependent", Quantitative Finance 23, for the trend.
"""

import torch
from torch import Tensor

SIZE_DECAY = 0.85
SMOOTHING_DECAY = 0.70
TREND_DECAY = 0.85
_TREND_DEVIATION = 0.7
_LARGEST_SHOCK = 5.0  # the jump of one stale stock is no rout of the panel
_SMALLEST_SHOCK = 0.01


def market_start(n_paths: int) -> Tensor:
    """B, C and T before the first period, (path, 3), float64."""
    return torch.ones(n_paths, 3, dtype=torch.float64)


def market_shocks(ratios: Tensor, absolute_scale: Tensor, leverage_sign: Tensor) -> Tensor:
    """Size of one period and its fall (negative: a rise) before P and Q, from (path, asset) over slow levels."""
    clipped = ratios.clamp(-_LARGEST_SHOCK, _LARGEST_SHOCK)
    size = (clipped.abs() * absolute_scale).mean(dim=-1)
    return torch.stack([size, -(clipped * leverage_sign).mean(dim=-1)], dim=-1)


def market_moved(market: Tensor, shocks: Tensor, scale: Tensor) -> Tensor:
    """B, C and T after the shocks (path, 2) of one period; ``scale`` is (P, Q)."""
    size, smooth, trend = market.unbind(dim=-1)
    size = SIZE_DECAY * size + (1 - SIZE_DECAY) * scale[0] * shocks[:, 0]
    smooth = SMOOTHING_DECAY * smooth + (1 - SMOOTHING_DECAY) * size
    trend = TREND_DECAY * trend + (1 - TREND_DECAY) * (1.0 + scale[1] * shocks[:, 1])
    return torch.stack([size, smooth, trend], dim=-1)


def market_trend(market: Tensor) -> Tensor:
    """T; (..., 3) to (...)."""
    return market[..., 2]


def market_terms(market: Tensor) -> Tensor:
    """What volatility reads, C and max(T, 0); (..., 3) to (..., 2)."""
    return torch.stack([market[..., 1], market_trend(market).clamp_min(0.0)], dim=-1)


def fit_market(shocks: Tensor, burn_in: int) -> tuple[Tensor, Tensor]:
    """P and Q, (2,), and what was known before each date, (date, 3), from the shocks of all dates (date, 2)."""
    size = shocks[burn_in:, 0].mean().clamp_min(_SMALLEST_SHOCK)
    scale = torch.stack([1.0 / size, torch.ones_like(size)])
    known = torch.empty(len(shocks), 3, dtype=shocks.dtype)
    market = market_start(1)
    for t, shock in enumerate(shocks):
        known[t] = market[0]
        market = market_moved(market, shock[None], scale)
    news = known[:, 2] - 1.0
    scale[1] = _TREND_DEVIATION / news[burn_in:].std(correction=0).clamp_min(_SMALLEST_SHOCK)
    known[:, 2] = 1.0 + scale[1] * news  # the trend is linear in Q
    return scale, known
