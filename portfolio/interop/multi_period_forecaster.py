"""Forecasts of every step ahead for multi-period engines: objects with ``values_in_time``, from one set of scenarios.

Engines of this shape (cvxportfolio is one; it is never imported here) ask every forecaster once per step and date.
Scenarios are drawn once per date and served step by step, so that the forecast of step k is the conditional law of
period k and not the first one again.
"""

from collections import OrderedDict
from typing import Any, final

import pandas as pd

from portfolio.interop.fold_scenarios import FoldHistory, fold_history, fold_scenarios, trained_source
from portfolio.interop.scenario_matrix import scenario_matrix
from tsgen.errors import ConfigError, LookAheadError
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number

_KEPT = 8


@final
class StepForecaster:
    """Means and covariances of the next periods, given the past.

    Parameters
    ----------
    generator : object with assets, kind, sample(...)
        Trained on returns up to the first decision at the latest.
    horizon : int
        Number of steps that can be asked for.
    n_scenarios : int
    has_cash : bool
        Whether the last column of the engine's returns is cash, which is then no asset of the generator.
    kind : {"simple", "log"}
        Convention of the engine's returns.
    seed : int

    Attributes
    ----------
    means, covariances : object with values_in_time(t, past_returns, mpo_step=0, **kwargs)
        Expected simple return per asset (Series), and covariance (DataFrame), of period ``mpo_step + 1`` after the
        past; both from the same scenarios.

    Notes
    -----
    ``past_returns`` must end before ``t``: it is what a decision at t knows. Copies of this object are the object
    itself: engines copy forecasters per step, and copies would draw anew.

    References
    ----------
    Boyd et al. (2017), "Multi-period trading via convex optimization", section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from tsgen.baselines import BlockBootstrap
    >>> from tsgen.marketdata import ReturnPanel
    >>> days = pd.bdate_range("2024-01-01", periods=60)
    >>> past = pd.DataFrame(np.random.default_rng(0).normal(0, 0.01, (60, 2)), index=days, columns=["A", "B"])
    >>> generator = BlockBootstrap.fit(ReturnPanel(past, kind="simple"), block_length=3)
    >>> forecaster = StepForecaster(generator=generator, horizon=2, n_scenarios=50, has_cash=False)
    >>> t = days[-1] + pd.Timedelta("3D")
    >>> forecaster.means.values_in_time(t, past, mpo_step=1).index.tolist()
    ['A', 'B']
    """

    def __init__(
        self,
        *,
        generator: Any,
        horizon: int,
        n_scenarios: int = 1000,
        has_cash: bool = True,
        kind: ReturnKind = "simple",
        seed: int = 0,
    ) -> None:
        whole_number(horizon, "horizon")
        whole_number(n_scenarios, "n_scenarios")
        self._generator, self._horizon, self._n_scenarios = generator, horizon, n_scenarios
        self._has_cash, self._seed = has_cash, seed
        self._kind: ReturnKind = kind
        self._drawn: OrderedDict[str, ScenarioSet] = OrderedDict()
        self.means = _Means(self)
        self.covariances = _Covariances(self)

    def scenarios(self, t: Any, past_returns: pd.DataFrame) -> ScenarioSet:
        """Scenarios of the periods after the past, drawn once per past.

        Raises
        ------
        LookAheadError
            If the past reaches to the decision's time or beyond, or the generator has learned from later returns.
        ConfigError
            If the past has no dates.
        """
        if not isinstance(past_returns, pd.DataFrame) or not isinstance(past_returns.index, pd.DatetimeIndex):
            raise ConfigError("past_returns must be a DataFrame indexed by dates.")
        table = past_returns.iloc[:, :-1] if self._has_cash else past_returns
        # engines mark dates with a time zone or not; the order is the same
        dates, now = past_returns.index.tz_localize(None), pd.Timestamp(t).tz_localize(None)
        if dates[-1] >= now:
            raise LookAheadError(
                f"the decision of {now.date()} was given returns up to {dates[-1].date()}: a decision knows what ends "
                "before it. Cut past_returns."
            )
        fold = fold_history(table.set_axis(dates, axis=0), kind=self._kind, panel=None)
        return self._of(fold)

    def _of(self, fold: FoldHistory) -> ScenarioSet:
        key = fold.panel.fingerprint()
        if key not in self._drawn:
            source = trained_source(fold, generator=self._generator, fit_generator=None)
            self._drawn[key] = fold_scenarios(fold, source, self._n_scenarios, self._horizon, seed=self._seed)
            while len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        return self._drawn[key]

    def _step(self, t: Any, past_returns: pd.DataFrame, mpo_step: Any) -> tuple[ScenarioSet, int]:
        whole_number(mpo_step, "mpo_step", least=0)
        if mpo_step >= self._horizon:
            raise ConfigError(
                f"step {mpo_step} (counted from 0) was asked of a forecaster of {self._horizon} steps. Make it with "
                "horizon= the planning horizon of the engine."
            )
        return self.scenarios(t, past_returns), mpo_step + 1

    def __copy__(self) -> "StepForecaster":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "StepForecaster":
        return self


@final
class _Means:
    """Expected simple return of one period, as an engine asks for it."""

    def __init__(self, forecaster: StepForecaster) -> None:
        self._forecaster = forecaster

    def values_in_time(self, t: Any, past_returns: pd.DataFrame, mpo_step: int = 0, **kwargs: Any) -> pd.Series:
        """Series, index asset (no cash): expected simple return of period ``mpo_step + 1``."""
        del kwargs
        made, period = self._forecaster._step(t, past_returns, mpo_step)
        matrix = scenario_matrix(made, period=period)
        return pd.Series(matrix.probabilities @ matrix.returns, index=list(made.assets))


@final
class _Covariances:
    """Covariance of one period, as an engine asks for it."""

    def __init__(self, forecaster: StepForecaster) -> None:
        self._forecaster = forecaster

    def values_in_time(self, t: Any, past_returns: pd.DataFrame, mpo_step: int = 0, **kwargs: Any) -> pd.DataFrame:
        """DataFrame (asset, asset): covariance of the simple returns of period ``mpo_step + 1``."""
        del kwargs
        made, period = self._forecaster._step(t, past_returns, mpo_step)
        matrix = scenario_matrix(made, period=period)
        centred = matrix.returns - matrix.probabilities @ matrix.returns
        names = list(made.assets)
        return pd.DataFrame((centred * matrix.probabilities[:, None]).T @ centred, index=names, columns=names)
