r"""Correlation that moves slowly in all pairs, and fast in two numbers: along one direction, and around it.

All pairs follow ``R = 0.3 R_0 + 0.7 corr(EWMA .995)``. With ``v`` the first principal direction of ``R_0`` and ``y``
the standardised shocks, two averages move faster:

    q <- .95 q + .05 * 2 min(v'y, 0)^2 / v'Rv                variance along ``v``, from falls: then all fall together,
    h <- .80 h + .20 H mean_i min(|u_i|, 2)                  size of what is left around it,

where ``u_i`` is what a regression of ``y_i`` on ``v'y`` leaves, over its standard deviation. One series cannot tell a
quiet day from a quiet market; what twenty of them do apart from the market is measured well every day, and persists.
The innovations are coloured in that order,

    x = D^{-1} (I + s v v') R^{1/2} (vv' + (1 + w (h - 1)) (I - vv')) z,        1 + s = sqrt((1 + q) / 2),

with ``D`` the deviations of ``(I + s v v') R (I + s v v')``: variance along ``v`` moves correlations only, the rest
moves scales. The weight ``w`` grows with the number of assets, 0.6 (n - 1) / (n + 1).

References
----------
Cappiello, Engle, Sheppard (2006), "Asymmetric dynamics in the correlations of global equity and bond returns", Journal
of Financial Econometrics 4, for correlations that answer to falls.
Herskovic, Kelly, Lustig, Van Nieuwerburgh (2016), "The common factor in idiosyncratic volatility", Journal of
Financial Economics 119.
"""

from typing import NamedTuple

import torch
from torch import Tensor

CORRELATION_DECAY = 0.995
CORRELATION_WEIGHTS = (0.3, 0.7)
DIRECTION_DECAY = 0.95
DIRECTION_WEIGHT = 0.5
DISPERSION_DECAY = 0.80
_DISPERSION_WEIGHT = 0.6
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
    return _DISPERSION_WEIGHT * (n_assets - 1) / (n_assets + 1)


def clipped_shocks(standardised: Tensor) -> Tensor:
    """Standardised shocks as correlations see them: a single spike counts as four deviations."""
    return standardised.clamp(-_LARGEST_SHOCK, _LARGEST_SHOCK)


class Direction(NamedTuple):
    """The direction that moves on its own, and what the slow correlation says of it."""

    axis: Tensor
    """(asset,): v, signed so that bad news moves it down."""
    covariance: Tensor
    """(path or 1, asset): R v."""

    @property
    def variance(self) -> Tensor:
        """(path or 1,): v'Rv."""
        return self.covariance @ self.axis

    def stretch(self, along: Tensor) -> Tensor:
        """S from q, both (path,)."""
        return (1.0 - DIRECTION_WEIGHT + DIRECTION_WEIGHT * along).sqrt() - 1.0

    def deviations(self, along: Tensor) -> Tensor:
        """From q, (path,): the diagonal of D, (path, asset)."""
        load = self.stretch(along)[:, None] * self.axis
        return (1.0 + 2.0 * load * self.covariance + load.square() * self.variance[:, None]).sqrt()

    def fall(self, clipped: Tensor) -> Tensor:
        """(path,): what a period adds to q, from clipped shocks (path, asset); nothing after a rise."""
        down = (clipped @ self.axis).clamp_max(0.0)
        return (2.0 * down.square() / self.variance).clamp_max(_LARGEST_DIRECTION_SQUARE)

    def residual_size(self, clipped: Tensor, along: Tensor) -> Tensor:
        """(path,): what a period adds to h before H, from clipped shocks (path, asset)."""
        explained = self.covariance / self.variance[:, None]
        left = clipped - explained * (clipped @ self.axis)[:, None]
        variance = (1.0 - explained * self.covariance).clamp_min(_SMALLEST_RESIDUAL_VARIANCE)
        return (self.deviations(along) * left.abs() * variance.rsqrt()).clamp_max(_LARGEST_RESIDUAL).mean(dim=-1)


class DirectedRoot(NamedTuple):
    """The mixing matrix of every path, applied without being formed."""

    slow: Tensor
    """(path or 1, asset, asset): symmetric root of R."""
    axis: Tensor
    """(asset,): v."""
    stretch: Tensor
    """(path,): s."""
    around: Tensor
    """(path,): 1 + w (h - 1)."""
    deviations: Tensor
    """(path, asset): diagonal of D."""

    def colour(self, innovations: Tensor) -> Tensor:
        """Standardised shocks of innovations (path, asset)."""
        bent = self._spread(innovations, self.around)
        return self._stretched(self._by_slow(bent), self.stretch) / self.deviations

    def whiten(self, standardised: Tensor) -> Tensor:
        """Innovations of standardised shocks (path, asset)."""
        straight = self._stretched(standardised * self.deviations, -self.stretch / (1.0 + self.stretch))
        return self._spread(torch.linalg.solve(self.slow, straight[:, :, None])[:, :, 0], 1.0 / self.around)

    def transposed(self, loads: Tensor) -> Tensor:
        """The transposed matrix times loads of shape (path, portfolio, asset)."""
        stretched = loads / self.deviations[:, None]
        stretched = stretched + (self.stretch[:, None] * (stretched @ self.axis))[..., None] * self.axis
        bent = stretched @ (self.slow[0] if self.slow.shape[0] == 1 else self.slow)
        around = self.around[:, None, None]
        return around * bent + ((1.0 - around) * (bent @ self.axis)[..., None]) * self.axis

    def stacked(self, copies: int) -> "DirectedRoot":
        """The matrices of all paths, several times one after the other."""
        slow = self.slow if self.slow.shape[0] == 1 else self.slow.repeat(copies, 1, 1)
        around, deviations = self.around.repeat(copies), self.deviations.repeat(copies, 1)
        return DirectedRoot(slow, self.axis, self.stretch.repeat(copies), around, deviations)

    def dense(self) -> Tensor:
        """The matrices, (path, asset, asset)."""
        columns = torch.eye(len(self.axis), dtype=self.slow.dtype, device=self.slow.device)
        return self.transposed(columns.expand(len(self.stretch), -1, -1))

    def _stretched(self, values: Tensor, stretch: Tensor) -> Tensor:
        return torch.addcmul(values, (stretch * (values @ self.axis))[:, None], self.axis)

    def _spread(self, values: Tensor, around: Tensor) -> Tensor:
        return torch.addcmul(around[:, None] * values, ((1.0 - around) * (values @ self.axis))[:, None], self.axis)

    def _by_slow(self, values: Tensor) -> Tensor:
        if self.slow.shape[0] == 1:  # one product for all paths instead of one per path
            return values @ self.slow[0]
        return (self.slow @ values[:, :, None])[:, :, 0]
