"""Planted leaks are found; what is honest passes."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import (
    BacktestSettings,
    EqualWeightPolicy,
    HistoricalMomentsPolicy,
    PastView,
    ScenarioPolicy,
    check_no_lookahead,
)
from portfolio.backtest.replaced_future import REPLACEMENTS, with_replaced_future
from portfolio.costs import LinearCost
from portfolio.mean_variance import mean_variance
from tsgen.baselines import BlockBootstrap
from tsgen.errors import ConfigError, DataError, LookAheadError
from tsgen.scenario_set import ScenarioSet

optimise = partial(mean_variance, risk_aversion=5.0)
WEEKLY = BacktestSettings(rebalance="weekly", costs=LinearCost(0.001))


def z_score(panel):
    frame = panel.returns
    scores = (frame - frame.mean()) / frame.std()
    return lambda past: scores.loc[past.date] / 10


def rolling_z_score(panel):
    frame = panel.returns
    scores = (frame - frame.rolling(10).mean()) / frame.rolling(10).std()
    return lambda past: scores.loc[past.date] / 10


def shifted_by_one(panel):
    ahead = panel.returns.shift(-1)
    return lambda past: ahead.loc[past.date] * 5


def inverse_volatility_of_everything(panel):
    weights = 1 / panel.returns.std()
    return lambda past: weights / weights.sum()


def future_trained(panel):
    # a generator that hides what it was trained on
    honest = BlockBootstrap.fit(panel, block_length=5)

    class Hidden:
        training_cutoff = None

        def sample(self, n_scenarios, horizon, *, history=None, seed):
            made = honest.sample(n_scenarios, horizon, history=history, seed=seed)
            return ScenarioSet(made.returns, assets=made.assets, kind=made.kind, asof=made.asof)

    return Hidden()


@pytest.mark.parametrize("build", [z_score, shifted_by_one, inverse_volatility_of_everything, future_trained])
@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_planted_leaks_are_found(panel, build, replacement):
    with pytest.raises(LookAheadError, match=r"(moved|fails up to there)") as caught:
        check_no_lookahead(panel, build=build, start=panel.dates[20], replacements=[replacement], settings=WEEKLY)
    if "moved" in str(caught.value):
        assert "when only data after" in str(caught.value)
        assert replacement in str(caught.value)


def test_names_the_first_date_and_asset(panel):
    rows = panel.dates[[25, 40, 60]]

    def build(data):
        # honest on the first two dates; on the third, the second asset looks one date ahead
        ahead = data.returns.shift(-1).fillna(0.0)

        def policy(past):
            weights = past.at(past.date).copy()
            if past.date == rows[2]:
                weights["A1"] = ahead.loc[past.date, "A1"]
            return weights

        return policy

    settings = BacktestSettings(rebalance=list(rows), costs=None)
    message = rf"the decision of {rows[2].date()} for A1 moved from .* when only data after {rows[2].date()}"
    with pytest.raises(LookAheadError, match=message):
        check_no_lookahead(panel, build=build, start=rows[0], cuts=rows, settings=settings)
    # one date's reach shows only at a cut on the decision itself
    check_no_lookahead(panel, build=build, start=rows[0], cuts=rows[:2], settings=settings)


@pytest.mark.parametrize("build", [z_score, future_trained])
def test_future_trained_generator_is_refused_by_its_stamp(panel, build):
    stamped = BlockBootstrap.fit(panel, block_length=5)
    policy = ScenarioPolicy(source=stamped, optimise=optimise, horizon=5, n_scenarios=20)
    with pytest.raises(LookAheadError, match="has seen data up to 2024-04-19"):
        check_no_lookahead(panel, policy, start=panel.dates[20])
    # data in a closure cannot be replaced: refused instead of passed
    if build is z_score:
        with pytest.raises(LookAheadError, match="which this check cannot replace"):
            check_no_lookahead(panel, build(panel), start=panel.dates[20])


def test_a_policy_that_fails_on_another_future_has_read_it(panel):
    def build(data):
        if data.values.min() < -0.15:
            raise ValueError("implausible return")
        return EqualWeightPolicy()

    with pytest.raises(LookAheadError, match=r"fails up to there \(ValueError: implausible return\)"):
        check_no_lookahead(panel, build=build, start=panel.dates[20], replacements=["extreme"])


def test_same_close_execution_is_refused(panel):
    with pytest.raises(LookAheadError, match="lag=0"):
        check_no_lookahead(
            panel, EqualWeightPolicy(), start=panel.dates[20], settings=BacktestSettings(rebalance=5, costs=None, lag=0)
        )


def test_reading_the_panel_through_the_closure_is_refused(panel):
    values = panel.values
    for policy in (
        lambda past: panel.returns.loc[past.date],
        lambda past: pd.Series(values[past.n_dates], index=list(past.assets)),
        partial(lambda tables, past: None, {"signal": [panel.returns]}),
    ):
        with pytest.raises(LookAheadError, match="the policy holds data up to"):
            check_no_lookahead(panel, policy, start=panel.dates[20])


def test_a_status_that_moves_is_a_leak(panel):
    def build(data):
        crash = float(data.values.min()) < -0.15
        return lambda past: None if crash else dict.fromkeys(past.assets, 0.3)

    with pytest.raises(LookAheadError, match="its status from 'decided' to 'held'"):
        check_no_lookahead(panel, build=build, start=panel.dates[20], replacements=["extreme"])


@pytest.mark.parametrize(
    "policy",
    [
        EqualWeightPolicy(),
        HistoricalMomentsPolicy(optimise=optimise, horizon=5),
        ScenarioPolicy(
            fit=partial(BlockBootstrap.fit, block_length=3), optimise=optimise, horizon=3, n_scenarios=30, retrain=10
        ),
    ],
)
def test_honest_policies_pass(panel, policy):
    settings = BacktestSettings(rebalance=15, costs=LinearCost(0.001))
    report = check_no_lookahead(panel, policy, start=panel.dates[20], settings=settings)
    # four decisions, on rows 20, 35, 50 and 65; cuts on the third and the last; two replacements
    assert report.n_compared == 2 * (3 + 4)
    assert not report.rebuilt
    assert "no look-ahead found" in repr(report)
    assert "resampled" in report._repr_html_()


def test_honest_preparation_passes(panel):
    report = check_no_lookahead(
        panel, build=rolling_z_score, start=panel.dates[20], replacements=REPLACEMENTS, settings=WEEKLY
    )
    assert report.rebuilt


def test_a_generator_alone_can_be_checked(panel):
    def build(data):
        return BlockBootstrap.fit(data.until(panel.dates[19]), block_length=3)

    assert check_no_lookahead(panel, build=build, start=panel.dates[20]).n_compared > 0
    assert check_no_lookahead(panel, build(panel), start=panel.dates[20]).n_compared > 0


def test_replaced_futures_are_other_futures_with_the_same_past(panel):
    cut = panel.dates[40]
    for kind in ("simple", "log"):
        data = panel.to_kind(kind)
        for replacement in ("resampled", "extreme"):
            other = with_replaced_future(data, cut, replacement, rng=np.random.default_rng(0))
            np.testing.assert_array_equal(other.values[:41], data.values[:41])
            assert (other.values[41:] != data.values[41:]).all()
            assert other.kind == kind
        absent = with_replaced_future(data, cut, "absent", rng=np.random.default_rng(0))
        assert absent.dates[-1] == cut
    with pytest.raises(ConfigError, match="replacements must be among"):
        with_replaced_future(panel, cut, "zero", rng=np.random.default_rng(0))


def test_a_permutation_alone_would_miss_the_global_z_score(panel):
    # why the future is not merely shuffled: means and spreads of the whole would not move
    rows = panel.returns
    cut = 40
    shuffled = np.vstack([rows.to_numpy()[:cut], np.random.default_rng(0).permutation(rows.to_numpy()[cut:])])
    frame = pd.DataFrame(shuffled, index=rows.index, columns=rows.columns)
    past = PastView(panel=panel.until(panel.dates[cut - 1]), date=panel.dates[cut - 1])
    before = (rows - rows.mean()) / rows.std()
    after = (frame - frame.mean()) / frame.std()
    np.testing.assert_allclose(before.loc[past.date], after.loc[past.date], rtol=1e-10)


def test_refusals(panel):
    start = panel.dates[20]
    with pytest.raises(ConfigError, match="exactly one of the two"):
        check_no_lookahead(panel, start=start)
    with pytest.raises(ConfigError, match="exactly one of the two"):
        check_no_lookahead(panel, EqualWeightPolicy(), build=z_score, start=start)
    with pytest.raises(DataError, match="no decision has later data that could be replaced"):
        check_no_lookahead(panel, EqualWeightPolicy(), start=panel.dates[-1])
    for cuts in ([], [panel.dates[3]], [panel.dates[-1]]):
        with pytest.raises(DataError, match="cuts must lie between the first decision"):
            check_no_lookahead(panel, EqualWeightPolicy(), start=start, cuts=cuts)
    with pytest.raises(ConfigError, match="at least one way to replace the future"):
        check_no_lookahead(panel, EqualWeightPolicy(), start=start, replacements=[])
