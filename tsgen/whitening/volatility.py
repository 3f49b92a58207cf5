r"""Whitening of one long panel: location with a memory, volatility with leverage and a market term, moving correlation.

With ``e`` the standardised return, and for the decays k in (0.90, 0.98),

    A_k <- k A_k + (1 - k) N |e|,       L_k <- k L_k + (1 - k) M |e| 1(s e < 0),

so volatility is a weighted average of past absolute shocks, positive by construction, with bad news (sign ``s``)
counted apart. The size C and the trend T of what the whole panel did (`tsgen.whitening.market_volatility`) come on top,

    sigma = c (.93 (a_1 A_.90 + a_2 A_.98 + b_1 L_.90 + b_2 L_.98 + A_.98 (g C + h max(T, 0))) + .07 H),

with weights >= 0 that sum to 1 and ``H`` the mean of A_.98 over the training dates, which volatility comes back to. In
a wide panel (`tsgen.whitening.factor_volatility_fit`) all series share their weights, and the share of ``H`` is
estimated: up to all of it, so that a constant volatility is a special case.

The correlation, and the scale of what is left around its first direction, are those of
`tsgen.whitening.moving_correlation`, on pairs that move or on constant factors (`tsgen.whitening.pair_correlation`); no
root depends on the order of the assets. The location is a shrunk mean, moved by a memory of past shocks
(`tsgen.whitening.location_memory`).

Roll-outs: shocks are fed back divided by ``kappa``: at unit variance, and as large on average as in training, where
the filter's own noise makes innovations small on days whose volatility is too high; the slow correlation is held at its
value on the last recorded date; and volatility is pulled towards its geometric mean over the training dates, by a
thousandth of the distance a day, because a year out that of a single index would be a fifth too high. These choices
come from rolling-origin studies.
"""

from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from tsgen.whitening.location_memory import MEMORY_DECAY, movement, remember
from tsgen.whitening.market_volatility import (
    SIZE_DECAY,
    SMOOTHING_DECAY,
    TREND_DECAY,
    market_moved,
    market_shocks,
    market_start,
    market_terms,
    market_trend,
)
from tsgen.whitening.moving_correlation import (
    DIRECTION_DECAY,
    DISPERSION_DECAY,
    TREND_WEIGHT,
    DirectedRoot,
    Direction,
    clipped_shocks,
    pressure_on_direction,
)
from tsgen.whitening.pair_correlation import FactorNumbers, FactorPairs, MovingPairs, PairCorrelation
from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state

DECAYS = (0.90, 0.98)
LEVEL_SHARE = 0.07
LEVEL_PULL = 0.001
SMALLEST_SIGMA = 0.14
N_WIDE_FEATURES = 3
_LARGEST_FEEDBACK = 30.0

# the state: two filters of own shocks, market, memory of the location; parts of the pairs; the two fast numbers
_N_OWN, _N_FAST = 4, 2


class VolatilityNumbers(NamedTuple):
    """Fitted numbers, all float64; leading axis asset."""

    mean: Tensor
    """(asset,): expected return per period while the memory is empty."""
    deviation: Tensor
    """(asset,): long-run standard deviation."""
    memory_weights: Tensor
    """(3,): what moves the location, in units of the deviation: last own shock, own sum, sum of the market."""
    weights: Tensor
    """(asset, 6): a_1, a_2, b_1, b_2, g, h, each multiplied by ``.93 c``."""
    constant: Tensor
    """(asset,): ``.07 c H`` or more, the part of the volatility that does not move."""
    absolute_scale: Tensor
    """(asset,): N, makes ``E N|z| = 1``."""
    leverage_scale: Tensor
    """(asset,): M, makes ``E M|z| 1(s z < 0) = 1``."""
    leverage_sign: Tensor
    """(asset,): s; +1 where falls raise volatility, -1 where rises do."""
    market_scale: Tensor
    """(2,): P and Q, the scales of the panel's size and trend."""
    kappa: Tensor
    """(asset,): what the feedback of roll-outs is divided by: the standard deviation of returns over their volatility,
    location included, winsorised at sixteen and at most 1.5 times ``unit``, times the feedback of independent
    innovations over training's, and what keeps the level in long roll-outs (`tsgen.generator.long_run_level`)."""
    unit: Tensor
    """(asset,): robust standard deviation of the innovation, what it is scaled by: a stale series with rare giant moves
    has a ``kappa`` of three, and its ordinary days would shrink to a third."""
    direction: Tensor
    """(asset,): v."""
    dispersion_scale: Tensor
    """(): H, makes the sizes around ``v`` average to one."""
    dispersion_weight: Tensor
    """(): w, zero where these sizes do not move together."""
    level: Tensor
    """(asset,): mean log volatility on the training dates."""


