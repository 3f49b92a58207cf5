r"""Whitening of one long panel: location with a memory, volatility with leverage and a market term, moving correlation.

With ``e`` the standardised return, and for the decays k in (0.90, 0.98),

    A_k <- k A_k + (1 - k) N |e|,       L_k <- k L_k + (1 - k) M |e| 1(s e < 0),

so volatility is a weighted average of past absolute shocks, positive by construction, with bad news (sign ``s``)
counted apart. One series says little on today's volatility, all of them together say much: two more averages follow
the shocks of the whole panel, each asset's in units of its own slow level,

    C <- .9 C + .1 P mean_i N_i |e_i| / A_.98,i,      D <- .8 D + .2 Q max(-mean_i s_i e_i / A_.98,i, 0),
    sigma = c (a_1 A_.90 + a_2 A_.98 + b_1 L_.90 + b_2 L_.98 + A_.98 (g C + h D)),   weights >= 0 with sum 1.

Correlation moves slowly in all pairs, ``R = 0.3 R_0 + 0.7 corr(EWMA .995)``, and fast along one direction only: with
``v`` the first principal direction of ``R_0`` and ``q`` the EWMA (.95) of ``(v'z)^2 / v'Rv``, the variance along ``v``
is multiplied by ``(1 + q) / 2`` and the result scaled to unit diagonal. In a rout everything falls together, long
before averages of single pairs notice. The symmetric root does not depend on the order of the assets. The location is
a shrunk mean, moved by a memory of past shocks (`tsgen.whitening.location_memory`).

Roll-outs: shocks are fed back at unit variance (divided by ``kappa``, the training standard deviation of returns over
their volatility), because drawing them independently of the volatility level otherwise multiplies its persistence by
``E z^2 > 1``; and the correlation is held at its value on the last recorded date. These choices come from
rolling-origin studies.
"""

from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from tsgen.whitening.location_memory import MEMORY_DECAY, memory_terms, remember
from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state

DECAYS = (0.90, 0.98)
MARKET_DECAYS = (0.90, 0.80)
CORRELATION_DECAY = 0.995
CORRELATION_WEIGHTS = (0.3, 0.7)
DIRECTION_DECAY = 0.95
DIRECTION_WEIGHT = 0.5
SMALLEST_SIGMA = 0.14
_LARGEST_FEEDBACK = 30.0
_LARGEST_CORRELATION_SHOCK = 4.0
_LARGEST_DIRECTION_SQUARE = 16.0
_LARGEST_MARKET_SHOCK = 5.0  # the jump of one stale stock is no rout of the panel

_HELD = 5  # parts of the state of a roll-out: filters and a root; that of a recorded history has moments and direction


class VolatilityNumbers(NamedTuple):
    """Fitted numbers, all float64; leading axis asset."""

    mean: Tensor
    """(asset,): expected return per period while the memory is empty."""
    deviation: Tensor
    """(asset,): long-run standard deviation."""
    memory_weights: Tensor
    """(3,): what moves the location, in units of the deviation: last own shock, own sum, sum of the market."""
    weights: Tensor
    """(asset, 6): a_1, a_2, b_1, b_2, g, h, each multiplied by ``c``."""
    absolute_scale: Tensor
    """(asset,): N, makes ``E N|z| = 1``."""
    leverage_scale: Tensor
    """(asset,): M, makes ``E M|z| 1(s z < 0) = 1``."""
    leverage_sign: Tensor
    """(asset,): s; +1 where falls raise volatility, -1 where rises do."""
    market_scale: Tensor
    """(2,): P and Q, make the shocks of C and D average to one."""
    kappa: Tensor
    """(asset,): standard deviation of returns over their volatility, location included, at most 1.5 times ``unit``; the
    feedback of roll-outs is divided by it."""
    unit: Tensor
    """(asset,): robust standard deviation of the innovation, what it is scaled by: a stale series with rare giant moves
    has a ``kappa`` of three, and its ordinary days would shrink to a third."""
    correlation: Tensor
    """(asset, asset): R_0."""
    direction: Tensor
    """(asset,): v."""


def _correlation_of(second_moments: Tensor) -> Tensor:
    inverse = torch.diagonal(second_moments, dim1=-2, dim2=-1).rsqrt()
    return second_moments * inverse[..., :, None] * inverse[..., None, :]


def symmetric_root(correlation: Tensor) -> Tensor:
    """Symmetric positive square root of a batch of correlation matrices."""
    values, vectors = torch.linalg.eigh(correlation)
    return (vectors * values.clamp_min(1e-10).sqrt()[..., None, :]) @ vectors.transpose(-2, -1)


def market_shocks(ratios: Tensor, absolute_scale: Tensor, leverage_sign: Tensor) -> Tensor:
    """What one period adds to C and D before P and Q, (path, 2), from shocks over slow levels (path, asset)."""
    clipped = ratios.clamp(-_LARGEST_MARKET_SHOCK, _LARGEST_MARKET_SHOCK)
    size = (clipped.abs() * absolute_scale).mean(dim=-1)
    fall = (-(clipped * leverage_sign).mean(dim=-1)).clamp_min(0.0)
    return torch.stack([size, fall], dim=-1)


