"""Adaptedness: a scenario may depend on the past only. Perturb the future; nothing may move, to the bit.

No statistics: one changed bit is a leak. Three checks: a longer horizon keeps the shorter path, data after
the as-of date do not reach the forecast, data after the training cut-off do not reach the fit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.dated_scenarios import SamplesScenarios, scenarios_at
from tsgen.evaluation.metric_result import MetricResult
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import numpy_stream

FitUntil = Callable[[ReturnPanel, pd.Timestamp], SamplesScenarios]

_GROUP = "adaptedness"


def horizon_prefix(
    generator: SamplesScenarios, *, horizon: int, n_scenarios: int, seed: int, history: ReturnPanel | None = None
) -> MetricResult:
    """Check that the first half of a long path is the short path with the same seed.

    A generator that draws whole paths at once, or demeans them, fails: its early returns know its late ones. So does
    one that is adapted but spends random numbers in an order that depends on the horizon; give each period its own.

    Parameters
    ----------
    generator : SamplesScenarios
    horizon : int
        Of the long path, at least 2.
    n_scenarios, seed : int
    history : ReturnPanel, optional

    Returns
    -------
    MetricResult
        ``"pass"`` or ``"reject"``; the value is the largest absolute change, in the unit of returns.

    Raises
    ------
    ConfigError
        If the horizon is below 2.
    ShapeError
        If the generator returns other shapes than it was asked for.

    Examples
    --------
    >>> from tsgen.scenario_set import ScenarioSet
    >>> class Demeaned:
    ...     assets, kind = ("A",), "log"
    ...     def sample(self, n_scenarios, horizon, *, history=None, seed):
    ...         draws = np.random.default_rng(seed).standard_normal((horizon, n_scenarios, 1)).swapaxes(0, 1)
    ...         return ScenarioSet(draws - draws.mean(axis=1, keepdims=True), assets=("A",), kind="log")
    >>> horizon_prefix(Demeaned(), horizon=6, n_scenarios=4, seed=0).verdict
    'reject'
    """
    if horizon < 2:
        raise ConfigError(f"horizon must be at least 2 to have a shorter path inside it: got {horizon!r}.")
    short = generator.sample(n_scenarios, horizon // 2, history=history, seed=seed).returns
    long = generator.sample(n_scenarios, horizon, history=history, seed=seed).returns
    return _verdict("horizon prefix", [(short, long[:, : horizon // 2])], n=n_scenarios)


def future_of_history(
    generator: SamplesScenarios,
    panel: ReturnPanel,
    date: Any,
    *,
    horizon: int,
    n_scenarios: int,
    seed: int,
) -> MetricResult:
    """Check that data after an as-of date do not reach the forecast of that date.

    Parameters
    ----------
    generator : SamplesScenarios
        Asked for forecasts of ``date`` and of the last date in one pass (``sample_at``) where it offers that.
    panel : ReturnPanel
    date : date-like
        With at least two panel dates after it.
    horizon, n_scenarios, seed : int

    Returns
    -------
    MetricResult
        ``"pass"`` or ``"reject"``, as `horizon_prefix`.

    Raises
    ------
    DataError
        If fewer than two dates follow, or the generator does not fit the panel.

    Examples
    --------
    >>> from tsgen.scenario_set import ScenarioSet
    >>> class LastReturn:
    ...     assets, kind = ("A",), "log"
    ...     def sample(self, n_scenarios, horizon, *, history=None, seed):
    ...         return ScenarioSet(np.tile(history.values[-1], (n_scenarios, horizon, 1)), assets=("A",), kind="log")
    >>> frame = pd.DataFrame({"A": [0.01, -0.02, 0.03, 0.0, 0.01]}, index=pd.bdate_range("2024-01-01", periods=5))
    >>> panel = ReturnPanel(frame, kind="log")
    >>> future_of_history(LastReturn(), panel, "2024-01-02", horizon=1, n_scenarios=2, seed=0).verdict
    'pass'
    """
    stamp = panel.until(date).dates[-1]
    dates = pd.DatetimeIndex([stamp, panel.dates[-1]])

    def forecast(history: ReturnPanel) -> NDArray[np.float64]:
        return next(scenarios_at(generator, history, dates, n_scenarios, horizon, seed=seed))

    changed = perturb_after(panel, stamp, seed=seed)
    return _verdict("future of the history", [(forecast(panel), forecast(changed))], n=n_scenarios)


def future_of_training(
    fit: FitUntil,
    panel: ReturnPanel,
    cutoff: Any,
    *,
    horizon: int,
    n_scenarios: int,
    seed: int,
) -> MetricResult:
    """Check that data after the training cut-off do not reach the fitted generator.

    Parameters
    ----------
    fit : callable
        ``fit(panel, cutoff)``: the whole pipeline as it is run, scaling included. It gets the whole panel on purpose.
    panel : ReturnPanel
    cutoff : date-like
        With at least two panel dates after it.
    horizon, n_scenarios, seed : int

    Returns
    -------
    MetricResult
        ``"pass"`` or ``"reject"``, as `horizon_prefix`.

    Raises
    ------
    DataError
        If fewer than two dates follow the cut-off.

    Examples
    --------
    >>> from tsgen.scenario_set import ScenarioSet
    >>> class Scaled:
    ...     def __init__(self, panel):
    ...         self.assets, self.kind, self.deviation = panel.assets, panel.kind, panel.values.std()
    ...     def sample(self, n_scenarios, horizon, *, history=None, seed):
    ...         draws = np.random.default_rng(seed).standard_normal((n_scenarios, horizon, 1))
    ...         return ScenarioSet(self.deviation * draws, assets=self.assets, kind=self.kind)
    >>> frame = pd.DataFrame({"A": [0.01, -0.02, 0.03, 0.0, 0.01]}, index=pd.bdate_range("2024-01-01", periods=5))
    >>> panel = ReturnPanel(frame, kind="log")
    >>> honest = future_of_training(
    ...     lambda p, d: Scaled(p.until(d)), panel, "2024-01-03", horizon=1, n_scenarios=2, seed=0
    ... )
    >>> leaky = future_of_training(lambda p, d: Scaled(p), panel, "2024-01-03", horizon=1, n_scenarios=2, seed=0)
    >>> honest.verdict, leaky.verdict
    ('pass', 'reject')
    """
    stamp = panel.until(cutoff).dates[-1]
    history = panel.until(stamp)

    def forecast(data: ReturnPanel) -> NDArray[np.float64]:
        return fit(data, stamp).sample(n_scenarios, horizon, history=history, seed=seed).returns

    changed = perturb_after(panel, stamp, seed=seed)
    return _verdict("future of the training data", [(forecast(panel), forecast(changed))], n=n_scenarios)


def perturb_after(panel: ReturnPanel, date: Any, *, seed: int) -> ReturnPanel:
    """Replace every return after a date by noise of three times its volatility; dates and past stay.

    Parameters
    ----------
    panel : ReturnPanel
    date : date-like
        With at least two panel dates after it.
    seed : int

    Returns
    -------
    ReturnPanel
        Returns stay above -90 %, valid in either convention.

    Raises
    ------
    DataError
        If fewer than two dates follow.

    Examples
    --------
    >>> frame = pd.DataFrame({"A": [0.01, -0.02, 0.03, 0.0]}, index=pd.bdate_range("2024-01-01", periods=4))
    >>> changed = perturb_after(ReturnPanel(frame, kind="log"), "2024-01-02", seed=0)
    >>> (changed.values[:, 0] == frame["A"]).tolist()
    [True, True, False, False]
    """
    seen = panel.until(date).n_dates
    if panel.n_dates - seen < 2:
        raise DataError(
            f"at least two dates must follow {panel.dates[seen - 1].date()} to perturb a future: the panel ends on "
            f"{panel.dates[-1].date()}. Choose an earlier date."
        )
    values = panel.values.copy()
    rng = numpy_stream(seed, "perturbed future")
    noise = 3.0 * panel.values.std(axis=0) * rng.standard_normal((panel.n_dates - seen, panel.n_assets))
    values[seen:] = 0.9 * np.tanh(noise)
    return ReturnPanel(pd.DataFrame(values, index=panel.dates, columns=list(panel.assets)), kind=panel.kind)


def _verdict(
    metric: str, comparisons: list[tuple[NDArray[np.float64], NDArray[np.float64]]], *, n: int
) -> MetricResult:
    largest = 0.0
    for before, after in comparisons:
        if before.shape != after.shape:
            raise ShapeError(
                f"{metric}: the generator returned shapes {before.shape} and {after.shape} for the same request."
            )
        if before.tobytes() != after.tobytes():
            # bits may differ where values compare equal (-0.0 and 0.0): still a change, of the smallest size
            largest = max(largest, float(np.abs(before - after).max()), np.finfo(np.float64).tiny)
    return MetricResult(
        group=_GROUP,
        metric=metric,
        value=largest,
        floor=0.0,
        floor_deviation=0.0,
        standard_error=0.0,
        verdict="pass" if largest == 0.0 else "reject",
        p_value=None,
        n=n,
        note="largest change; the paths must agree to the last bit",
    )
