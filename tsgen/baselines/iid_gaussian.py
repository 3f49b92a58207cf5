"""`IidGaussian`: the same joint normal law every period, independent over time."""

from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from tsgen.baselines.addressed_draws import AddressedDraws, blockwise_product
from tsgen.baselines.fitted_baseline import FittedBaseline
from tsgen.baselines.training_data import training_data
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class IidGaussian(FittedBaseline):
    """``x_t ~ N(mean, covariance)``, independent over time: what mean-variance analysis assumes.

    Attributes
    ----------
    mean : ndarray of shape (asset,), float64
        Decimals per period.
    covariance : ndarray of shape (asset, asset), float64
        Per period, positive definite.

    Notes
    -----
    Without memory: of a history it takes only the date. No fat tails, no volatility clustering.

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(50, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=50))
    >>> baseline = IidGaussian.fit(ReturnPanel(frame, kind="log"))
    >>> baseline.sample(3, 5, seed=0).returns.shape
    (3, 5, 2)
    """

    name: ClassVar[str] = "iid_gaussian"
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def fit(cls, data: ReturnPanel | ScenarioSet) -> Self:
        """Sample mean and covariance of all rows; of paths, all periods are pooled.

        Raises
        ------
        ConfigError
            If ``data`` is neither a panel nor equally likely paths.
        DataError
            If there are fewer than two rows more than assets.
        """
        n_assets = len(data.assets) if isinstance(data, (ReturnPanel, ScenarioSet)) else 0
        training = training_data(data, n_rows=n_assets + 2, purpose="fit an i.i.d. Gaussian law")
        covariance = np.atleast_2d(np.cov(training.pooled, rowvar=False))
        return cls(record=training.record, mean=training.pooled.mean(axis=0), covariance=covariance)

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        del past
        factor = gaussian_factor(self.covariance)
        steps = [
            self.mean + blockwise_product(draws.normals("shock", period=t, width=len(self.mean)), factor.T)
            for t in range(horizon)
        ]
        return np.stack(steps, axis=1)


def gaussian_factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Symmetric square root of a positive semi-definite matrix: also works where Cholesky meets a zero.

    Parameters
    ----------
    covariance : ndarray of shape (n, n)

    Returns
    -------
    ndarray of shape (n, n), float64

    Examples
    --------
    >>> gaussian_factor(np.array([[4.0, 0.0], [0.0, 0.0]])).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """
    eigenvalues, vectors = np.linalg.eigh(covariance)
    # rounding can leave the smallest eigenvalues at -1e-17
    return (vectors * np.sqrt(np.maximum(eigenvalues, 0.0))) @ vectors.T
