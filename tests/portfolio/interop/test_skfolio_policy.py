"""skfolio optimisers in our backtest: same weights, same books, same leak check."""

import numpy as np
import pandas as pd
import pytest
from skfolio import RiskMeasure
from skfolio.optimization import InverseVolatility, MeanRisk, ObjectiveFunction
from skfolio.pre_selection import SelectKExtremes
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import portfolio
from portfolio.interop import ScenarioPrior, SkfolioPolicy
from tsgen.errors import ConfigError, LookAheadError

WEEKS = {"rebalance": 10, "costs": portfolio.LinearCost(0.001)}


def test_every_decision_is_a_fit_on_the_past(panel):
    model = MeanRisk(risk_measure=RiskMeasure.VARIANCE)
    result = portfolio.backtest(panel, SkfolioPolicy(estimator=model, window=40), start=panel.dates[50], **WEEKS)
    for date, target in result.targets.iterrows():
        expected = clone(model).fit(panel.until(date).returns.tail(40)).weights_
        np.testing.assert_allclose(target, expected, atol=1e-12)
    assert not hasattr(model, "weights_")


def test_weights_held_reach_the_turnover_penalty(panel):
    greedy = MeanRisk(transaction_costs=0.05, objective_function=ObjectiveFunction.MAXIMIZE_UTILITY)
    result = portfolio.backtest(panel, SkfolioPolicy(estimator=greedy), start=panel.dates[30], **WEEKS)
    free = clone(greedy).set_params(transaction_costs=0.0)
    without = portfolio.backtest(panel, SkfolioPolicy(estimator=free), start=panel.dates[30], **WEEKS)
    later = slice(1, None)
    assert result.decisions["turnover"].iloc[later].sum() < 0.5 * without.decisions["turnover"].iloc[later].sum()


def test_pre_selection_leaves_zero_for_the_others(panel):
    pipeline = Pipeline([("select", SelectKExtremes(k=2)), ("optimise", InverseVolatility())])
    result = portfolio.backtest(panel, SkfolioPolicy(estimator=pipeline), start=panel.dates[60], **WEEKS)
    assert ((result.targets > 0).sum(axis=1) == 2).all()
    np.testing.assert_allclose(result.targets.sum(axis=1), 1.0, atol=1e-12)


def test_failures_hold_and_are_counted(panel):
    impossible = MeanRisk(max_weights=0.2)  # three assets of at most 0.2 cannot sum to one
    result = portfolio.backtest(panel, SkfolioPolicy(estimator=impossible), start=panel.dates[60], **WEEKS)
    assert result.n_failed == len(result.decisions) == 3
    assert result.decisions["reason"].str.contains("MeanRisk failed").all()
    quiet = MeanRisk(max_weights=0.2, raise_on_failure=False)
    with pytest.warns(UserWarning, match="weights_ is set to None"):
        result = portfolio.backtest(panel, SkfolioPolicy(estimator=quiet), start=panel.dates[80], **WEEKS)
    assert result.decisions["reason"].str.contains("gave no weights").all()


def test_leak_check_and_stamps_apply(panel, normal):
    model = MeanRisk(prior_estimator=ScenarioPrior(generator=normal(), n_scenarios=40))
    settings = portfolio.BacktestSettings(**WEEKS)
    report = portfolio.check_no_lookahead(
        panel, SkfolioPolicy(estimator=model), start=panel.dates[60], settings=settings
    )
    assert report.n_compared > 0
    trained = normal(training_cutoff=panel.dates[-1])
    late = MeanRisk(prior_estimator=ScenarioPrior(generator=trained, n_scenarios=40))
    with pytest.raises(LookAheadError, match="has seen data up to"):
        portfolio.backtest(panel, SkfolioPolicy(estimator=late), start=panel.dates[60], **WEEKS)


def test_refusals():
    for estimator in (3, MeanRisk, object()):
        with pytest.raises(ConfigError, match="must be a skfolio optimiser"):
            SkfolioPolicy(estimator=estimator)
    with pytest.raises(ConfigError, match="window must be an integer of at least 2"):
        SkfolioPolicy(estimator=MeanRisk(), window=1)


def test_an_estimator_without_weights_is_a_failure(panel):
    result = portfolio.backtest(panel, SkfolioPolicy(estimator=StandardScaler()), start=panel.dates[85], **WEEKS)
    assert result.n_failed == 1
    assert isinstance(result.returns, pd.Series)
