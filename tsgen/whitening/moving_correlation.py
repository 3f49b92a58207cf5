r"""Correlation that moves fast in two numbers, along one direction and around it, above what all pairs do slowly.

All pairs follow ``R = 0.3 R_0 + 0.7 corr(EWMA .995)``, or keep ``R_0`` where the history is not likelier so. With
``v`` the first principal direction of ``R_0`` and ``y`` the standardised shocks, clipped at four, two averages move
faster:

    q <- .95 q + .05 min((v'y)^2 / v'Rv, 16)                 size along ``v``: in a rout everything falls together,
    h <- .80 h + .20 H mean_i min(|u_i|, 2)                  size of what is left around it,

where ``u_i`` is what a regression on the direction leaves of ``y_i``, over its standard deviation. One series cannot
tell a quiet day from a quiet market; what twenty of them do apart from the market is measured well every day, and
persists. The innovations are coloured in that order,

    x = D^{-1} (I + s v v') R^{1/2} (vv' + (1 + w (h - 1)) (I - vv')) z,        1 + s = sqrt((1 + p) / 2),
    p = max(q + 0.6 (T - 1), 0.1),

with ``T`` the trend of the market (`tsgen.whitening.market_volatility`), because correlations rise when markets fall,
and ``D`` the deviations of ``(I + s v v') R (I + s v v')``: pressure ``p`` along ``v`` moves correlations only, the
rest moves scales. The weight ``w`` grows with the number of assets, 0.6 (n - 1) / (n + 1). For a root ``A`` of R
that is not symmetric, ``A'v`` over its length takes the place of ``v`` among the innovations, and the pressure counts
with another weight than one half where that was estimated (`tsgen.whitening.pair_correlation.FactorPairs`).

References
----------
Cappiello, Engle, Sheppard (2006), "Asymmetric dynamics in the correlations of global equity and bond returns", Journal
of Financial Econometrics 4.
Herskovic, Kelly, Lustig, Van Nieuwerburgh (2016), "The common factor in idiosyncratic volatility", Journal of
Financial Economics 119.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.whitening.factor_root import FactorRoot

CORRELATION_DECAY = 0.995
CORRELATION_WEIGHTS = (0.3, 0.7)
DIRECTION_DECAY = 0.95
DIRECTION_WEIGHT = 0.5
DISPERSION_DECAY = 0.80
TREND_WEIGHT = 0.6
_SMALLEST_PRESSURE = 0.1
DISPERSION_WEIGHT = 0.6
_LARGEST_SHOCK = 4.0
_LARGEST_DIRECTION_SQUARE = 16.0
_LARGEST_RESIDUAL = 2.0  # the jump of one stock says nothing on the others
_SMALLEST_RESIDUAL_VARIANCE = 0.05


def correlation_of(second_moments: Tensor) -> Tensor:
    """Second moments scaled to unit diagonal."""
    inverse = torch.diagonal(second_moments, dim1=-2, dim2=-1).rsqrt()
    return second_moments * inverse[..., :, None] * inverse[..., None, :]


def slow_correlation(moments: Tensor, average: Tensor) -> Tensor:
    """Blend of the moving second moments (path, asset, asset) and the long-run correlation (asset, asset)."""
    constant, moving = CORRELATION_WEIGHTS
    return constant * average + moving * correlation_of(moments)


def symmetric_root(correlation: Tensor) -> Tensor:
    """Symmetric positive square root of a batch of correlation matrices."""
    values, vectors = torch.linalg.eigh(correlation)
    return (vectors * values.clamp_min(1e-10).sqrt()[..., None, :]) @ vectors.transpose(-2, -1)


def dispersion_weight(n_assets: int) -> float:
    """Weight w: the fewer series there are, the less one day says on the size of all of them."""
    return DISPERSION_WEIGHT * (n_assets - 1) / (n_assets + 1)


def clipped_shocks(standardised: Tensor) -> Tensor:
    """Standardised shocks as correlations see them: a single spike counts as four deviations."""
    return standardised.clamp(-_LARGEST_SHOCK, _LARGEST_SHOCK)


def pressure_on_direction(along: Tensor, trend: Tensor) -> Tensor:
    """The number ``p``, from ``q`` and the market's trend T, all (path,)."""
    return (along + TREND_WEIGHT * (trend - 1.0)).clamp_min(_SMALLEST_PRESSURE)


def stretched(values: Tensor, axis: Tensor, stretch: Tensor) -> Tensor:
    """``(I + s v v')`` times every row of values (path, asset)."""
    return torch.addcmul(values, (stretch * (values @ axis))[:, None], axis)


def unstretched(values: Tensor, axis: Tensor, stretch: Tensor) -> Tensor:
    """The inverse of `stretched`."""
    return stretched(values, axis, -stretch / (1.0 + stretch))


