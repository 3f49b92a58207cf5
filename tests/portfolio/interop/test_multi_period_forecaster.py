"""Step forecasts: the conditional law of each period, drawn once per date, never of later data."""

import copy

import numpy as np
import pandas as pd
import pytest

from portfolio.interop import StepForecaster
from tsgen.errors import ConfigError, LookAheadError
from tsgen.scenario_set import ScenarioSet


class Drifting:
    """Period k has mean k / 1000 and volatility k / 100: steps that are mixed up would show."""

    assets, kind, training_cutoff = ("A", "B"), "simple", None

    def __init__(self):
        self.calls = 0

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        self.calls += 1
        noise = np.random.default_rng(seed).normal(size=(n_scenarios, horizon, 2))
        step = np.arange(1, horizon + 1)[None, :, None]
        p = np.where(np.arange(n_scenarios) % 2, 1.5, 0.5) / n_scenarios
        return ScenarioSet(step / 1000 + step / 100 * noise, self.assets, "simple", probabilities=p)


@pytest.fixture
def past(fold):
    return fold[["A", "B"]].assign(cash=0.0001)


@pytest.fixture
def now(past):
    return past.index[-1] + pd.Timedelta("1D")


def test_each_step_is_its_own_period(past, now):
    source = Drifting()
    forecaster = StepForecaster(generator=source, horizon=3, n_scenarios=4000)
    made = forecaster.scenarios(now, past)
    for step in range(3):
        mean = forecaster.means.values_in_time(now, past, mpo_step=step, cache={}, current_weights=None)
        covariance = forecaster.covariances.values_in_time(t=now, past_returns=past, mpo_step=step)
        rows, p = made.returns[:, step], made.weights
        np.testing.assert_allclose(mean, p @ rows, atol=1e-16)
        np.testing.assert_allclose(covariance, np.cov(rows.T, aweights=p, ddof=0), rtol=1e-10)
        assert mean.index.tolist() == covariance.columns.tolist() == covariance.index.tolist() == ["A", "B"]
        # effective sample size 4000 / 1.25; standard error of the mean
        error = (step + 1) / 100 / np.sqrt(3200)
        assert (np.abs(mean - (step + 1) / 1000) < 4 * error).all()
    assert source.calls == 1


def test_copies_share_what_was_drawn(past, now):
    source = Drifting()
    forecaster = StepForecaster(generator=source, horizon=2, n_scenarios=10)
    steps = [copy.deepcopy(forecaster.means) for _ in range(2)]
    values = [one.values_in_time(now, past, mpo_step=k) for k, one in enumerate(steps)]
    assert source.calls == 1
    assert not values[0].equals(values[1])
    assert copy.copy(forecaster) is forecaster


def test_another_past_is_drawn_anew(past, now):
    source = Drifting()
    forecaster = StepForecaster(generator=source, horizon=1, n_scenarios=10)
    for changed in (past, past.iloc[1:], past * 1.01, past):
        forecaster.means.values_in_time(now, changed)
    assert source.calls == 3
    for end in range(40, 60):
        forecaster.means.values_in_time(now, past.iloc[:end])
    assert len(forecaster._drawn) == 8


def test_later_data_are_refused(past, now):
    forecaster = StepForecaster(generator=Drifting(), horizon=1, n_scenarios=10)
    for t in (past.index[-1], past.index[-5], past.index[-1].tz_localize("UTC")):
        with pytest.raises(LookAheadError, match="a decision knows what ends before it"):
            forecaster.means.values_in_time(t, past)
    late = Drifting()
    late.training_cutoff = now
    with pytest.raises(LookAheadError, match="the generator of this fold"):
        StepForecaster(generator=late, horizon=1).means.values_in_time(now, past)


def test_time_zones_and_no_cash(past, now):
    forecaster = StepForecaster(generator=Drifting(), horizon=1, n_scenarios=10)
    zoned = past.tz_localize("America/New_York")
    np.testing.assert_array_equal(
        forecaster.means.values_in_time(now.tz_localize("America/New_York"), zoned),
        forecaster.means.values_in_time(now, past),
    )
    bare = StepForecaster(generator=Drifting(), horizon=1, n_scenarios=10, has_cash=False)
    assert bare.means.values_in_time(now, past[["A", "B"]]).index.tolist() == ["A", "B"]


def test_refusals(past, now):
    forecaster = StepForecaster(generator=Drifting(), horizon=2, n_scenarios=10)
    with pytest.raises(ConfigError, match=r"step 2 .* was asked of a forecaster of 2 steps"):
        forecaster.means.values_in_time(now, past, mpo_step=2)
    with pytest.raises(ConfigError, match="mpo_step must be a non-negative integer"):
        forecaster.means.values_in_time(now, past, mpo_step=None)
    with pytest.raises(ConfigError, match="past_returns must be a DataFrame indexed by dates"):
        forecaster.means.values_in_time(now, past.reset_index(drop=True))
    for name in ("horizon", "n_scenarios"):
        with pytest.raises(ConfigError, match=f"{name} must be a positive integer"):
            StepForecaster(**({"generator": Drifting(), "horizon": 1, "n_scenarios": 1} | {name: 0}))


@pytest.mark.filterwarnings("ignore")  # deprecations inside that engine are not ours
def test_in_the_real_engine(fold, tmp_path):
    """Optional: cvxportfolio is licensed under the GPL and never a dependency; run where it happens to be installed."""
    cvx = pytest.importorskip("cvxportfolio")
    returns = fold[["A", "B"]].assign(cash=0.0001).tz_localize("UTC")
    source = Drifting()
    forecaster = StepForecaster(generator=source, horizon=2, n_scenarios=50)
    objective = cvx.ReturnsForecast(r_hat=forecaster.means, decay=1.0) - 2.0 * cvx.FullCovariance(
        Sigma=forecaster.covariances
    )
    policy = cvx.MultiPeriodOptimization(objective, [cvx.LongOnly(), cvx.LeverageLimit(1)], planning_horizon=2)
    data = cvx.UserProvidedMarketData(
        returns=returns, cash_key="cash", min_history=pd.Timedelta("10D"), base_location=tmp_path
    )
    simulator = cvx.MarketSimulator(market_data=data)
    result = simulator.backtest(policy, start_time=returns.index[60], end_time=returns.index[70])
    assert len(result.h) > 5
    # once per date, although asked twice per step and date
    assert source.calls <= len(result.h)
