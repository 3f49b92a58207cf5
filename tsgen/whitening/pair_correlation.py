"""The correlation of all pairs under the fast numbers of `moving_correlation`: every pair moves slowly, or few factors.

Twenty series tell within a year or two which of their pairs have drawn closer; what a moving average of 500 x 500
products says is mostly noise. Up to forty series all pairs move, beyond that the strengths of a few factors; neither
does where the history is likelier without.
"""

from typing import Any, NamedTuple, Protocol, final

import torch
from torch import Tensor

from tsgen.whitening.factor_root import FactorRoot, factor_root
from tsgen.whitening.moving_correlation import (
    CORRELATION_DECAY,
    CORRELATION_WEIGHTS,
    DIRECTION_WEIGHT,
    slow_correlation,
    symmetric_root,
)

Parts = tuple[Tensor, ...]
LARGEST_FACTOR_SQUARE = 16.0
STRENGTH_DECAY = 0.98
_HELD_PAIRS, _HELD_FACTORS = 2, 5  # parts in roll-outs; that of a recorded history is one, the moving averages


class PairCorrelation(Protocol):
    """The matrix R of every path, from the parts of its state that belong to it."""

    kind: str
    """Kind of the whitening that has these pairs."""
    direction_weight: float
    """How much of the pressure along the direction counts."""

    def start(self, n_paths: int) -> Parts:
        """Parts of ``n_paths`` paths without a past."""
        ...

    def observed(self, parts: Parts, clipped: Tensor) -> Parts:
        """After recorded clipped shocks (path, asset)."""
        ...

    def held(self, parts: Parts, axis: Tensor) -> Parts:
        """Fixed for roll-outs: nothing of it is computed again."""
        ...

    def root(self, parts: Parts, axis: Tensor) -> Tensor | FactorRoot:
        """A root of R, in the precision of the direction."""
        ...

    def inner(self, parts: Parts, axis: Tensor) -> Tensor:
        """The direction among innovations, (asset,) or (path or 1, asset)."""
        ...

    def covariance(self, parts: Parts, axis: Tensor) -> Tensor:
        """``R v``, (path or 1, asset)."""
        ...

    def arrays(self) -> dict[str, Tensor]:
        """Fitted numbers, float64."""
        ...

    def facts(self) -> dict[str, Any]:
        """Constants, for the reader."""
        ...


@final
class MovingPairs:
    """``0.3 R_0 + 0.7 corr(EWMA .995)``, or ``R_0`` where it does not move; root and ``R v`` are held in roll-outs.

    Parameters
    ----------
    correlation : Tensor of shape (asset, asset)
        ``R_0``, float64.
    slow_weight, direction_weight : float
        One where pairs move, else zero; how much of the pressure along the direction counts.
    """

    kind = "volatility"

    def __init__(
        self, correlation: Tensor, slow_weight: float = 1.0, direction_weight: float = DIRECTION_WEIGHT
    ) -> None:
        self.correlation, self.slow_weight, self.direction_weight = correlation, slow_weight, direction_weight
        self._cached: dict[tuple[torch.dtype, str], Tensor] = {}

    def _like(self, reference: Tensor) -> Tensor:
        key = (reference.dtype, str(reference.device))
        if key not in self._cached:
            self._cached[key] = self.correlation.to(reference)
        return self._cached[key]

    def _slow(self, moments: Tensor) -> Tensor:
        average = self._like(moments)
        return slow_correlation(moments, average) if self.slow_weight else average.expand_as(moments)

    def start(self, n_paths: int) -> Parts:
        """R_0."""
        return (self.correlation.expand(n_paths, -1, -1).clone(),)

    def observed(self, parts: Parts, clipped: Tensor) -> Parts:
        """The moving average of products."""
        outer = clipped[:, :, None] * clipped[:, None, :]
        return (CORRELATION_DECAY * parts[0] + (1 - CORRELATION_DECAY) * outer,)

    def held(self, parts: Parts, axis: Tensor) -> Parts:
        """Root and ``R v`` on the last recorded date."""
        correlation = self._slow(parts[0])
        return symmetric_root(correlation), correlation @ axis.to(correlation)

    def root(self, parts: Parts, axis: Tensor) -> Tensor:
        """The symmetric root, which does not depend on the order of the assets."""
        del axis
        return parts[0] if len(parts) == _HELD_PAIRS else symmetric_root(self._slow(parts[0]))

    def inner(self, parts: Parts, axis: Tensor) -> Tensor:
        """The direction itself: R_0 does not turn it, and the slow matrix hardly."""
        del parts
        return axis

    def covariance(self, parts: Parts, axis: Tensor) -> Tensor:
        """``R v``."""
        return parts[1] if len(parts) == _HELD_PAIRS else self._slow(parts[0]) @ axis

    def arrays(self) -> dict[str, Tensor]:
        """R_0 and what moves."""
        weights = {"slow_weight": self.slow_weight, "direction_weight": self.direction_weight}
        return {"correlation": self.correlation} | {k: torch.tensor(w, dtype=torch.float64) for k, w in weights.items()}

    def facts(self) -> dict[str, Any]:
        """Decay and weights."""
        moving = list(CORRELATION_WEIGHTS) if self.slow_weight else [1.0, 0.0]
        return {"correlation_decay": CORRELATION_DECAY, "correlation_weights": moving}