def slow_level(absolute: Tensor) -> Tensor:
    """A_.98, kept away from zero; (path, asset, decay) to (path, asset)."""
    return absolute[..., -1].clamp_min(SMALLEST_SIGMA)


@final
class VolatilityWhitening:
    """Conditional location, volatility and correlation of a return panel.

    Parameters
    ----------
    numbers : VolatilityNumbers
    pairs : PairCorrelation
        Both from `tsgen.whitening.volatility_fit`, by `fit_volatility` or, for wide panels, `fit_factor_volatility`.
    """

    max_periods: int | None = None
    largest_mixed = 8.0
    """Five shocks in ten thousand of 20 stocks are larger, nearly all of them the news of one series."""

    def __init__(self, numbers: VolatilityNumbers, pairs: PairCorrelation) -> None:
        self.numbers, self.pairs, self.kind = numbers, pairs, pairs.kind
        self.n_assets = len(numbers.mean)
        self.n_features = self.n_assets if self.kind == MovingPairs.kind else N_WIDE_FEATURES
        self._cached: dict[tuple[torch.dtype, str], VolatilityNumbers] = {}

    @classmethod
    def restore(cls, arrays: dict[str, Tensor], facts: dict[str, Any]) -> "VolatilityWhitening":
        """Rebuild from `arrays` and `facts`."""
        del facts
        numbers = VolatilityNumbers(**{name: arrays[name] for name in VolatilityNumbers._fields})
        if "correlation" in arrays:
            weights = (float(arrays[name]) for name in ("slow_weight", "direction_weight"))
            return cls(numbers, MovingPairs(arrays["correlation"], *weights))
        return cls(numbers, FactorPairs(FactorNumbers(**{name: arrays[name] for name in FactorNumbers._fields})))

    def _like(self, reference: Tensor) -> VolatilityNumbers:
        key = (reference.dtype, str(reference.device))
        if key not in self._cached:
            self._cached[key] = VolatilityNumbers(*(x.to(reference) for x in self.numbers))
        return self._cached[key]

    def start(self, n_paths: int) -> State:
        """Filters at their long-run level, correlation at R_0."""
        ones = torch.ones(n_paths, self.n_assets, len(DECAYS), dtype=torch.float64)
        fast = torch.ones(n_paths, dtype=torch.float64)
        memory = torch.zeros(n_paths, self.n_assets, 2, dtype=torch.float64)
        return ones, ones.clone(), market_start(n_paths), memory, *self.pairs.start(n_paths), fast, fast.clone()

    def _sigma(self, state: State) -> Tensor:
        absolute, leverage, market = state[:3]
        numbers = self._like(absolute)
        weights = numbers.weights
        combined = torch.addcmul(numbers.constant, slow_level(absolute), market_terms(market) @ weights[:, 4:].T)
        # term by term: a sum over an axis of length two takes four times as long
        for column, average in enumerate((*absolute.unbind(dim=-1), *leverage.unbind(dim=-1))):
            combined = torch.addcmul(combined, average, weights[:, column])
        return combined.clamp_min(SMALLEST_SIGMA)

    def _location(self, memory: Tensor, sigma: Tensor) -> Tensor:
        numbers = self._like(memory)
        return numbers.mean + numbers.deviation * movement(memory, sigma, numbers.memory_weights)

    def _direction(self, state: State) -> Direction:
        axis = self._like(state[0]).direction
        return Direction(axis, self.pairs.covariance(state[_N_OWN:-_N_FAST], axis), self.pairs.direction_weight)

    def _pressure(self, state: State) -> Tensor:
        return pressure_on_direction(state[-2], market_trend(state[2]))

    def _root(self, state: State) -> DirectedRoot | None:
        if self.n_assets == 1:
            return None
        direction, pressure, pairs = self._direction(state), self._pressure(state), state[_N_OWN:-_N_FAST]
        return DirectedRoot(
            slow=self.pairs.root(pairs, direction.axis),
            axis=direction.axis,
            inner=self.pairs.inner(pairs, direction.axis),
            stretch=direction.stretch(pressure),
            around=1.0 + self._like(state[-1]).dispersion_weight * (state[-1] - 1.0),
            deviations=direction.deviations(pressure),
        )

    def predict(self, state: State) -> Prediction:
        """Location, scale and correlation root for the next period.

        Features are the log volatilities; of a wide panel their mean, and the logarithms of the two fast numbers.
        """
        sigma = self._sigma(state)
        numbers = self._like(sigma)
        scale = numbers.deviation * numbers.unit * sigma
        location = self._location(state[3], numbers.unit * sigma)
        features = sigma.log()
        if self.kind != MovingPairs.kind:
            fast = torch.stack([self._pressure(state), state[-1].clamp_min(SMALLEST_SIGMA)], dim=1)
            features = torch.cat([features.mean(dim=1, keepdim=True), fast.log()], dim=1)
        return Prediction(location, scale, self._root(state), features)

    def _filtered(self, state: State, shock: Tensor, move: Tensor, sigma: Tensor) -> State:
        """Volatility filters fed with ``shock``, the memory of the location with ``move``."""
        absolute, leverage, market, memory = state[:4]
        numbers = self._like(absolute)
        decays = absolute.new_tensor(DECAYS)
        size = shock.abs()
        bad = size * numbers.leverage_scale * (numbers.leverage_sign * shock < 0)
        common = market_shocks(shock / slow_level(absolute), numbers.absolute_scale, numbers.leverage_sign)
        return (
            decays * absolute + (1 - decays) * (size * numbers.absolute_scale)[:, :, None],
            decays * leverage + (1 - decays) * bad[:, :, None],
            market_moved(market, common, numbers.market_scale),
            remember(memory, move, sigma),
        )

    def _moved(self, state: State, clipped: Tensor) -> tuple[Tensor, Tensor]:
        """The two fast numbers of the correlation after clipped shocks."""
        along, dispersion = state[-2:]
        if self.n_assets == 1:
            return along, dispersion
        direction = self._direction(state)
        size = direction.residual_size(clipped, self._pressure(state)) * self._like(along).dispersion_scale
        return (
            DIRECTION_DECAY * along + (1 - DIRECTION_DECAY) * direction.square(clipped),
            DISPERSION_DECAY * dispersion + (1 - DISPERSION_DECAY) * size,
        )

    def observe(self, state: State, returns: Tensor) -> State:
        """Feed recorded returns: volatility and correlation filters move."""
        numbers = self._like(state[0])
        shock = (returns - numbers.mean) / numbers.deviation
        sigma = numbers.unit * self._sigma(state)
        clipped = clipped_shocks((returns - self._location(state[3], sigma)) / (numbers.deviation * sigma))
        return (
            *self._filtered(state, shock, shock, sigma),
            *self.pairs.observed(state[_N_OWN:-_N_FAST], clipped),
            *self._moved(state, clipped),
        )

    def hold(self, state: State, n_paths: int) -> State:
        """Fix the slow correlation of the last recorded date; one state for all roll-outs or one for each."""
        pairs = self.pairs.held(state[_N_OWN:-_N_FAST], self._like(state[0]).direction)
        return (*repeat_state(state[:_N_OWN], n_paths), *pairs, *repeat_state(state[-_N_FAST:], n_paths))

    def imagine(self, state: State, returns: Tensor) -> State:
        """Feed generated returns at unit variance, pulled to the level; the slow correlation stays held."""
        numbers = self._like(state[0])
        volatility = self._sigma(state)
        move = (returns - numbers.mean) / numbers.deviation
        shock = (move / numbers.kappa).clamp(-_LARGEST_FEEDBACK, _LARGEST_FEEDBACK)
        sigma = numbers.unit * volatility
        absolute, leverage, market, memory = self._filtered(state, shock, move, sigma)
        pull = (LEVEL_PULL * (numbers.level - volatility.log())).exp()[:, :, None]
        clipped = clipped_shocks((returns - self._location(state[3], sigma)) / (numbers.deviation * sigma))
        pairs = state[_N_OWN:-_N_FAST]
        return (absolute * pull, leverage * pull, market, memory, *pairs, *self._moved(state, clipped))

    def dividing_feedback(self, factor: Tensor) -> "VolatilityWhitening":
        """The same whitening, whose roll-outs divide shocks by ``factor`` (asset,) more."""
        return VolatilityWhitening(self.numbers._replace(kappa=self.numbers.kappa * factor), self.pairs)

    def arrays(self) -> dict[str, Tensor]:
        """All fitted numbers."""
        return self.numbers._asdict() | self.pairs.arrays()

    def facts(self) -> dict[str, Any]:
        """Constants of the recursion, for the reader."""
        return {
            "decays": list(DECAYS),
            "market_decays": [SIZE_DECAY, SMOOTHING_DECAY, TREND_DECAY],
            "direction_decay": DIRECTION_DECAY,
            "direction_weights": [self.pairs.direction_weight, TREND_WEIGHT],
            "dispersion_decay": DISPERSION_DECAY,
            "dispersion_weight": float(self.numbers.dispersion_weight),
            "largest_mixed": self.largest_mixed,
            ("level_share" if self.kind == MovingPairs.kind else "smallest_level_share"): LEVEL_SHARE,
            "level_pull": LEVEL_PULL,
            "memory_decay": MEMORY_DECAY,
            "smallest_sigma": SMALLEST_SIGMA,
        } | self.pairs.facts()
