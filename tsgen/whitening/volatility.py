r"""Whitening of one long panel: shrunk mean, two-scale volatility with leverage, slowly moving correlation.

With ``e`` the standardised return, and for the decays k in (0.90, 0.98),

    A_k <- k A_k + (1 - k) N |e|,       L_k <- k L_k + (1 - k) M |e| 1(s e < 0),
    sigma = c (a_1 A_.90 + a_2 A_.98 + b_1 L_.90 + b_2 L_.98),   weights >= 0 with sum 1,

so volatility is a weighted average of past absolute shocks, positive by construction, with bad news (sign ``s``)
counted apart. Correlation is ``0.3 R_0 + 0.2 corr(EWMA .97) + 0.5 corr(EWMA .995)`` with the symmetric root, which
does not depend on the order of the assets.

Roll-outs: shocks are fed back at unit variance (divided by ``kappa``, the training standard deviation of the
innovation), because drawing them independently of the volatility level otherwise multiplies its persistence by
``E z^2 > 1``; and the correlation is held at its value on the last recorded date. Both choices come from a
rolling-origin study.
"""

from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from tsgen.whitening.whitening_protocol import Prediction, State

DECAYS = (0.90, 0.98)
CORRELATION_DECAYS = (0.97, 0.995)
CORRELATION_WEIGHTS = (0.3, 0.2, 0.5)
SMALLEST_SIGMA = 0.14
_LARGEST_FEEDBACK = 30.0
_LARGEST_CORRELATION_SHOCK = 4.0


class VolatilityNumbers(NamedTuple):
    """Fitted numbers, all float64; leading axis asset."""

    mean: Tensor
    """(asset,): expected return per period."""
    deviation: Tensor
    """(asset,): long-run standard deviation."""
    weights: Tensor
    """(asset, 4): a_1, a_2, b_1, b_2, each multiplied by ``c``."""
    absolute_scale: Tensor
    """(asset,): N, makes ``E N|z| = 1``."""
    leverage_scale: Tensor
    """(asset,): M, makes ``E M|z| 1(s z < 0) = 1``."""
    leverage_sign: Tensor
    """(asset,): s; +1 where falls raise volatility, -1 where rises do."""
    kappa: Tensor
    """(asset,): standard deviation of the innovation before it is scaled, at most 1.5 times ``unit``; what the feedback
    of roll-outs is divided by."""
    unit: Tensor
    """(asset,): robust standard deviation of the innovation, what it is scaled by: a stale series with rare giant moves
    has a ``kappa`` of three, and its ordinary days would shrink to a third."""
    correlation: Tensor
    """(asset, asset): R_0."""


def _correlation_of(second_moments: Tensor) -> Tensor:
    inverse = torch.diagonal(second_moments, dim1=-2, dim2=-1).rsqrt()
    return second_moments * inverse[..., :, None] * inverse[..., None, :]


def symmetric_root(correlation: Tensor) -> Tensor:
    """Symmetric positive square root of a batch of correlation matrices."""
    values, vectors = torch.linalg.eigh(correlation)
    return (vectors * values.clamp_min(1e-10).sqrt()[..., None, :]) @ vectors.transpose(-2, -1)