class FactorNumbers(NamedTuple):
    """Fitted numbers, all float64."""

    loadings: Tensor
    """(asset, factor): ``L``."""
    unique: Tensor
    """(asset,): ``u = 1 - diag(L L')``, positive."""
    extraction: Tensor
    """(asset, factor): standardised shocks times this estimate the factors."""
    factor_square: Tensor
    """(factor,): mean square of the estimates."""
    own_square: Tensor
    """(): mean square of the shocks themselves."""
    slow_weight: Tensor
    """(): one where the strengths of the factors move, else zero."""
    direction_weight: Tensor
    """(): how much of the pressure along the direction counts, zero where there is none."""


def squares_of(clipped: Tensor, numbers: FactorNumbers) -> Tensor:
    """Squared estimates of the factors and, last, the mean square of the shocks, each over its mean."""
    factors = (clipped @ numbers.extraction).square() / numbers.factor_square
    own = clipped.square().mean(dim=-1, keepdim=True) / numbers.own_square
    return torch.cat([factors, own], dim=-1).clamp_max(LARGEST_FACTOR_SQUARE)


def relative_strength(averages: Tensor) -> Tensor:
    """Averages of the factors' squares over that of the shocks: a correlation has no size; (path, factor)."""
    return averages[..., :-1] / averages[..., -1:]


@final
class FactorPairs:
    """``corr(L diag(F) L' + diag(u))``, F: moving averages, decay .98, of squared estimates of the factors, or one.

    They are taken over the average square of all shocks. What few factors do is known within months, what all pairs do
    is not. No work grows with the square of the number of assets. Held as root and ``R v`` in roll-outs.

    Parameters
    ----------
    numbers : FactorNumbers
        From `tsgen.whitening.factor_volatility_fit.fit_factor_volatility`.
    """

    kind = "factor"

    def __init__(self, numbers: FactorNumbers) -> None:
        self.numbers, self.direction_weight = numbers, float(numbers.direction_weight)
        self._cached: dict[tuple[torch.dtype, str], FactorNumbers] = {}

    def _like(self, reference: Tensor) -> FactorNumbers:
        key = (reference.dtype, str(reference.device))
        if key not in self._cached:
            self._cached[key] = FactorNumbers(*(x.to(reference) for x in self.numbers))
        return self._cached[key]

    @property
    def n_factors(self) -> int:
        """Number of factors."""
        return self.numbers.loadings.shape[1]

    def start(self, n_paths: int) -> Parts:
        """Factors as strong as in the long run."""
        return (torch.ones(n_paths, self.n_factors + 1, dtype=torch.float64),)

    def observed(self, parts: Parts, clipped: Tensor) -> Parts:
        """The moving averages of the factors' squares, and of all shocks'."""
        return (torch.lerp(squares_of(clipped, self._like(clipped)), parts[0], STRENGTH_DECAY),)

    def held(self, parts: Parts, axis: Tensor) -> Parts:
        """Root and ``R v`` on the last recorded date."""
        root = self.root(parts, axis)
        return (*root[1:], root.correlated(axis[None]))

    def root(self, parts: Parts, axis: Tensor) -> FactorRoot:
        """The root of every path."""
        numbers = self._like(axis)
        if len(parts) == _HELD_FACTORS:
            scale, strength, forward, backward, _ = parts
            return FactorRoot(numbers.loadings / numbers.unique.sqrt()[:, None], scale, strength, forward, backward)
        strength = 1.0 + numbers.slow_weight * (relative_strength(parts[0]) - 1.0)
        return factor_root(numbers.loadings, numbers.unique, strength)

    def inner(self, parts: Parts, axis: Tensor) -> Tensor:
        """``A'v`` over its length, (path or 1, asset)."""
        loads = self.root(parts, axis).transposed(axis[None])
        return loads / loads.square().sum(dim=-1, keepdim=True).sqrt()

    def covariance(self, parts: Parts, axis: Tensor) -> Tensor:
        """``R v``."""
        return parts[-1] if len(parts) == _HELD_FACTORS else self.root(parts, axis).correlated(axis[None])

    def arrays(self) -> dict[str, Tensor]:
        """All fitted numbers."""
        return self.numbers._asdict()

    def facts(self) -> dict[str, Any]:
        """Number of factors, decay and weight."""
        return {
            "n_factors": self.n_factors,
            "strength_decay": STRENGTH_DECAY,
            "slow_weight": float(self.numbers.slow_weight),
        }
