r"""Whitening of many paths whose volatility moves: linear prediction, and a variance filtered from past squares.

With ``y_t = (x_t - m_t) / d_t`` the linear prediction error over its own standard deviation, per asset,

    h_{t+1} = (1 - phi) H + phi h_t + a_t (y_t^2 - h_t),        x_t = m_t + d_t sqrt(h_t) C z_t,   C C' = R.

A constant gain ``a = alpha`` is GARCH(1,1) with ``phi = alpha + beta``, started from a known variance. Paths that
were observed from some moment on start with an unknown one: the best linear prediction of the squares then has a
gain that begins higher and falls to ``alpha``,

    a_t = phi - beta / r_t,    r_{t+1} = 1 + beta^2 - beta^2 / r_t,

where ``r_1 = 1`` is the known start (the innovations algorithm for the ARMA(1,1) form of the squares).

References
----------
Bollerslev (1986), "Generalized autoregressive conditional heteroskedasticity", Journal of Econometrics 31;
Brockwell, Davis (1991), "Time Series: Theory and Methods", proposition 5.2.2 and example 5.3.1.
"""

import math
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from tsgen.whitening.linear_prediction import LinearPredictionWhitening
from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state

_GAIN_PERIODS = 2000  # the gain has converged long before: (beta^2)^t


class VolatilityDynamics(NamedTuple):
    """Numbers of the variance filter, float64, one per asset."""

    start: Tensor
    """h_1, in units of the linear prediction variance."""
    level: Tensor
    """H: long-run variance."""
    persistence: Tensor
    """phi = alpha + beta, below one."""
    memory: Tensor
    """beta."""
    first_ratio: Tensor
    """r_1: 1 if the start is known, larger if paths start with unknown variances."""


def filter_gains(dynamics: VolatilityDynamics, n_periods: int) -> Tensor:
    """Gains a_1, a_2, ... of shape (time, asset)."""
    ratio, gains = dynamics.first_ratio, []
    square = dynamics.memory**2
    for _ in range(n_periods):
        gains.append(dynamics.persistence - dynamics.memory / ratio)
        ratio = 1.0 + square - square / ratio
    return torch.stack(gains)


def next_variance(variance: Tensor, squares: Tensor, gain: Tensor, dynamics: VolatilityDynamics) -> Tensor:
    """h_{t+1} from h_t and y_t^2, both (path, asset)."""
    reverted = (1.0 - dynamics.persistence) * dynamics.level
    return reverted + (dynamics.persistence - gain) * variance + gain * squares


@final
class PathVolatilityWhitening:
    """Linear prediction with a filtered variance per asset and a constant correlation.

    Parameters
    ----------
    linear : LinearPredictionWhitening
        Location and the unconditional scale of every period.
    dynamics : VolatilityDynamics
    root : Tensor of shape (asset, asset), float64
        Lower Cholesky factor of the correlation of the innovations.
    """

    kind = "path_volatility"
    largest_mixed = math.inf

    def __init__(self, *, linear: LinearPredictionWhitening, dynamics: VolatilityDynamics, root: Tensor) -> None:
        self.linear, self.dynamics, self.root = linear, dynamics, root
        self.n_assets = self.n_features = linear.n_assets
        self.max_periods = linear.max_periods
        self._gains = filter_gains(dynamics, _GAIN_PERIODS)
        self._deviations = linear.roots.square().sum(dim=2).sqrt()
        self._by_dtype: dict[tuple[torch.dtype, str], tuple[VolatilityDynamics, Tensor, Tensor, Tensor]] = {}

    @classmethod
    def restore(cls, arrays: dict[str, Tensor], facts: dict[str, Any]) -> "PathVolatilityWhitening":
        """Rebuild from `arrays` and `facts`."""
        dynamics = VolatilityDynamics(*(arrays[name] for name in VolatilityDynamics._fields))
        return cls(linear=LinearPredictionWhitening.restore(arrays, facts), dynamics=dynamics, root=arrays["root"])

    def _numbers(self, like: Tensor) -> tuple[VolatilityDynamics, Tensor, Tensor, Tensor]:
        """Dynamics, gains, deviations and root in the state's dtype, cached."""
        key = (like.dtype, str(like.device))
        if key not in self._by_dtype:
            dynamics = VolatilityDynamics(*(x.to(like) for x in self.dynamics))
            self._by_dtype[key] = (dynamics, self._gains.to(like), self._deviations.to(like), self.root.to(like))
        return self._by_dtype[key]

    def start(self, n_paths: int) -> State:
        """The state of the linear prediction and the first variance."""
        return (*self.linear.start(n_paths), self.dynamics.start.expand(n_paths, -1).clone())

    def predict(self, state: State) -> Prediction:
        """Location, scale and correlation root; the features are log variances."""
        recent, period, variance = state
        _, _, deviations, root = self._numbers(variance)
        location = self.linear.predict((recent, period)).location
        scale = deviations[period.clamp(max=len(deviations) - 1)] * variance.sqrt()
        return Prediction(location, scale, None if self.n_assets == 1 else root[None], variance.log())

    def observe(self, state: State, returns: Tensor) -> State:
        """Feed recorded returns to both filters."""
        recent, period, variance = state
        dynamics, gains, deviations, _ = self._numbers(variance)
        error = returns - self.linear.predict((recent, period)).location
        squares = (error / deviations[period.clamp(max=len(deviations) - 1)]).square()
        following = next_variance(variance, squares, gains[period.clamp(max=len(gains) - 1)], dynamics)
        return (*self.linear.observe((recent, period), returns), following)

    imagine = observe

    def hold(self, state: State, n_paths: int) -> State:
        """Repeat the state: generated returns are fed back as recorded ones."""
        return repeat_state(state, n_paths)

    def arrays(self) -> dict[str, Tensor]:
        """Numbers of the linear prediction, of the variance filter, and the correlation root."""
        return {**self.linear.arrays(), **self.dynamics._asdict(), "root": self.root}

    def facts(self) -> dict[str, Any]:
        """Structure of the linear prediction."""
        return self.linear.facts()
