"""`GarchCcc`: GARCH(1,1) margins with joint Student-t shocks of constant or dynamic correlation."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from tsgen.baselines.addressed_draws import AddressedDraws, blockwise_product
from tsgen.baselines.dynamic_correlation import (
    DynamicCorrelation,
    correlations_from,
    fit_dynamic_correlation,
    last_quasi_correlation,
)
from tsgen.baselines.fitted_baseline import FittedBaseline, check_choice
from tsgen.baselines.garch_fit import fit_garch_margins, standardised_residuals
from tsgen.baselines.multivariate_student_t import fit_shock_law
from tsgen.baselines.training_data import check_not_collinear, training_panel
from tsgen.baselines.variance_recursion import NEWS_LIMIT, VarianceRecursion
from tsgen.marketdata import ReturnPanel


class _State(NamedTuple):
    """Variances and quasi-correlation of the next period, known before it."""

    variance: NDArray[np.float64]
    quasi: NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GarchCcc(FittedBaseline):
    """``x_t = mean + sqrt(h_t) * z_t`` with GARCH(1,1) variances and multivariate Student-t shocks of unit variance.

    Attributes
    ----------
    mean : ndarray of shape (asset,), float64
    recursion : VarianceRecursion
    correlation : ndarray of shape (asset, asset), float64
        Of the shocks; with dynamic correlation, what it returns to.
    dof : float
        Degrees of freedom of the joint law.
    dynamics : ndarray of shape (2,), float64
        ``a, b`` of DCC(1,1); zeros for constant correlation.
    variance, quasi : ndarray of shape (asset,), (asset, asset)
        State of the first period after the training panel.

    Notes
    -----
    Conditional on history: variances and correlations are filtered up to its last date. All assets share the degrees
    of freedom of the joint law. Margins are fitted first, dependence on their residuals second (two-step estimation).

    References
    ----------
    Bollerslev (1990), "Modelling the coherence in short-run nominal exchange rates", Review of Economics and
    Statistics 72 (constant). Engle (2002), "Dynamic conditional correlation", JBES 20 (dynamic).

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(300, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=300))
    >>> baseline = GarchCcc.fit(ReturnPanel(frame, kind="log"))
    >>> baseline.sample(3, 5, seed=0).returns.shape
    (3, 5, 2)
    """

    name: ClassVar[str] = "garch_ccc"
    mean: NDArray[np.float64]
    recursion: VarianceRecursion
    correlation: NDArray[np.float64]
    dof: float
    dynamics: NDArray[np.float64]
    variance: NDArray[np.float64]
    quasi: NDArray[np.float64]

    @classmethod
    def fit(cls, panel: ReturnPanel, *, correlation: Literal["constant", "dynamic"] = "constant") -> Self:
        """Fit margins, joint shocks, and, if asked for, the dynamics of correlation.

        Parameters
        ----------
        panel : ReturnPanel
            At least 250 dates.
        correlation : {"constant", "dynamic"}
            "dynamic" is DCC(1,1); with one asset there is nothing to move and it is constant (noted).

        Raises
        ------
        ConfigError
            If ``panel`` is no panel, or ``correlation`` unknown.
        DataError
            If the panel is too short.
        """
        check_choice(correlation, ("constant", "dynamic"), name="correlation")
        training = training_panel(panel, n_dates=250, purpose="fit GARCH margins")
        check_not_collinear(training, purpose="fit the correlation of shocks")
        margins = fit_garch_margins(panel.values, panel.assets)
        shocks = np.clip(standardised_residuals(panel.values, margins, warm_up=60), -NEWS_LIMIT, NEWS_LIMIT)
        law = fit_shock_law(shocks)
        notes = [*margins.notes, f"joint shocks have {law.dof:.1f} degrees of freedom"]
        if not law.converged:
            notes.append(
                "fixed point of the shock correlation did not settle in 100 iterations; its last value is used"
            )
        dynamics = np.zeros(2)
        if correlation == "dynamic":
            dynamics = _fitted_dynamics(shocks, law.correlation, law.dof, notes)
        state = _state_after(panel.values, margins.mean, margins.recursion, law.correlation, dynamics)
        return cls(
            record=training.record.with_notes(notes),
            mean=margins.mean,
            recursion=margins.recursion,
            correlation=law.correlation,
            dof=law.dof,
            dynamics=dynamics,
            variance=state.variance,
            quasi=state.quasi,
        )

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        state = _State(self.variance, self.quasi)
        if past is not None:
            state = _state_after(past, self.mean, self.recursion, self.correlation, self.dynamics)
        n_assets = len(self.mean)
        variance = np.tile(state.variance, (draws.n_rows, 1))
        dynamic = float(self.dynamics[0]) > 0.0
        quasi = np.tile(state.quasi, (draws.n_rows, 1, 1)) if dynamic else state.quasi
        factor = np.linalg.cholesky(correlations_from(state.quasi)).astype(np.float64)
        paths = np.empty((draws.n_rows, horizon, n_assets))
        for t in range(horizon):
            normals = draws.normals("shock", period=t, width=n_assets)
            if dynamic:
                joint = np.einsum("snk,sk->sn", np.linalg.cholesky(correlations_from(quasi)), normals)
            else:
                joint = blockwise_product(normals, factor.T)
            shocks = joint * draws.student_scale("scale", period=t, dof=self.dof)
            deviation = np.sqrt(self.recursion.used(variance)) * shocks
            paths[:, t] = self.mean + deviation
            variance = self.recursion.following(variance, deviation)
            if dynamic:
                quasi = self._next_quasi(quasi, np.clip(shocks, -NEWS_LIMIT, NEWS_LIMIT))
        return paths

    def _next_quasi(self, quasi: NDArray[np.float64], shocks: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b = self.dynamics
        return (1.0 - a - b) * self.correlation + a * shocks[:, :, None] * shocks[:, None, :] + b * quasi


def _state_after(
    past: NDArray[np.float64],
    mean: NDArray[np.float64],
    recursion: VarianceRecursion,
    correlation: NDArray[np.float64],
    dynamics: NDArray[np.float64],
) -> _State:
    deviations = past - mean
    variances = recursion.filtered(deviations)
    a, b = (float(d) for d in dynamics)
    if a == 0.0:
        return _State(variances[-1], correlation)
    shocks = np.clip(deviations / np.sqrt(recursion.used(variances[:-1])), -NEWS_LIMIT, NEWS_LIMIT)
    return _State(variances[-1], last_quasi_correlation(shocks, correlation, a=a, b=b))


def _fitted_dynamics(
    shocks: NDArray[np.float64], target: NDArray[np.float64], dof: float, notes: list[str]
) -> NDArray[np.float64]:
    """``a, b``, or zeros where the data or the optimiser gave none; the notes say which."""
    if shocks.shape[1] == 1:
        notes.append("one asset has no correlation to move: constant")
        return np.zeros(2)
    fit: DynamicCorrelation = fit_dynamic_correlation(shocks, target, dof=dof)
    gain = fit.log_likelihood - fit.constant_log_likelihood
    if gain <= 0.0:
        notes.append(
            f"dynamic correlation is not more likely than constant ({gain:.2g} nats per period): constant used"
        )
        return np.zeros(2)
    if not fit.converged:
        notes.append("optimiser of the dynamic correlation stopped before converging; its best value is used")
    first, second = fit.standard_errors
    notes.append(
        f"dynamic correlation a={fit.a:.4f} (standard error {first:.4f}), b={fit.b:.4f} ({second:.4f}), "
        f"{gain:.4f} nats per period more likely than constant"
    )
    return np.array([fit.a, fit.b])