@final
class VolatilityWhitening:
    """Conditional location, volatility and correlation of a return panel.

    Parameters
    ----------
    numbers : VolatilityNumbers
        From `tsgen.whitening.volatility_fit.fit_volatility`.
    """

    kind = "volatility"
    max_periods: int | None = None

    def __init__(self, numbers: VolatilityNumbers) -> None:
        self.numbers = numbers
        self.n_assets = len(numbers.mean)
        self.n_features = self.n_assets
        self._cached: dict[tuple[torch.dtype, str], VolatilityNumbers] = {}

    @classmethod
    def restore(cls, arrays: dict[str, Tensor], facts: dict[str, Any]) -> "VolatilityWhitening":
        """Rebuild from `arrays` and `facts`."""
        del facts
        return cls(VolatilityNumbers(**arrays))

    def _like(self, reference: Tensor) -> VolatilityNumbers:
        key = (reference.dtype, str(reference.device))
        if key not in self._cached:
            self._cached[key] = VolatilityNumbers(*(x.to(reference) for x in self.numbers))
        return self._cached[key]

    def start(self, n_paths: int) -> State:
        """Volatility at its long-run level, correlation at R_0."""
        ones = torch.ones(n_paths, self.n_assets, len(DECAYS), dtype=torch.float64)
        moments = self.numbers.correlation.expand(n_paths, len(CORRELATION_DECAYS), -1, -1).clone()
        return ones, ones.clone(), moments

    def _sigma(self, state: State) -> Tensor:
        absolute, leverage = state[0], state[1]
        weights = self._like(absolute).weights
        combined = (absolute * weights[:, :2]).sum(dim=-1) + (leverage * weights[:, 2:]).sum(dim=-1)
        return combined.clamp_min(SMALLEST_SIGMA)

    def _root(self, correlation_state: Tensor) -> Tensor | None:
        if self.n_assets == 1:
            return None
        if correlation_state.ndim == 3:  # held: already a root
            return correlation_state
        constant, fast, slow = CORRELATION_WEIGHTS
        moving = _correlation_of(correlation_state)
        blend = constant * self._like(correlation_state).correlation + fast * moving[:, 0] + slow * moving[:, 1]
        return symmetric_root(blend)

    def predict(self, state: State) -> Prediction:
        """Location, scale and correlation root for the next period; features are log volatilities."""
        sigma = self._sigma(state)
        numbers = self._like(sigma)
        scale = numbers.deviation * numbers.unit * sigma
        location = numbers.mean.expand_as(scale)
        return Prediction(location, scale, self._root(state[2]), sigma.log())

    def _filtered(self, state: State, shock: Tensor) -> tuple[Tensor, Tensor]:
        absolute, leverage = state[0], state[1]
        numbers = self._like(absolute)
        decays = torch.tensor(DECAYS, dtype=absolute.dtype, device=absolute.device)
        size = shock.abs()
        bad = size * numbers.leverage_scale * (numbers.leverage_sign * shock < 0)
        absolute = decays * absolute + (1 - decays) * (size * numbers.absolute_scale)[:, :, None]
        return absolute, decays * leverage + (1 - decays) * bad[:, :, None]

    def observe(self, state: State, returns: Tensor) -> State:
        """Feed recorded returns: volatility and correlation filters move."""
        numbers = self._like(state[0])
        shock = (returns - numbers.mean) / numbers.deviation
        standardised = shock / (self._sigma(state) * numbers.unit)
        standardised = standardised.clamp(-_LARGEST_CORRELATION_SHOCK, _LARGEST_CORRELATION_SHOCK)
        outer = standardised[:, None, :, None] * standardised[:, None, None, :]
        decays = torch.tensor(CORRELATION_DECAYS, dtype=returns.dtype, device=returns.device)[:, None, None]
        moments = decays * state[2] + (1 - decays) * outer
        return (*self._filtered(state, shock), moments)

    def hold(self, state: State, n_paths: int) -> State:
        """Fix the correlation root of the last recorded date (leading axis 1) for all roll-outs."""
        absolute, leverage, moments = state
        root = self._root(moments)
        held = torch.ones(1, 1, 1, dtype=absolute.dtype, device=absolute.device) if root is None else root
        shape = (n_paths, *absolute.shape[1:])
        return absolute.expand(shape).clone(), leverage.expand(shape).clone(), held

    def imagine(self, state: State, returns: Tensor) -> State:
        """Feed generated returns at unit variance; the correlation stays held."""
        numbers = self._like(state[0])
        shock = (returns - numbers.mean) / (numbers.deviation * numbers.kappa)
        return (*self._filtered(state, shock.clamp(-_LARGEST_FEEDBACK, _LARGEST_FEEDBACK)), state[2])

    def arrays(self) -> dict[str, Tensor]:
        """All fitted numbers."""
        return self.numbers._asdict()

    def facts(self) -> dict[str, Any]:
        """Constants of the recursion, for the reader."""
        return {
            "decays": list(DECAYS),
            "correlation_decays": list(CORRELATION_DECAYS),
            "correlation_weights": list(CORRELATION_WEIGHTS),
        }
