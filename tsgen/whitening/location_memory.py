r"""What past returns of a panel say about the next one: of the market, and of each asset against the market.

With ``e`` the standardised return, clipped at four of its conditional standard deviations ``sigma``, ``m`` its mean
over the assets and ``u = e - m``, the expected standardised return moves by

    min(sigma, 3) * (w_1 u_t + w_2 S_u + w_3 S_m),        S <- .8 S + e   (sums of past shocks, the last ones first).

Three numbers serve all assets. They are small: in daily returns the movement explains a thousandth of the variance,
in monthly ones a hundredth. What it does change is the spread of sums: a market that falls back a little each day gives
a month whose variance is a tenth below that of independent days, and monthly returns that persist give a year whose
variance is above it. Falling back is stronger when volatility is high, hence the factor. The market's own last day is
left out on purpose: its sign changed between 1990 and 2013, and it forecast worse than nothing.

The numbers are weighted least squares on standardised returns, recent dates counting more, with errors independent
between dates only, shrunk towards zero by a normal prior: short or quiet samples keep numbers near zero. Where the
recursion would not die out at the largest factor (smoothed or spiked series), they are scaled back until it does: a
roll-out must not feed on itself. Decay, recency and prior come from rolling origins before the test years
(``examples/experiments/real_markets``).

References
----------
Jegadeesh (1990), "Evidence of predictable behavior of security returns", Journal of Finance 45;
Poterba, Summers (1988), "Mean reversion in stock prices", Journal of Financial Economics 22 (variance ratios);
Nagel (2012), "Evaporating liquidity", Review of Financial Studies 25 (stronger when volatility is high).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

MEMORY_DECAY = 0.8
N_MEMORY_TERMS = 3
_LARGEST_SHOCK = 4.0
_LARGEST_SIGMA = 3.0
_SMALLEST_SQUARE = 1e-12
_LARGEST_RADIUS = 0.95  # a disturbance of the location halves within 14 periods, in the worst crisis
_RECENCY = 0.9994  # half of the weight lies on the last 1,155 dates: the strength drifts over decades
# a term is expected to explain the square of this: 0.01 % of the variance for spreads between assets, which differ from
# panel to panel, and 0.04 % for the market; with larger numbers five exchange-traded funds were forecast worse
_PRIOR_DEVIATIONS = np.array([0.01, 0.01, 0.02])


def remember(memory: Tensor, shock: Tensor, sigma: Tensor) -> Tensor:
    """Memory after one more standardised shock.

    Parameters
    ----------
    memory : Tensor of shape (path, asset, 2)
        Last shock and decayed sum.
    shock, sigma : Tensor of shape (path, asset)
        Same unit; the shock is clipped at four ``sigma``.
    """
    bound = _LARGEST_SHOCK * sigma
    clipped = torch.minimum(torch.maximum(shock, -bound), bound)
    return torch.stack([clipped, MEMORY_DECAY * memory[..., 1] + clipped], dim=-1)


def memory_terms(memory: Tensor, sigma: Tensor) -> Tensor:
    """What the three numbers multiply: last own shock, own sum, sum of the market.

    Parameters
    ----------
    memory : Tensor of shape (path, asset, 2)
    sigma : Tensor of shape (path, asset)
        Conditional standard deviation of the coming shock.

    Returns
    -------
    Tensor of shape (path, asset, 3)
    """
    market = memory.mean(dim=-2, keepdim=True)
    own = memory - market
    terms = torch.cat([own, market[..., 1:].expand_as(own[..., 1:])], dim=-1)
    return terms * sigma.clamp_max(_LARGEST_SIGMA)[..., None]


def movement(memory: Tensor, sigma: Tensor, weights: Tensor) -> Tensor:
    """`memory_terms` times their three weights, without making room for the terms; (path, asset)."""
    market = memory.mean(dim=-2, keepdim=True)
    own = memory - market
    moved = weights[0] * own[..., 0] + weights[1] * own[..., 1] + weights[2] * market[..., 1]
    return moved * sigma.clamp_max(_LARGEST_SIGMA)


def fit_location_memory(shocks: Array, sigma: Array, burn_in: int) -> tuple[Array, Array]:
    """Weights of the three terms, and the movement of the location on every date.

    Parameters
    ----------
    shocks, sigma : ndarray of shape (date, asset)
        Standardised returns, and the conditional standard deviation known before each.
    burn_in : int
        Dates that are not fitted.

    Returns
    -------
    weights : ndarray of shape (3,)
        Scaled back where roll-outs would feed on them.
    movement : ndarray of shape (date, asset)
        In units of the shocks, known before each date.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((4000, 10))
    >>> weights, movement = fit_location_memory(noise, np.ones_like(noise), 60)
    >>> weights.shape, bool(movement.std() < 0.02)
    ((3,), True)
    """
    memory = torch.zeros(1, shocks.shape[1], 2, dtype=torch.float64)
    rows = []
    for shock, scale in zip(torch.from_numpy(shocks), torch.from_numpy(sigma), strict=True):
        rows.append(memory)
        memory = remember(memory, shock[None], scale[None])
    terms = memory_terms(torch.cat(rows), torch.from_numpy(sigma)).numpy()
    standard_terms = (terms / sigma[..., None])[burn_in:]
    standard = np.clip(shocks / sigma, -_LARGEST_SHOCK, _LARGEST_SHOCK)[burn_in:]
    # one asset is its own market, and so are several that move as one: there are no spreads to learn from
    used = np.flatnonzero(np.square(standard_terms).mean(axis=(0, 1)) > _SMALLEST_SQUARE)
    weights = np.zeros(N_MEMORY_TERMS)
    weights[used] = _shrunk_regression(standard_terms[..., used], standard, _PRIOR_DEVIATIONS[used])
    stable = _stable(weights)
    return stable, terms @ stable


def _stable(weights: Array) -> Array:
    """Weights of spreads and of the market, each scaled back until the recursion decays at every factor up to three."""
    shares = np.linspace(0.0, 1.0, 201)
    factors = _LARGEST_SIGMA * shares
    last, total, market = (factors * w for w in weights)
    matrices = np.array([[last, total], [last, MEMORY_DECAY + total]]).transpose(2, 0, 1)  # of (last shock, sum)
    radii = np.abs(np.linalg.eigvals(matrices)).max(axis=1), np.abs(MEMORY_DECAY + market)
    own_share, market_share = (shares[np.cumprod(r <= _LARGEST_RADIUS).sum() - 1] for r in radii)
    return weights * np.array([own_share, own_share, market_share])


def _shrunk_regression(terms: Array, values: Array, prior_deviations: Array) -> Array:
    """Recency-weighted least squares, errors independent between dates; posterior mean under the prior.

    ``prior_deviations`` are those of a weight times the root mean square of its term.
    """
    recency = _RECENCY ** np.arange(len(values))[::-1]
    gram = np.einsum("t,tnk,tnl->kl", recency, terms, terms)
    inverse = np.linalg.inv(gram)
    found = inverse @ np.einsum("t,tnk,tn->k", recency, terms, values)
    scores = np.einsum("tnk,tn->tk", terms, values - terms @ found) * recency[:, None]
    precision = np.linalg.inv(inverse @ (scores.T @ scores) @ inverse)
    unit_square = np.diag(gram) / (recency.sum() * values.shape[1])
    return np.linalg.solve(precision + np.diag(unit_square / prior_deviations**2), precision @ found)
