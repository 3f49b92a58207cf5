"""`ScenarioPrior` in skfolio's optimisers: probabilities arrive, folds are honest."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from skfolio import RiskMeasure
from skfolio.model_selection import WalkForward, cross_val_predict
from skfolio.optimization import MeanRisk, ObjectiveFunction
from skfolio.pre_selection import SelectKExtremes
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import portfolio
from portfolio.interop import ScenarioPrior
from tsgen.baselines import BlockBootstrap
from tsgen.errors import ConfigError, LookAheadError
from tsgen.reweighting import MeanView, entropy_pooling
from tsgen.scenario_set import ScenarioSet


@pytest.fixture
def weighted(normal):
    made = normal().sample(600, 5, seed=3)
    p = np.random.default_rng(4).dirichlet(np.full(600, 0.7))
    return made.with_probabilities(p)


def test_moments_are_those_of_the_weighted_law(weighted, fold):
    prior = ScenarioPrior(scenarios=weighted, horizon=5).fit(fold)
    law = prior.return_distribution_
    x, p = np.exp(weighted.returns.sum(axis=1)) - 1, weighted.weights
    np.testing.assert_allclose(law.returns, x, atol=1e-14)
    np.testing.assert_allclose(law.sample_weight, p, rtol=1e-12)
    np.testing.assert_allclose(law.mu, p @ x, atol=1e-15)
    np.testing.assert_allclose(law.covariance, (x - p @ x).T @ (p[:, None] * (x - p @ x)), atol=1e-16)
    assert prior.feature_names_in_.tolist() == ["A", "B", "C"]
    shorter = ScenarioPrior(scenarios=weighted, horizon=2).fit(fold).return_distribution_
    np.testing.assert_allclose(shorter.returns, np.exp(weighted.returns[:, :2].sum(axis=1)) - 1, atol=1e-14)


def test_equal_probabilities_are_none(normal, fold):
    prior = ScenarioPrior(generator=normal(), n_scenarios=50).fit(fold)
    assert prior.return_distribution_.sample_weight is None
    assert prior.scenarios_.n_scenarios == 50


@pytest.mark.parametrize("measure", ["cvar", "variance"])
def test_skfolio_on_the_prior_equals_our_optimiser(weighted, fold, measure):
    """Two programs, one weighted problem; without the weights the answer would be another one."""
    model = MeanRisk(
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_measure=RiskMeasure.CVAR if measure == "cvar" else RiskMeasure.VARIANCE,
        cvar_beta=0.9,
        risk_aversion=0.4 if measure == "cvar" else 4.0,
        prior_estimator=ScenarioPrior(scenarios=weighted, horizon=5),
        solver="CLARABEL",
        solver_params={"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11},
    )
    theirs = model.fit(fold).weights_

    def objective(weights, scenarios=weighted):
        x, p = np.exp(scenarios.returns.sum(axis=1)) - 1, scenarios.weights
        gain = x @ weights
        if measure == "variance":
            return p @ gain - 4.0 * (p @ (gain - p @ gain) ** 2)
        order = np.argsort(gain)
        tail = np.minimum(np.diff(np.minimum(np.cumsum(p[order]), 0.1), prepend=0.0), p[order])
        return p @ gain + 0.4 * (tail @ gain[order]) / 0.1

    if measure == "cvar":
        ours = portfolio.mean_cvar(weighted, risk_aversion=0.4, level=0.9).weights.to_numpy()
    else:  # skfolio's utility has the whole variance, ours half of it
        ours = portfolio.mean_variance(weighted, risk_aversion=8.0).weights.to_numpy()
    assert objective(theirs) == pytest.approx(objective(ours), rel=1e-6)
    forgotten = clone(model).set_params(prior_estimator__scenarios=weighted.with_probabilities(None)).fit(fold)
    assert objective(forgotten.weights_) < objective(ours) * (1 - 1e-3)


def test_entropy_pooling_views_reach_the_optimiser(normal, fold):
    views = [MeanView(of="C", target=0.02, relation="==")]
    prior = ScenarioPrior(
        generator=normal(), n_scenarios=800, horizon=3, reweight=lambda s: entropy_pooling(s, views)
    ).fit(fold)
    law = prior.return_distribution_
    assert law.sample_weight @ law.returns[:, 2] == pytest.approx(0.02, abs=1e-8)
    assert law.mu[2] == pytest.approx(0.02, abs=1e-8)
    optimist = MeanRisk(risk_aversion=1.0, objective_function=ObjectiveFunction.MAXIMIZE_UTILITY, prior_estimator=prior)
    neutral = clone(optimist).set_params(prior_estimator__reweight=None)
    assert optimist.fit(fold).weights_[2] > neutral.fit(fold).weights_[2] + 0.2


def test_walk_forward_pipeline_and_search(fold_of):
    fold = fold_of(100, 5)
    prior = ScenarioPrior(fit_generator=partial(BlockBootstrap.fit, block_length=3), n_scenarios=150)
    model = MeanRisk(risk_measure=RiskMeasure.CVAR, prior_estimator=prior)
    cv = WalkForward(train_size=50, test_size=25)
    with sklearn.config_context(transform_output="pandas"):
        pipeline = Pipeline([("select", SelectKExtremes(k=3)), ("optimise", model)])
        done = cross_val_predict(pipeline, fold, cv=cv)
        assert len(done) == 2
        # folds train on their own past only: another future leaves the first fold's weights as they are
        other = fold.copy()
        other.iloc[50:] *= -3.0
        again = cross_val_predict(pipeline, other, cv=cv)
    np.testing.assert_array_equal(done[0].weights, again[0].weights)
    assert not np.array_equal(done[1].weights, again[1].weights)
    search = GridSearchCV(model, {"prior_estimator__n_scenarios": [50, 150]}, cv=cv).fit(fold)
    assert search.best_params_["prior_estimator__n_scenarios"] in (50, 150)


def test_folds_before_the_training_date_are_refused(normal, fold):
    cv = WalkForward(train_size=30, test_size=20)
    ends = [fold.index[train[-1]] for train, _ in cv.split(fold)]

    def model(**options):
        return MeanRisk(prior_estimator=ScenarioPrior(n_scenarios=60, **options))

    assert len(cross_val_predict(model(generator=normal(training_cutoff=ends[0])), fold, cv=cv)) == 3
    with pytest.raises(LookAheadError, match="the generator of this fold"):
        cross_val_predict(model(generator=normal(training_cutoff=ends[2])), fold, cv=cv)
    ready = normal().sample(60, 1, seed=0)

    def dated(date):
        return ScenarioSet(ready.returns, ready.assets, ready.kind, asof=date)

    assert len(cross_val_predict(model(scenarios=dated(ends[0])), fold, cv=cv)) == 3
    with pytest.raises(LookAheadError, match="the scenario set of this fold"):
        cross_val_predict(model(scenarios=dated(ends[1])), fold, cv=cv)
    # re-weighting with later knowledge is seen by the stamp, too
    with pytest.raises(LookAheadError, match="the scenario set of this fold"):
        model(generator=normal(), reweight=lambda s: dated(ends[2])).fit(fold.loc[: ends[0]])


def test_stress_test_by_predict(normal, weighted, fold):
    model = MeanRisk(prior_estimator=ScenarioPrior(generator=normal(), n_scenarios=100)).fit(fold)
    stressed = ScenarioPrior(scenarios=weighted, horizon=1).fit(fold).return_distribution_
    result = model.predict(stressed)
    assert result.mean == pytest.approx(float(stressed.sample_weight @ stressed.returns @ model.weights_), abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of the two"),
        ({"both": True}, "give no generator= or fit_generator= beside them"),
        ({"reweight": 3}, "reweight must be callable"),
        ({"reweight": lambda s: 3}, "must return a ScenarioSet"),
        ({"n_scenarios": 0}, "the number of scenarios must be a positive integer"),
        ({"horizon": 0}, "horizon must be a positive integer"),
        ({"random_state": -1}, "seed"),
    ],
)
def test_refusals(normal, fold, arguments, message):
    arguments = dict(arguments)
    if arguments.pop("both", False):
        arguments |= {"generator": normal(), "scenarios": normal().sample(5, 1, seed=0)}
    elif arguments:
        arguments["generator"] = normal()
    with pytest.raises(ConfigError, match=message):
        ScenarioPrior(**arguments).fit(fold)
    with pytest.raises(ConfigError, match="takes returns only: got factors too"):
        ScenarioPrior(generator=normal()).fit(fold, factors=pd.DataFrame())
