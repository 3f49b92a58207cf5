"""The plugs with the toolkit's own trained generator: cloned, conditioned, refused."""

import numpy as np
import pytest
from skfolio import RiskMeasure
from skfolio.model_selection import WalkForward, cross_val_predict
from skfolio.optimization import MeanRisk
from skfolio.prior import SyntheticData
from sklearn.base import clone

import tsgen
from portfolio.interop import ScenarioDistribution, ScenarioPrior, StepForecaster
from tsgen.errors import LookAheadError

pytestmark = pytest.mark.slow
CUTOFF = "2018-12-31"


@pytest.fixture(scope="module")
def panel():
    return tsgen.load_returns("sample")


@pytest.fixture(scope="module")
def generator(panel):
    return tsgen.fit_generator(panel.until(CUTOFF), tsgen.GeneratorConfig.preset("fast"), seed=0)


def models(generator):
    distribution = ScenarioDistribution(generator=generator, horizon=5)
    synthetic = SyntheticData(distribution_estimator=distribution, n_samples=200)
    prior = ScenarioPrior(generator=generator, horizon=5, n_scenarios=200)
    return [MeanRisk(risk_measure=RiskMeasure.CVAR, prior_estimator=one) for one in (synthetic, prior)]


@pytest.mark.parametrize("number", [0, 1])
def test_walk_forward_after_the_training_date(panel, generator, number):
    returns = panel.to_kind("simple").returns
    later = returns.loc["2018-06-01":]
    first = int(later.index.searchsorted(np.datetime64("2019-01-01")))
    model = models(generator)[number]
    done = cross_val_predict(model, later, cv=WalkForward(train_size=first, test_size=120))
    assert len(done) >= 3
    assert not np.allclose(done[0].weights, done[1].weights, atol=1e-3)  # re-conditioned
    with pytest.raises(LookAheadError, match="has seen data up to 2018-12-31"):
        cross_val_predict(model, later, cv=WalkForward(train_size=first - 10, test_size=120))


def test_a_clone_samples_the_same(panel, generator):
    returns = panel.to_kind("simple").returns.loc[:"2019-06-28"]
    estimator = ScenarioDistribution(generator=generator, horizon=3)
    one, two = estimator.fit(returns).sample(20), clone(estimator).fit(returns).sample(20)
    np.testing.assert_array_equal(one, two)
    direct = generator.sample(20, 3, history=panel.until("2019-06-28"), seed=estimator.fold_.seed(0))
    # simple returns and back: rounding in the history, carried through float32
    np.testing.assert_allclose(one, direct.horizon_returns(), atol=1e-5)


def test_step_forecasts_follow_the_volatility_of_the_moment(panel, generator):
    past = panel.to_kind("simple").returns.loc[:"2019-06-28"]
    wild = past.copy()
    wild.iloc[-15:] *= 4.0
    forecaster = StepForecaster(generator=generator, horizon=2, n_scenarios=400, has_cash=False)
    calm, stormy = (
        np.sqrt(np.diag(forecaster.covariances.values_in_time("2019-07-01", frame, mpo_step=1)))
        for frame in (past, wild)
    )
    assert (stormy > 1.5 * calm).all()