class Direction(NamedTuple):
    """The direction that moves on its own, and what the slow correlation says of it."""

    axis: Tensor
    """(asset,): v."""
    covariance: Tensor
    """(path or 1, asset): R v."""
    weight: Tensor | float = DIRECTION_WEIGHT
    """How much of its pressure counts."""

    @property
    def variance(self) -> Tensor:
        """(path or 1,): v'Rv."""
        return self.covariance @ self.axis

    def stretch(self, pressure: Tensor) -> Tensor:
        """The number ``s`` from ``p``, both (path,)."""
        return (1.0 - self.weight + self.weight * pressure).sqrt() - 1.0

    def deviations(self, pressure: Tensor) -> Tensor:
        """The diagonal of D, (path, asset), from ``p``, (path,)."""
        load = self.stretch(pressure)[:, None] * self.axis
        return (1.0 + 2.0 * load * self.covariance + load.square() * self.variance[:, None]).sqrt()

    def square(self, clipped: Tensor) -> Tensor:
        """(path,): what a period adds to q, from clipped shocks (path, asset)."""
        return ((clipped @ self.axis).square() / self.variance).clamp_max(_LARGEST_DIRECTION_SQUARE)

    def residual_size(self, clipped: Tensor, pressure: Tensor) -> Tensor:
        """(path,): what a period adds to h before H, from clipped shocks (path, asset) and p (path,)."""
        stretch = self.stretch(pressure)
        straight = unstretched(clipped * self.deviations(pressure), self.axis, stretch)  # has the slow correlation
        explained = self.covariance / self.variance[:, None]
        left = straight - explained * (straight @ self.axis)[:, None]
        variance = (1.0 - explained * self.covariance).clamp_min(_SMALLEST_RESIDUAL_VARIANCE)
        return (left.abs() * variance.rsqrt()).clamp_max(_LARGEST_RESIDUAL).mean(dim=-1)


class DirectedRoot(NamedTuple):
    """The mixing matrix of every path, applied without being formed."""

    slow: Tensor | FactorRoot
    """(path or 1, asset, asset): symmetric root of R; or the root of one R for all paths."""
    axis: Tensor
    """(asset,): v."""
    inner: Tensor
    """(asset,) or (path or 1, asset): the direction among innovations, v itself for the symmetric root."""
    stretch: Tensor
    """(path,): s."""
    around: Tensor
    """(path,): 1 + w (h - 1)."""
    deviations: Tensor
    """(path, asset): diagonal of D."""

    def colour(self, innovations: Tensor) -> Tensor:
        """Standardised shocks of innovations (path, asset)."""
        bent = self._spread(innovations, self.around)
        return stretched(self._by_slow(bent), self.axis, self.stretch) / self.deviations

    def whiten(self, standardised: Tensor) -> Tensor:
        """Innovations of standardised shocks (path, asset)."""
        straight = unstretched(standardised * self.deviations, self.axis, self.stretch)
        if isinstance(self.slow, Tensor):
            return self._spread(torch.linalg.solve(self.slow, straight[:, :, None])[:, :, 0], 1.0 / self.around)
        return self._spread(self.slow.whiten(straight), 1.0 / self.around)

    def transposed(self, loads: Tensor) -> Tensor:
        """The transposed matrix times loads of shape (path, portfolio, asset)."""
        stretched = loads / self.deviations[:, None]
        stretched = stretched + (self.stretch[:, None] * (stretched @ self.axis))[..., None] * self.axis
        if not isinstance(self.slow, Tensor):
            columns = [self.slow.transposed(stretched[:, s]) for s in range(stretched.shape[1])]
            return torch.stack([self._spread(column, self.around) for column in columns], dim=1)
        bent = stretched @ (self.slow[0] if self.slow.shape[0] == 1 else self.slow)
        around = self.around[:, None, None]
        return around * bent + ((1.0 - around) * (bent @ self.inner)[..., None]) * self.inner

    def stacked(self, copies: int) -> "DirectedRoot":
        """The matrices of all paths, several times one after the other."""
        slow, inner = self.slow, self.inner
        if not isinstance(slow, Tensor):
            slow, inner = slow.repeated(copies), inner if len(inner) == 1 else inner.repeat(copies, 1)
        elif slow.shape[0] > 1:
            slow = slow.repeat(copies, 1, 1)
        around, deviations = self.around.repeat(copies), self.deviations.repeat(copies, 1)
        return DirectedRoot(slow, self.axis, inner, self.stretch.repeat(copies), around, deviations)

    def dense(self) -> Tensor:
        """The matrices, (path, asset, asset)."""
        columns = torch.eye(len(self.axis), dtype=self.axis.dtype, device=self.axis.device)
        return self.transposed(columns.expand(len(self.stretch), -1, -1))

    def _spread(self, values: Tensor, around: Tensor) -> Tensor:
        along = values @ self.inner if self.inner.dim() == 1 else (values * self.inner).sum(dim=-1)
        return torch.addcmul(around[:, None] * values, ((1.0 - around) * along)[:, None], self.inner)

    def _by_slow(self, values: Tensor) -> Tensor:
        if not isinstance(self.slow, Tensor):
            return self.slow.colour(values)
        if self.slow.shape[0] == 1:  # one product for all paths instead of one per path
            return values @ self.slow[0]
        return (self.slow @ values[:, :, None])[:, :, 0]
