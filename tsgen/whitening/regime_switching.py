r"""Whitening of many paths with hidden regimes: what the past says about the regime decides location and scale.

In regime j the period is an autoregression, ``x_t = b_j + sum_i B_{j,i} x_{t-i} + e``, ``e ~ N(0, S_j)``, and the
regime is a Markov chain. The filtered probabilities ``w_j`` of the next regime give

    m = sum_j w_j m_j,     x = m + s L z,     s^2 = tr(L^{-1} Cov(x | past) L^{-T}) / N,

with a constant ``L``, so ``z`` has mean zero and unit average variance given the past. Its whole law given the past, a
Gaussian mixture, is handed on as features: the head can start from it instead of learning it.

References
----------
Hamilton (1989), "A new approach to the economic analysis of nonstationary time series and the business cycle",
Econometrica 57; Hamilton (1994), "Time Series Analysis", equations 22.4.5 and 22.4.6.
"""

import math
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from tsgen.diffusion.regime_velocity import RegimeLaw, pack_regimes
from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state

_SMALLEST_PROBABILITY = 1e-12


class RegimeNumbers(NamedTuple):
    """Fitted numbers, float64. The first periods may have their own regressions; the last ones hold for ever."""

    start: Tensor
    """(regime,): probabilities of the first regime."""
    transition: Tensor
    """(regime, regime): rows sum to one."""
    intercepts: Tensor
    """(period set, regime, asset)."""
    coefficients: Tensor
    """(period set, regime, lag, asset, asset)."""
    covariances: Tensor
    """(regime, asset, asset): S_j."""
    scales: Tensor
    """(period set, regime): factor of the standard deviation in these periods; one in the last set."""


@final
class RegimeSwitchingWhitening:
    """Markov-switching autoregression, filtered.

    Parameters
    ----------
    numbers : RegimeNumbers
    """

    kind = "regime_switching"
    max_periods: int | None = None
    largest_mixed = math.inf

    def __init__(self, numbers: RegimeNumbers) -> None:
        self.numbers = numbers
        n_regimes, self.n_assets = numbers.covariances.shape[:2]
        self.n_regimes = n_regimes
        self.n_features = n_regimes * (2 + self.n_assets)
        pooled = (stationary_probabilities(numbers.transition)[:, None, None] * numbers.covariances).sum(dim=0)
        self._root = torch.linalg.cholesky(pooled)
        inverse = torch.linalg.inv(self._root)
        self.shapes = inverse @ numbers.covariances @ inverse.T
        """(regime, asset, asset): covariance of every regime in the coordinates of the innovations."""
        self._by_dtype: dict[tuple[torch.dtype, str], tuple[RegimeNumbers, Tensor, Tensor, Tensor]] = {}

    @classmethod
    def restore(cls, arrays: dict[str, Tensor], facts: dict[str, Any]) -> "RegimeSwitchingWhitening":
        """Rebuild from `arrays`; there are no settings."""
        del facts
        return cls(RegimeNumbers(*(arrays[name] for name in RegimeNumbers._fields)))

    def _like(self, like: Tensor) -> tuple[RegimeNumbers, Tensor, Tensor, Tensor]:
        """Numbers, root, its inverse and average relative variances in the state's dtype, cached."""
        key = (like.dtype, str(like.device))
        if key not in self._by_dtype:
            numbers = RegimeNumbers(*(x.to(like) for x in self.numbers))
            average = torch.diagonal(self.shapes, dim1=1, dim2=2).mean(dim=1)
            inverse = torch.linalg.inv(self._root)
            self._by_dtype[key] = (numbers, self._root.to(like), inverse.to(like), average.to(like))
        return self._by_dtype[key]

    def start(self, n_paths: int) -> State:
        """Nothing observed, period 0, the first regime's probabilities."""
        lags = self.numbers.coefficients.shape[2]
        recent = torch.zeros(n_paths, lags, self.n_assets, dtype=torch.float64)
        probabilities = self.numbers.start.expand(n_paths, -1).clone()
        return recent, torch.zeros(n_paths, dtype=torch.int64), probabilities

    def _means(self, recent: Tensor, period: Tensor) -> tuple[Tensor, Tensor]:
        """Conditional mean (path, regime, asset) and scale factor (path, regime) of every regime."""
        numbers = self._like(recent)[0]
        at = period.clamp(max=len(numbers.intercepts) - 1)
        first = int(at[0])
        if bool((at == first).all()):  # the case of sampling: all paths are at the same period
            moved = torch.einsum("jlab,plb->pja", numbers.coefficients[first], recent)
        else:
            moved = torch.einsum("pjlab,plb->pja", numbers.coefficients[at], recent)
        return numbers.intercepts[at] + moved, numbers.scales[at]

    def predict(self, state: State) -> Prediction:
        """Location and scale of the mixture; the features are the mixture of the innovation (`pack_regimes`)."""
        recent, period, probabilities = state
        _, root, inverse, average = self._like(recent)
        means, factors = self._means(recent, period)
        location = (probabilities[:, :, None] * means).sum(dim=1)
        spread = (means - location[:, None]) @ inverse.T
        within = factors.square() * average + spread.square().mean(dim=2)
        size = (probabilities * within).sum(dim=1, keepdim=True).sqrt()
        weights = probabilities.clamp_min(_SMALLEST_PROBABILITY)
        law = RegimeLaw(weights.log(), factors.log() - size.log(), spread / size[:, :, None])
        if self.n_assets == 1:
            return Prediction(location, size * root[0, 0], None, pack_regimes(law))
        return Prediction(location, size.expand_as(location), root[None], pack_regimes(law))

    def observe(self, state: State, returns: Tensor) -> State:
        """One step of the Hamilton filter."""
        recent, period, probabilities = state
        numbers = self._like(recent)[0]
        means, factors = self._means(recent, period)
        roots = torch.linalg.cholesky(numbers.covariances)
        error = torch.linalg.solve_triangular(roots, (returns[:, None] - means).permute(1, 2, 0), upper=False)
        log_volume = torch.diagonal(roots, dim1=1, dim2=2).log().sum(dim=1) + self.n_assets * factors.log()
        logits = probabilities.log() - log_volume - 0.5 * error.square().sum(dim=1).T / factors.square()
        following = torch.softmax(logits, dim=1) @ numbers.transition
        shifted = torch.cat([returns[:, None], recent], dim=1)[:, : recent.shape[1]]
        return shifted, period + 1, following

    imagine = observe

    def hold(self, state: State, n_paths: int) -> State:
        """Repeat the state: generated returns are fed back as recorded ones."""
        return repeat_state(state, n_paths)

    def arrays(self) -> dict[str, Tensor]:
        """All fitted numbers."""
        return self.numbers._asdict()

    def facts(self) -> dict[str, Any]:
        """Sizes, for the reader."""
        sets, regimes, lags, _, _ = self.numbers.coefficients.shape
        return {"regimes": regimes, "lags": lags, "own_first_periods": sets - 1}


def stationary_probabilities(transition: Tensor) -> Tensor:
    """Long-run probabilities of the regimes."""
    size = len(transition)
    system = torch.cat([transition.T - torch.eye(size, dtype=transition.dtype), transition.new_ones(1, size)])
    right = torch.cat([transition.new_zeros(size), transition.new_ones(1)])
    found = torch.linalg.lstsq(system, right[:, None], driver="gelsd").solution[:, 0].clamp_min(0.0)
    return found / found.sum()
