r"""Whitening of a wide panel: a few common factors with their own volatility, and idiosyncratic volatility per asset.

    x_t = mu + B f_t + d_t,    Var f_{k,t} = H_{k,t},    Var d_{i,t} = D_i h_{i,t},

with variances that are weighted averages of their long-run level 1 and of filtered squares of estimated shocks,

    H_k = c_0 + c_1 A_.90 + c_2 A_.98 + c_3 L_.90 + c_4 L_.98      (A: squares, L: squares after falls, of the factor),
    h_i = c_0 + c_1 A_.90 + c_2 A_.98 + c_3 C_.90 + c_4 C_.98      (A: own squares, C: their mean over moving assets),

weights >= 0 with sum 1: roll-outs return to the long-run covariance ``B B' + D``, and a constant volatility is a
special case, not an approximation. Factors are estimated by generalised least squares on the loadings. The innovation
is ``z = S_t^{-1/2} (x - mu)`` with the symmetric root of ``B H B' + D h`` in units of the idiosyncratic deviations;
neither the covariance nor its root is ever formed: work and memory per step are linear in the number of assets.

References
----------
Engle, Ng, Rothschild (1990), "Asset pricing with a factor-ARCH covariance structure", Journal of Econometrics 45.
"""

import math
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from tsgen.whitening.low_rank_root import low_rank_root
from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state

DECAYS = (0.90, 0.98)
LARGEST_SQUARE = 50.0
"""Squares of standardised shocks beyond this enter the filters as this: one price spike must not own the future."""


class FactorNumbers(NamedTuple):
    """Fitted numbers, all float64."""

    mean: Tensor
    """(asset,): expected return per period."""
    loadings: Tensor
    """(asset, factor): ``B``, returns per long-run standard deviation of a factor."""
    deviation: Tensor
    """(asset,): long-run idiosyncratic standard deviation, ``sqrt(D)``."""
    extraction: Tensor
    """(asset, factor): ``x - mu`` times this estimates the factors."""
    factor_square: Tensor
    """(factor,): mean square of the estimated factor; above 1 by the noise of the estimate."""
    residual_square: Tensor
    """(asset,): mean square of the estimated idiosyncratic return over ``D``; the factors absorb some of it."""
    leverage_scale: Tensor
    """(factor,): makes the mean of the squares after falls one."""
    factor_weights: Tensor
    """(factor, 5): long-run level, A_.90, A_.98, L_.90, L_.98."""
    own_weights: Tensor
    """(5,): long-run level, A_.90, A_.98, C_.90, C_.98; shared by all assets."""
    common_weights: Tensor
    """(asset,): what each asset's square counts in C; equal, and zero for series that rest on most dates."""


class Shocks(NamedTuple):
    """What one period's returns add to the filters."""

    own: Tensor
    """(path, asset): squared standardised idiosyncratic return."""
    factor: Tensor
    """(path, factor): squared standardised factor."""
    falls: Tensor
    """(path, factor): the same where the factor fell, scaled to mean one."""


def shocks_of(returns: Tensor, numbers: FactorNumbers) -> Shocks:
    """Squared shocks of returns (path, asset), standardised by long-run variances."""
    centred = returns - numbers.mean
    factors = centred @ numbers.extraction
    residual = (centred - factors @ numbers.loadings.T) / numbers.deviation
    own = (residual.square() / numbers.residual_square).clamp_max(LARGEST_SQUARE)
    square = (factors.square() / numbers.factor_square).clamp_max(LARGEST_SQUARE)
    return Shocks(own, square, square * numbers.leverage_scale * (factors < 0))


@final
class FactorWhitening:
    """Conditional location, factor and idiosyncratic volatility of a wide return panel.

    Parameters
    ----------
    numbers : FactorNumbers
        From `tsgen.whitening.factor_volatility_fit.fit_factor_volatility`.
    """

    kind = "factor"
    max_periods: int | None = None
    largest_mixed = math.inf  # shocks are in units of idiosyncratic deviations: those of the factors are ordinary days

    def __init__(self, numbers: FactorNumbers) -> None:
        self.numbers = numbers
        self.n_assets, self.n_factors = numbers.loadings.shape
        self.n_features = self.n_factors + 1
        self._cached: dict[tuple[torch.dtype, str], FactorNumbers] = {}

    @classmethod
    def restore(cls, arrays: dict[str, Tensor], facts: dict[str, Any]) -> "FactorWhitening":
        """Rebuild from `arrays` and `facts`."""
        del facts
        return cls(FactorNumbers(**arrays))

    def _like(self, reference: Tensor) -> FactorNumbers:
        key = (reference.dtype, str(reference.device))
        if key not in self._cached:
            self._cached[key] = FactorNumbers(*(t.to(reference) for t in self.numbers))
        return self._cached[key]

    def start(self, n_paths: int) -> State:
        """Every filter at its long-run level."""
        return (
            torch.ones(n_paths, self.n_assets, 2, dtype=torch.float64),
            torch.ones(n_paths, 2, dtype=torch.float64),
            torch.ones(n_paths, self.n_factors, 4, dtype=torch.float64),
        )

    def variances(self, state: State) -> tuple[Tensor, Tensor]:
        """Variances ``h`` (path, asset) and ``H`` (path, factor), in units of their long-run levels."""
        own, common, factor = state
        numbers = self._like(own)
        w, v = numbers.own_weights, numbers.factor_weights
        idiosyncratic = w[0] + own @ w[1:3] + (common @ w[3:])[:, None]
        return idiosyncratic, v[:, 0] + (factor * v[:, 1:]).sum(dim=-1)

    def predict(self, state: State) -> Prediction:
        """Location, idiosyncratic scale and factor root; features: log volatility of factors and mean asset."""
        idiosyncratic, factors = self.variances(state)
        numbers = self._like(idiosyncratic)
        deviation = idiosyncratic.sqrt()
        root = None
        if self.n_factors:
            root = low_rank_root(numbers.loadings / numbers.deviation[:, None], 1.0 / deviation, factors.sqrt())
        scale = numbers.deviation * deviation
        features = torch.cat([0.5 * factors.log(), deviation.mean(dim=1, keepdim=True).log()], dim=1)
        return Prediction(numbers.mean.expand_as(scale), scale, root, features)

    def observe(self, state: State, returns: Tensor) -> State:
        """Feed recorded or generated returns: every filter moves."""
        own, common, factor = state
        shocks = shocks_of(returns, self._like(own))
        decays = torch.tensor(DECAYS, dtype=own.dtype, device=own.device)
        parts = torch.stack([shocks.factor, shocks.factor, shocks.falls, shocks.falls], dim=-1)
        return (
            torch.lerp(shocks.own[:, :, None], own, decays),
            torch.lerp((shocks.own @ self._like(own).common_weights)[:, None], common, decays),
            torch.lerp(parts, factor, decays.repeat(2)),
        )

    imagine = observe

    def hold(self, state: State, n_paths: int) -> State:
        """Repeat the state: generated returns are fed back as recorded ones."""
        return repeat_state(state, n_paths)

    def arrays(self) -> dict[str, Tensor]:
        """All fitted numbers."""
        return self.numbers._asdict()

    def facts(self) -> dict[str, Any]:
        """Constants of the recursion, for the reader."""
        return {"decays": list(DECAYS), "n_factors": self.n_factors}
