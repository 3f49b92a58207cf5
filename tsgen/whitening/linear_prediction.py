r"""Whitening of many paths that start at the same point: the Gaussian law of the path, period by period.

    x_t = mean_t + sum_{j <= p} C_{t,j} (x_{t-j} - mean_{t-j}) + L_t z_t,     z_t ~ N(0, I) if the path is Gaussian.

Coefficients may differ from period to period (a start-up, or a law that is not stationary). Where the last ones
repeat for ever (``homogeneous``), the law extends beyond the length of the training paths.
"""

import math
from typing import Any, final

import torch
from torch import Tensor

from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state


@final
class LinearPredictionWhitening:
    """Linear prediction from the last ``p`` periods with period-dependent coefficients.

    Parameters
    ----------
    mean : Tensor of shape (time, asset), float64
    coefficients : Tensor of shape (time, lag, asset, asset), float64
        ``coefficients[t, j - 1]`` multiplies the deviation ``j`` periods ago.
    roots : Tensor of shape (time, asset, asset), float64
        Lower Cholesky factors of the conditional covariances.
    homogeneous : bool
        Whether the last period's coefficients hold for all later periods.
    model : str
        Name of the structure that cross-validation chose, for the reader.
    """

    kind = "linear_prediction"
    largest_mixed = math.inf
    n_features = 0

    def __init__(self, *, mean: Tensor, coefficients: Tensor, roots: Tensor, homogeneous: bool, model: str) -> None:
        self.mean, self.coefficients, self.roots = mean, coefficients, roots
        self.homogeneous, self.model = homogeneous, model
        self.n_assets = mean.shape[1]
        self.max_periods = None if homogeneous else len(mean)
        self._by_dtype: dict[tuple[torch.dtype, str], tuple[Tensor, Tensor, Tensor]] = {}

    @classmethod
    def restore(cls, arrays: dict[str, Tensor], facts: dict[str, Any]) -> "LinearPredictionWhitening":
        """Rebuild from `arrays` and `facts`."""
        return cls(
            mean=arrays["mean"],
            coefficients=arrays["coefficients"],
            roots=arrays["roots"],
            homogeneous=bool(facts["homogeneous"]),
            model=str(facts["model"]),
        )

    def start(self, n_paths: int) -> State:
        """No deviations yet, period 0."""
        lags = self.coefficients.shape[1]
        recent = torch.zeros(n_paths, lags, self.n_assets, dtype=torch.float64)
        return recent, torch.zeros(n_paths, dtype=torch.int64)

    def _numbers(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, stacked coefficients (time, lag * asset, asset) and roots in the state's dtype, cached."""
        key = (like.dtype, str(like.device))
        if key not in self._by_dtype:
            periods, lags, n, _ = self.coefficients.shape
            stacked = self.coefficients.transpose(2, 3).reshape(periods, lags * n, n)
            self._by_dtype[key] = (self.mean.to(like), stacked.to(like), self.roots.to(like))
        return self._by_dtype[key]

    def predict(self, state: State) -> Prediction:
        """Conditional mean and Cholesky factor; rows may be at different periods."""
        recent, period = state
        mean, stacked, roots = self._numbers(recent)
        at = period.clamp(max=len(mean) - 1)
        flat = recent.reshape(len(recent), -1)
        first = int(at[0])
        if bool((at == first).all()):  # the case of sampling: all paths are at the same period
            location = mean[first] + flat @ stacked[first]
            root = roots[first][None]
        else:
            location = torch.empty(len(recent), self.n_assets, dtype=recent.dtype, device=recent.device)
            for t in torch.unique(at).tolist():
                rows = at == t
                location[rows] = mean[t] + flat[rows] @ stacked[t]
            root = roots[at]
        if self.n_assets == 1:
            scale = root[:, :, 0].expand(len(recent), 1)
            return Prediction(location, scale, None, recent[:, 0, :0])
        return Prediction(location, torch.ones_like(location), root, recent[:, 0, :0])

    def observe(self, state: State, returns: Tensor) -> State:
        """Shift the deviations by one period."""
        recent, period = state
        mean = self._numbers(recent)[0]
        deviation = returns - mean[period.clamp(max=len(mean) - 1)]
        return torch.cat([deviation[:, None, :], recent[:, :-1]], dim=1), period + 1

    imagine = observe

    def hold(self, state: State, n_paths: int) -> State:
        """Repeat the state: generated returns are fed back as recorded ones."""
        return repeat_state(state, n_paths)

    def arrays(self) -> dict[str, Tensor]:
        """Means, coefficients, Cholesky factors."""
        return {"mean": self.mean, "coefficients": self.coefficients, "roots": self.roots}

    def facts(self) -> dict[str, Any]:
        """Chosen structure."""
        return {"homogeneous": self.homogeneous, "model": self.model}
