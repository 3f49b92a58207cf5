"""`StudentTCopula`: the law of one period with its own margins and joint tails, independent over time."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import stdtr, stdtrit

from tsgen.baselines.addressed_draws import AddressedDraws, blockwise_product
from tsgen.baselines.empirical_margins import EmpiricalMargins
from tsgen.baselines.fitted_baseline import FittedBaseline, check_choice
from tsgen.baselines.iid_gaussian import gaussian_factor
from tsgen.baselines.multivariate_student_t import (
    LARGEST_DOF,
    LEAST_DOF,
    log_density_from_distance,
    squared_distances,
    to_correlation,
)
from tsgen.baselines.training_data import training_panel
from tsgen.marketdata import ReturnPanel

# of the largest eigenvalue: keeps a correlation matrix built entry by entry positive definite
_LEAST_EIGENVALUE = 1e-4


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StudentTCopula(FittedBaseline):
    """Student-t copula with empirical margins and generalised Pareto tails; independent over time.

    Attributes
    ----------
    margins : EmpiricalMargins
    correlation : ndarray of shape (asset, asset), float64
    dof : float
        Of the copula; with one asset it has no effect.

    Notes
    -----
    Without memory: of a history it takes only the date. It has the margins and the tail dependence right and
    nothing else: no clustering of volatility.

    References
    ----------
    Demarta, McNeil (2005), "The t copula and related copulas", International Statistical Review 73: correlation
    from Kendall's tau, degrees of freedom by maximum pseudo-likelihood (section 5).

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(120, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=120))
    >>> baseline = StudentTCopula.fit(ReturnPanel(frame, kind="log"), tails="empirical")
    >>> baseline.sample(3, 5, seed=0).returns.shape
    (3, 5, 2)
    """

    name: ClassVar[str] = "student_t_copula"
    margins: EmpiricalMargins
    correlation: NDArray[np.float64]
    dof: float

    @classmethod
    def fit(cls, panel: ReturnPanel, *, tails: Literal["gpd", "empirical"] = "gpd") -> Self:
        """Fit margins, then correlation, then degrees of freedom.

        Parameters
        ----------
        panel : ReturnPanel
            At least 100 dates.
        tails : {"gpd", "empirical"}
            Beyond the 5 % quantiles; "empirical" never exceeds what was seen.

        Raises
        ------
        ConfigError
            If ``panel`` is no panel or ``tails`` unknown.
        DataError
            If the panel is too short.
        """
        check_choice(tails, ("gpd", "empirical"), name="tails")
        training = training_panel(panel, n_dates=100, purpose="fit a Student-t copula")
        margins, notes = EmpiricalMargins.fit(panel.values, panel.assets, tails=tails)
        correlation = rank_correlation(panel.values)
        levels = stats.rankdata(panel.values, axis=0) / (panel.n_dates + 1)
        dof = copula_dof(levels, correlation) if panel.n_assets > 1 else LARGEST_DOF
        return cls(record=training.record.with_notes(notes), margins=margins, correlation=correlation, dof=dof)

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        del past
        n_assets = len(self.correlation)
        factor = gaussian_factor(self.correlation)
        # unit variance -> unit scale, the parametrisation of the t distribution function
        unit_scale = np.sqrt(self.dof / (self.dof - 2.0))
        paths = np.empty((draws.n_rows, horizon, n_assets))
        for t in range(horizon):
            normals = blockwise_product(draws.normals("shock", period=t, width=n_assets), factor.T)
            shocks = unit_scale * normals * draws.student_scale("scale", period=t, dof=self.dof)
            paths[:, t] = self.margins.quantiles(stdtr(self.dof, shocks))
        return paths


def rank_correlation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``sin(pi tau / 2)`` of Kendall's tau, made positive definite: the correlation of an elliptical copula.

    Examples
    --------
    >>> rank_correlation(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])).round(3).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    n_assets = values.shape[1]
    raw = np.eye(n_assets)
    for i in range(n_assets):
        for j in range(i):
            tau = float(np.asarray(stats.kendalltau(values[:, i], values[:, j], method="asymptotic"))[0])
            raw[i, j] = raw[j, i] = np.sin(0.5 * np.pi * tau)
    eigenvalues, vectors = np.linalg.eigh(raw)
    bounded = np.maximum(eigenvalues, _LEAST_EIGENVALUE * eigenvalues[-1])
    return to_correlation((vectors * bounded) @ vectors.T)


def copula_dof(levels: NDArray[np.float64], correlation: NDArray[np.float64]) -> float:
    """Degrees of freedom of a t copula by maximum pseudo-likelihood.

    Parameters
    ----------
    levels : ndarray of shape (row, asset)
        Ranks divided by rows + 1.
    correlation : ndarray of shape (asset, asset)

    Returns
    -------
    float
        Between 2.2 and 200.
    """
    log_determinant = float(np.linalg.slogdet(correlation)[1])

    def loss(log_excess: float) -> float:
        dof = 2.0 + float(np.exp(log_excess))
        scores = stdtrit(dof, levels) * np.sqrt((dof - 2.0) / dof)
        joint = log_density_from_distance(
            squared_distances(scores, correlation), log_determinant, dof=dof, n_assets=levels.shape[1]
        )
        single = log_density_from_distance(scores**2, 0.0, dof=dof, n_assets=1)
        return -float((joint - single.sum(axis=1)).mean())

    bounds = (np.log(LEAST_DOF - 2.0), np.log(LARGEST_DOF - 2.0))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.01})
    return 2.0 + float(np.exp(found.x))
