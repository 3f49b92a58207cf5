"""`ScenarioDistribution` inside skfolio's `SyntheticData`, by its rules, and honest about dates."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from skfolio import RiskMeasure
from skfolio.model_selection import WalkForward, cross_val_predict
from skfolio.optimization import MeanRisk
from skfolio.pre_selection import SelectKExtremes
from skfolio.prior import SyntheticData
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from portfolio.interop import ScenarioDistribution
from tsgen.baselines import BlockBootstrap, FilteredHistoricalSimulation
from tsgen.errors import ConfigError, DataError, LookAheadError
from tsgen.marketdata import ReturnPanel


def test_synthetic_data_gets_the_generators_law(normal, law, fold):
    prior = SyntheticData(distribution_estimator=ScenarioDistribution(generator=normal()), n_samples=4000).fit(fold)
    mean = np.expm1(law.mean + np.diag(law.covariance) / 2)
    error = np.sqrt(np.diag(law.covariance) / 4000)
    assert (np.abs(prior.return_distribution_.mu - mean) < 4 * error).all()
    assert prior.distribution_estimator_.feature_names_in_.tolist() == ["A", "B", "C"]
    assert prior.distribution_estimator_.n_features_in_ == 3


def test_synthetic_data_conditions(normal, law, fold):
    prior = SyntheticData(
        distribution_estimator=ScenarioDistribution(generator=normal()),
        n_samples=2000,
        sample_args={"conditioning": {"A": float(np.expm1(-0.02))}},
    ).fit(fold)
    returns = prior.return_distribution_.returns
    # skfolio adds a noise of 1e-6 to constant columns, in place: the array must be writable
    np.testing.assert_allclose(np.log1p(returns[:, 0]), -0.02, atol=1e-5)
    slope = law.covariance[0, 1:] / law.covariance[0, 0]
    mean = law.mean[1:] + slope * (-0.02 - law.mean[0])
    error = np.sqrt(np.diag(law.covariance)[1:] / 700)
    assert (np.abs(np.log1p(returns[:, 1:]).mean(axis=0) - mean) < 4 * error).all()


def test_is_an_estimator_like_others(normal, fold):
    estimator = ScenarioDistribution(generator=normal(), horizon=3, random_state=7)
    assert clone(estimator).get_params()["horizon"] == 3
    nested = SyntheticData(distribution_estimator=estimator)
    nested.set_params(distribution_estimator__horizon=5)
    assert estimator.horizon == 5
    assert "horizon=5" in repr(estimator)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        estimator.sample(3)
    assert estimator.fit(fold) is estimator
    assert not hasattr(clone(estimator), "generator_")


def test_samples_are_fresh_and_repeatable(normal, fold, fold_of):
    estimator = ScenarioDistribution(generator=normal(), horizon=4).fit(fold)
    first = estimator.sample(50)
    np.testing.assert_array_equal(first, estimator.sample(n_samples=50))
    assert first.flags.writeable
    first[:] = 0.0
    assert np.abs(estimator.sample(50)).max() > 0
    other = ScenarioDistribution(generator=normal(), horizon=4, random_state=1).fit(fold)
    assert not np.array_equal(other.sample(50), estimator.sample(50))
    # a fold that ends on another date has noise of its own
    later = ScenarioDistribution(generator=normal(), horizon=4).fit(fold_of(91))
    assert not np.array_equal(later.sample(50), estimator.sample(50))


def test_probabilities_are_kept_by_frequency(normal, law, fold):
    def unequal(n):
        p = np.where(np.arange(n) < n // 2, 3.0, 1.0)
        return p / p.sum()

    generator = normal(probabilities=unequal)
    estimator = ScenarioDistribution(generator=generator).fit(fold)
    made = generator.sample(400, 1, seed=estimator.fold_.seed(0))
    expected = set(np.round(np.expm1(made.returns[:200, 0, 0]), 12))
    share = np.mean([round(value, 12) in expected for value in estimator.sample(400)[:, 0]])
    assert share == pytest.approx(0.75, abs=1 / 400 + 1e-12)


def test_real_generators_are_conditioned_on_the_fold(fold):
    panel = ReturnPanel(fold, kind="simple")
    calm, wild = fold.copy(), fold.copy()
    calm.iloc[-20:] *= 0.2
    wild.iloc[-20:] *= 3.0
    long = pd.concat([fold] * 3).set_axis(pd.bdate_range("2020-01-01", periods=270), axis=0)
    trained = FilteredHistoricalSimulation.fit(ReturnPanel(long.iloc[:150], kind="simple"), filter="ewma")
    spread = [ScenarioDistribution(generator=trained).fit(x).sample(500).std() for x in (calm, wild)]
    assert 3 * spread[0] < spread[1]
    assert panel.n_dates == 90


def test_generators_trained_on_log_returns_get_log_returns(fold):
    trained = BlockBootstrap.fit(ReturnPanel(fold, kind="simple").to_kind("log"), block_length=3)
    sample = ScenarioDistribution(generator=trained).fit(fold).sample(200)
    known = {round(v, 12) for v in fold["A"]}
    assert all(round(v, 12) in known for v in sample[:, 0])


def test_walk_forward_refuses_a_generator_trained_past_a_fold(normal, fold):
    cv = WalkForward(train_size=30, test_size=20)
    ends = [fold.index[train[-1]] for train, _ in cv.split(fold)]

    def model(cutoff):
        prior = SyntheticData(
            distribution_estimator=ScenarioDistribution(generator=normal(training_cutoff=cutoff)), n_samples=100
        )
        return MeanRisk(risk_measure=RiskMeasure.CVAR, prior_estimator=prior)

    done = cross_val_predict(model(ends[0]), fold, cv=cv)
    assert len(done) == len(ends)
    with pytest.raises(LookAheadError, match=f"has seen data up to {ends[1].date()} .*decision of {ends[0].date()}"):
        cross_val_predict(model(ends[1]), fold, cv=cv)


def test_tables_without_dates(normal, fold, panel):
    values = fold.to_numpy()
    assert ScenarioDistribution(fit_generator=partial(BlockBootstrap.fit, block_length=3)).fit(values).sample(4).shape
    assert ScenarioDistribution(generator=normal()).fit(values[:, :3]).fold_.dated is False
    for cutoff in ("1950-01-02", "2000-01-03", "2090-01-02"):
        trained = normal(training_cutoff=pd.Timestamp(cutoff))
        with pytest.raises(ConfigError, match="no dates to compare with"):
            ScenarioDistribution(generator=trained).fit(values)
    with pytest.raises(ConfigError, match="panel= can only be cut"):
        ScenarioDistribution(generator=normal(), panel=panel).fit(values)
    with pytest.raises(DataError, match="must be a table"):
        ScenarioDistribution(generator=normal()).fit(values[0])


def test_undated_fold_refuses_dated_scenarios(normal, law, fold):
    class Dated(type(normal())):
        def sample(self, n_scenarios, horizon, *, history=None, seed):
            made = super().sample(n_scenarios, horizon, seed=seed)
            return type(made)(made.returns, made.assets, made.kind, asof="1990-01-01")

    generator = Dated(["x0", "x1", "x2"], law.mean, law.covariance)
    with pytest.raises(ConfigError, match="the scenarios are dated, but this fold has no dates"):
        ScenarioDistribution(generator=generator).fit(fold.to_numpy()).sample(3)


def test_a_pre_selection_needs_the_whole_panel(fold_of):
    fold = fold_of(90, 5)
    panel = ReturnPanel(fold, kind="simple")
    trained = FilteredHistoricalSimulation.fit(
        ReturnPanel(fold_of(120, 5).set_axis(pd.bdate_range("2019-01-01", periods=120), axis=0), kind="simple"),
        filter="ewma",
    )

    def pipeline(**options):
        estimator = ScenarioDistribution(generator=trained, **options)
        model = MeanRisk(prior_estimator=SyntheticData(distribution_estimator=estimator, n_samples=200))
        return Pipeline([("select", SelectKExtremes(k=3)), ("optimise", model)])

    with sklearn.config_context(transform_output="pandas"):
        with pytest.raises(DataError, match=r"which this fold does not have \(a pre-selection\?\). Pass panel="):
            pipeline().fit(fold)
        cv = WalkForward(train_size=40, test_size=25)
        done = cross_val_predict(pipeline(panel=panel), fold, cv=cv)
        assert len(done) == 2
        assert all((portfolio.weights > 1e-6).sum() <= 3 for portfolio in done)
    short = ReturnPanel(fold.iloc[:50], kind="simple")
    with pytest.raises(DataError, match="Give a panel that covers all folds"):
        ScenarioDistribution(generator=trained, panel=short).fit(fold)


def test_the_future_of_the_panel_does_not_matter(fold_of):
    fold = fold_of(90, 3)
    other = fold.copy()
    other.iloc[60:] *= -7.0
    samples = []
    for frame in (fold, other):
        earlier = fold_of(80).set_axis(pd.bdate_range("2019-01-01", periods=80))
        estimator = ScenarioDistribution(
            fit_generator=partial(FilteredHistoricalSimulation.fit, filter="ewma"),
            panel=ReturnPanel(pd.concat([earlier, frame]), kind="simple"),
        )
        samples.append(estimator.fit(frame.iloc[:60]).sample(100, conditioning={"A": (-1.0, 0.0)}))
    np.testing.assert_array_equal(*samples)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"generator": None}, ConfigError, "exactly one of the two"),
        ({"fit_generator": BlockBootstrap.fit}, ConfigError, "exactly one of the two"),
        ({"generator": None, "fit_generator": 3}, ConfigError, "fit_generator must be callable"),
        ({"generator": object()}, ConfigError, "a generator needs assets, kind and sample"),
        ({"generator": BlockBootstrap}, ConfigError, "a generator needs assets, kind and sample"),
        ({"pool": 0}, ConfigError, "pool must be a positive integer"),
        ({"panel": 3}, ConfigError, "panel must be a ReturnPanel"),
        ({"kind": "percent"}, ConfigError, "percent"),
    ],
)
def test_settings_are_checked_by_fit(normal, fold, changes, error, message):
    estimator = ScenarioDistribution(**({"generator": normal()} | changes))
    with pytest.raises(error, match=message):
        estimator.fit(fold)


def test_what_comes_back_is_checked(normal, law, fold):
    class Wrong:
        assets, kind = ("A", "B", "C"), "log"

        def __init__(self, answer):
            self.answer = answer

        def sample(self, n_scenarios, horizon, *, history=None, seed):
            return self.answer

    with pytest.raises(ConfigError, match="must return a ScenarioSet: got int"):
        ScenarioDistribution(generator=Wrong(3)).fit(fold).sample(2)
    two = type(normal())(["A", "B"], law.mean[:2], law.covariance[:2, :2])
    with pytest.raises(DataError, match="the scenarios lack C of the fold"):
        ScenarioDistribution(generator=two).fit(fold).sample(2)
    late = normal().sample(2, 1, seed=0)
    late = type(late)(late.returns, late.assets, late.kind, asof=fold.index[-1] + pd.Timedelta("1D"))
    with pytest.raises(LookAheadError, match="the scenario set of this fold"):
        ScenarioDistribution(generator=Wrong(late)).fit(fold).sample(2)
    for arguments in ({"n_samples": 0}, {"n_samples": 2.0}):
        with pytest.raises(ConfigError, match="n_samples must be a positive integer"):
            ScenarioDistribution(generator=normal()).fit(fold).sample(**arguments)
    with pytest.raises(ConfigError, match="horizon must be a positive integer"):
        ScenarioDistribution(generator=normal(), horizon=0).fit(fold).sample(2)
    holed = fold.copy()
    holed.iloc[3, 1] = np.nan
    with pytest.raises(DataError, match="missing"):
        ScenarioDistribution(generator=normal()).fit(holed)
