"""`FilteredHistoricalSimulation`: yesterday's shocks at today's volatility."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self, final

import numpy as np
from numpy.typing import NDArray

from tsgen.baselines.addressed_draws import AddressedDraws
from tsgen.baselines.fitted_baseline import FittedBaseline, check_choice, check_inside
from tsgen.baselines.garch_fit import GarchMargins, fit_garch_margins, standardised_residuals
from tsgen.baselines.training_data import training_panel
from tsgen.baselines.variance_recursion import VarianceRecursion, robust_scale
from tsgen.marketdata import ReturnPanel

Filter = Literal["ewma", "garch", "gjr"]
_LEAST_DATES = {"ewma": 100, "garch": 250, "gjr": 250}


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FilteredHistoricalSimulation(FittedBaseline):
    """``x_{t,i} = mean_i + sqrt(h_{t,i}) z_{t,i}`` with whole rows ``z_t`` drawn from the past, ``h`` by a filter.

    Attributes
    ----------
    mean : ndarray of shape (asset,), float64
    recursion : VarianceRecursion
        EWMA, GARCH(1,1) or GJR-GARCH(1,1), one per asset.
    residuals : ndarray of shape (row, asset), float64
        Standardised residuals of the training panel, centred, with unit variances; rows are kept together.
    variance : ndarray of shape (asset,), float64
        Variances of the first period after the training panel.

    Notes
    -----
    Conditional on history: volatilities are filtered up to its last date. The filter needs about 60 dates.

    References
    ----------
    Barone-Adesi, Giannopoulos, Vosper (1999), "VaR without correlations for portfolios of derivative securities",
    Journal of Futures Markets 19. Hull, White (1998), "Incorporating volatility updating into the historical
    simulation method for value-at-risk", Journal of Risk 1.

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(120, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=120))
    >>> baseline = FilteredHistoricalSimulation.fit(ReturnPanel(frame, kind="log"), filter="ewma")
    >>> baseline.sample(3, 5, seed=0).returns.shape
    (3, 5, 2)
    """

    name: ClassVar[str] = "filtered_historical_simulation"
    mean: NDArray[np.float64]
    recursion: VarianceRecursion
    residuals: NDArray[np.float64]
    variance: NDArray[np.float64]
    filter: str

    @classmethod
    def fit(cls, panel: ReturnPanel, *, filter: Filter = "garch", decay: float = 0.94) -> Self:
        """Filter the panel and keep its standardised residuals.

        Parameters
        ----------
        panel : ReturnPanel
            At least 100 dates for "ewma", 250 for the others.
        filter : {"ewma", "garch", "gjr"}
        decay : float in (0, 1)
            Of the EWMA variance; 0.94 is RiskMetrics' daily value. Not used by the others.

        Raises
        ------
        ConfigError
            If ``panel`` is no panel, ``filter`` is unknown or ``decay`` out of range.
        DataError
            If the panel is too short.
        """
        check_choice(filter, tuple(_LEAST_DATES), name="filter")
        check_inside(decay, low=0.0, high=1.0, name="decay")
        training = training_panel(panel, n_dates=_LEAST_DATES[filter], purpose="filter volatilities")
        if filter == "ewma":
            margins = _ewma_margins(panel.values, decay)
        else:
            margins = fit_garch_margins(panel.values, panel.assets, asymmetric=filter == "gjr")
        raw = standardised_residuals(panel.values, margins, warm_up=60 if panel.n_dates >= 250 else 20)
        residuals = (raw - raw.mean(axis=0)) / raw.std(axis=0)
        return cls(
            record=training.record.with_notes(margins.notes),
            mean=margins.mean,
            recursion=margins.recursion,
            residuals=residuals,
            variance=margins.recursion.filtered(panel.values - margins.mean)[-1],
            filter=filter,
        )

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        start = self.variance if past is None else self.recursion.filtered(past - self.mean)[-1]
        variance = np.tile(start, (draws.n_rows, 1))
        paths = np.empty((draws.n_rows, horizon, len(self.mean)))
        for t in range(horizon):
            rows = draws.integers("row", period=t, below=len(self.residuals))
            deviation = np.sqrt(self.recursion.used(variance)) * self.residuals[rows]
            paths[:, t] = self.mean + deviation
            variance = self.recursion.following(variance, deviation)
        return paths


def _ewma_margins(values: NDArray[np.float64], decay: float) -> GarchMargins:
    mean = values.mean(axis=0)
    same = np.ones_like(mean)
    recursion = VarianceRecursion.with_scale(
        scale=robust_scale(values - mean),
        omega=0.0 * same,
        alpha=(1.0 - decay) * same,
        gamma=0.0 * same,
        beta=decay * same,
    )
    return GarchMargins(mean, recursion, [])
