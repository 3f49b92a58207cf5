"""The correlation of all pairs under the fast numbers of `moving_correlation`: moving slowly, or of constant factors.

Twenty series tell within a year or two which of their pairs have drawn closer; what a moving average of 500 x 500
products says is mostly noise. Up to sixty series all pairs move, beyond that a few constant factors hold.
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

    def inner(self, axis: Tensor) -> Tensor:
        """The direction among innovations, (asset,)."""
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
    """``0.3 R_0 + 0.7 corr(EWMA .995)``; held as symmetric root and ``R v`` in roll-outs.

    Parameters
    ----------
    correlation : Tensor of shape (asset, asset)
        ``R_0``, float64.
    """

    kind = "volatility"
    direction_weight = DIRECTION_WEIGHT

    def __init__(self, correlation: Tensor) -> None:
        self.correlation = correlation
        self._cached: dict[tuple[torch.dtype, str], Tensor] = {}

    def _like(self, reference: Tensor) -> Tensor:
        key = (reference.dtype, str(reference.device))
        if key not in self._cached:
            self._cached[key] = self.correlation.to(reference)
        return self._cached[key]

    def _slow(self, moments: Tensor) -> Tensor:
        return slow_correlation(moments, self._like(moments))

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
        return parts[0] if len(parts) == 2 else symmetric_root(self._slow(parts[0]))

    def inner(self, axis: Tensor) -> Tensor:
        """The direction itself: R_0 does not turn it, and the slow matrix hardly."""
        return axis

    def covariance(self, parts: Parts, axis: Tensor) -> Tensor:
        """``R v``."""
        return parts[1] if len(parts) == 2 else self._slow(parts[0]) @ axis

    def arrays(self) -> dict[str, Tensor]:
        """R_0."""
        return {"correlation": self.correlation}

    def facts(self) -> dict[str, Any]:
        """Decay and weights."""
        return {"correlation_decay": CORRELATION_DECAY, "correlation_weights": list(CORRELATION_WEIGHTS)}


class _FactorNumbers(NamedTuple):
    root: FactorRoot
    covariance: Tensor  # (1, asset): R v
    inner: Tensor  # (asset,)


@final
class FactorPairs:
    """``L L' + diag(u)`` for ever: no state, and no work that grows with the square of the number of assets.

    Parameters
    ----------
    loadings : Tensor of shape (asset, factor)
    unique : Tensor of shape (asset,)
        ``1 - diag(L L')``, positive.
    direction : Tensor of shape (asset,)
        ``v``.
    direction_weight : float
        How much of the pressure along it counts; zero where correlations do not move.
    """

    kind = "factor"

    def __init__(self, loadings: Tensor, unique: Tensor, direction: Tensor, direction_weight: float) -> None:
        self.loadings, self.unique, self.direction_weight = loadings, unique, direction_weight
        root = factor_root(loadings, unique)
        covariance = root.correlated(direction)
        inner = root.transposed(direction) / (direction @ covariance).sqrt()  # A'v, of length one
        self._numbers = _FactorNumbers(root, covariance[None], inner)
        self._cached: dict[tuple[torch.dtype, str], _FactorNumbers] = {}

    def _like(self, reference: Tensor) -> _FactorNumbers:
        key = (reference.dtype, str(reference.device))
        if key not in self._cached:
            root = FactorRoot(*(x.to(reference) for x in self._numbers.root))
            self._cached[key] = _FactorNumbers(root, *(x.to(reference) for x in self._numbers[1:]))
        return self._cached[key]

    @property
    def n_factors(self) -> int:
        """Number of factors."""
        return self.loadings.shape[1]

    def start(self, n_paths: int) -> Parts:
        """Nothing moves."""
        del n_paths
        return ()

    def observed(self, parts: Parts, clipped: Tensor) -> Parts:
        """Nothing moves."""
        del clipped
        return parts

    def held(self, parts: Parts, axis: Tensor) -> Parts:
        """Nothing moves."""
        del axis
        return parts

    def root(self, parts: Parts, axis: Tensor) -> FactorRoot:
        """One root for all paths."""
        del parts
        return self._like(axis).root

    def inner(self, axis: Tensor) -> Tensor:
        """``A'v`` over its length."""
        return self._like(axis).inner

    def covariance(self, parts: Parts, axis: Tensor) -> Tensor:
        """``R v``."""
        del parts
        return self._like(axis).covariance

    def arrays(self) -> dict[str, Tensor]:
        """Loadings, unique variances, and the weight."""
        weight = torch.tensor(self.direction_weight, dtype=torch.float64)
        return {"loadings": self.loadings, "unique": self.unique, "direction_weight": weight}

    def facts(self) -> dict[str, Any]:
        """Number of factors."""
        return {"n_factors": self.n_factors}
