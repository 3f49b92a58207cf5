r"""Series that follow their own past, taken out before and put back after the whitening of what is left.

Rates, smoothed valuations and levels persist far beyond what `tsgen.whitening.location_memory` allows for. Of such a
series ``y`` with long-run mean ``m`` the whitening of the panel sees

    x_t = y_t - m - sum_j phi_j clip(y_{t-j} - m),

so its volatility, correlation and residuals are those of the surprise. All other series pass through untouched. Lags
are clipped at eight long-run deviations: a spike is no news on many periods to come.
"""

from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from tsgen.whitening.volatility import VolatilityWhitening
from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state

LARGEST_LAG = 8.0
_PREFIX = "autoregressive "


class OwnLagNumbers(NamedTuple):
    """Fitted numbers, all float64."""

    coefficients: Tensor
    """(lag, asset): phi_1 first; zeros for series without such a past."""
    level: Tensor
    """(asset,): m, zero where the coefficients are."""
    reach: Tensor
    """(asset,): what ``y - m`` is clipped at."""


def expected(lags: Tensor, numbers: OwnLagNumbers) -> Tensor:
    """What the lags (path, lag, asset), the last one first and less their level, say about the next value."""
    return numbers.level + (numbers.coefficients * lags).sum(dim=-2)


def remembered(lags: Tensor, returns: Tensor, numbers: OwnLagNumbers) -> Tensor:
    """Lags after one more return (path, asset)."""
    new = torch.minimum(torch.maximum(returns - numbers.level, -numbers.reach), numbers.reach)
    return torch.cat([new[:, None], lags[:, :-1]], dim=1)


@final
class OwnLagWhitening:
    """Autoregressions of some series around the whitening of the whole panel.

    Parameters
    ----------
    inner : VolatilityWhitening
        Of the surprises.
    numbers : OwnLagNumbers
        From `tsgen.whitening.own_lags_fit.fit_own_lags`.
    """

    max_periods: int | None = None
    largest_mixed = VolatilityWhitening.largest_mixed

    def __init__(self, inner: VolatilityWhitening, numbers: OwnLagNumbers) -> None:
        self.inner, self.numbers, self.kind = inner, numbers, _PREFIX + inner.kind
        self.n_assets, self.n_features = inner.n_assets, inner.n_features
        self._cached: dict[tuple[torch.dtype, str], OwnLagNumbers] = {}

    @classmethod
    def kind_around(cls, kind: str) -> str:
        """Kind of the whitening that has another one inside."""
        return _PREFIX + kind

    @classmethod
    def restore(cls, arrays: dict[str, Tensor], facts: dict[str, Any]) -> "OwnLagWhitening":
        """Rebuild from `arrays` and `facts`."""
        numbers = OwnLagNumbers(*(arrays[f"own_lag_{name}"] for name in OwnLagNumbers._fields))
        return cls(VolatilityWhitening.restore(arrays, facts), numbers)

    def _like(self, reference: Tensor) -> OwnLagNumbers:
        key = (reference.dtype, str(reference.device))
        if key not in self._cached:
            self._cached[key] = OwnLagNumbers(*(x.to(reference) for x in self.numbers))
        return self._cached[key]

    def start(self, n_paths: int) -> State:
        """Lags at their level, and the start of the inner whitening."""
        lags = torch.zeros(n_paths, *self.numbers.coefficients.shape, dtype=torch.float64)
        return lags, *self.inner.start(n_paths)

    def predict(self, state: State) -> Prediction:
        """The inner prediction, its location moved by the lags."""
        found = self.inner.predict(state[1:])
        return found._replace(location=found.location + expected(state[0], self._like(state[0])))

    def _surprise(self, state: State, returns: Tensor) -> tuple[Tensor, Tensor]:
        numbers = self._like(state[0])
        return returns - expected(state[0], numbers), remembered(state[0], returns, numbers)

    def observe(self, state: State, returns: Tensor) -> State:
        """Recorded returns."""
        surprise, lags = self._surprise(state, returns)
        return lags, *self.inner.observe(state[1:], surprise)

    def hold(self, state: State, n_paths: int) -> State:
        """As the inner whitening; lags are repeated."""
        return *repeat_state(state[:1], n_paths), *self.inner.hold(state[1:], n_paths)

    def imagine(self, state: State, returns: Tensor) -> State:
        """Generated returns."""
        surprise, lags = self._surprise(state, returns)
        return lags, *self.inner.imagine(state[1:], surprise)

    def dividing_feedback(self, factor: Tensor) -> "OwnLagWhitening":
        """The same whitening, whose roll-outs divide shocks by ``factor`` (asset,) more."""
        return OwnLagWhitening(self.inner.dividing_feedback(factor), self.numbers)

    def arrays(self) -> dict[str, Tensor]:
        """Numbers of the lags and of the inner whitening."""
        return {f"own_lag_{name}": value for name, value in self.numbers._asdict().items()} | self.inner.arrays()

    def facts(self) -> dict[str, Any]:
        """Those of the inner whitening, and which series have lags."""
        moved = torch.nonzero(self.numbers.coefficients.abs().sum(dim=0)).ravel().tolist()
        return self.inner.facts() | {"n_own_lags": len(self.numbers.coefficients), "assets_with_own_lags": moved}