def slow_level(absolute: Tensor) -> Tensor:
    """A_.98, kept away from zero; (path, asset, decay) to (path, asset)."""
    return absolute[..., -1].clamp_min(SMALLEST_SIGMA)


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
        market = torch.ones(n_paths, len(MARKET_DECAYS), dtype=torch.float64)
        along = torch.ones(n_paths, dtype=torch.float64)
        memory = torch.zeros(n_paths, self.n_assets, 2, dtype=torch.float64)
        return ones, ones.clone(), market, memory, self.numbers.correlation.expand(n_paths, -1, -1).clone(), along

    def _sigma(self, state: State) -> Tensor:
        absolute, leverage, market = state[:3]
        weights = self._like(absolute).weights
        combined = (absolute * weights[:, :2]).sum(dim=-1) + (leverage * weights[:, 2:4]).sum(dim=-1)
        combined = combined + slow_level(absolute) * (market @ weights[:, 4:].T)
        return combined.clamp_min(SMALLEST_SIGMA)

    def _location(self, memory: Tensor, sigma: Tensor) -> Tensor:
        numbers = self._like(memory)
        return numbers.mean + numbers.deviation * (memory_terms(memory, sigma) @ numbers.memory_weights)

    def _slow_correlation(self, moments: Tensor) -> Tensor:
        constant, moving = CORRELATION_WEIGHTS
        return constant * self._like(moments).correlation + moving * _correlation_of(moments)

    def _root(self, moments: Tensor, along: Tensor) -> Tensor | None:
        if self.n_assets == 1:
            return None
        direction = self._like(moments).direction
        stretch = (1.0 - DIRECTION_WEIGHT + DIRECTION_WEIGHT * along).sqrt() - 1.0
        axes = torch.eye(self.n_assets, dtype=moments.dtype, device=moments.device)
        stretched = axes + stretch[:, None, None] * torch.outer(direction, direction)
        return symmetric_root(_correlation_of(stretched @ self._slow_correlation(moments) @ stretched))

    def predict(self, state: State) -> Prediction:
        """Location, scale and correlation root for the next period; features are log volatilities."""
        sigma = self._sigma(state)
        numbers = self._like(sigma)
        scale = numbers.deviation * numbers.unit * sigma
        location = self._location(state[3], numbers.unit * sigma)
        root = state[4] if len(state) == _HELD else self._root(*state[4:])
        return Prediction(location, scale, root, sigma.log())

    def _filtered(self, state: State, shock: Tensor, move: Tensor, sigma: Tensor) -> State:
        """Volatility filters fed with ``shock``, the memory of the location with ``move``."""
        absolute, leverage, market, memory = state[:4]
        numbers = self._like(absolute)
        decays, market_decays = (absolute.new_tensor(k) for k in (DECAYS, MARKET_DECAYS))
        size = shock.abs()
        bad = size * numbers.leverage_scale * (numbers.leverage_sign * shock < 0)
        common = market_shocks(shock / slow_level(absolute), numbers.absolute_scale, numbers.leverage_sign)
        return (
            decays * absolute + (1 - decays) * (size * numbers.absolute_scale)[:, :, None],
            decays * leverage + (1 - decays) * bad[:, :, None],
            market_decays * market + (1 - market_decays) * common * numbers.market_scale,
            remember(memory, move, sigma),
        )

    def observe(self, state: State, returns: Tensor) -> State:
        """Feed recorded returns: volatility and correlation filters move."""
        moments, along = state[4:]
        numbers = self._like(moments)
        shock = (returns - numbers.mean) / numbers.deviation
        sigma = numbers.unit * self._sigma(state)
        standardised = (returns - self._location(state[3], sigma)) / (numbers.deviation * sigma)
        standardised = standardised.clamp(-_LARGEST_CORRELATION_SHOCK, _LARGEST_CORRELATION_SHOCK)
        expected = (self._slow_correlation(moments) @ numbers.direction) @ numbers.direction
        square = ((standardised @ numbers.direction).square() / expected).clamp_max(_LARGEST_DIRECTION_SQUARE)
        outer = standardised[:, :, None] * standardised[:, None, :]
        return (
            *self._filtered(state, shock, shock, sigma),
            CORRELATION_DECAY * moments + (1 - CORRELATION_DECAY) * outer,
            DIRECTION_DECAY * along + (1 - DIRECTION_DECAY) * square,
        )

    def hold(self, state: State, n_paths: int) -> State:
        """Fix the correlation root of the last recorded date (leading axis 1) for all roll-outs."""
        root = self._root(*state[4:])
        held = state[0].new_ones(1, 1, 1) if root is None else root
        return (*repeat_state(state[:4], n_paths), held)

    def imagine(self, state: State, returns: Tensor) -> State:
        """Feed generated returns at unit variance; the correlation stays held."""
        numbers = self._like(state[0])
        move = (returns - numbers.mean) / numbers.deviation
        shock = (move / numbers.kappa).clamp(-_LARGEST_FEEDBACK, _LARGEST_FEEDBACK)
        return (*self._filtered(state, shock, move, numbers.unit * self._sigma(state)), state[4])

    def arrays(self) -> dict[str, Tensor]:
        """All fitted numbers."""
        return self.numbers._asdict()

    def facts(self) -> dict[str, Any]:
        """Constants of the recursion, for the reader."""
        return {
            "decays": list(DECAYS),
            "market_decays": list(MARKET_DECAYS),
            "correlation_decay": CORRELATION_DECAY,
            "correlation_weights": list(CORRELATION_WEIGHTS),
            "direction_decay": DIRECTION_DECAY,
            "memory_decay": MEMORY_DECAY,
        }
