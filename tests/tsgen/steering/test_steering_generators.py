"""Steering fitted generators, of panels and of paths, from their own start and from a history."""

import numpy as np
import pytest

import tsgen
from tsgen.errors import ConfigError, DataError
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.steering import MaxDrawdown, RiskConstraint, SteeringConfig, TerminalReturn, load_steered, steer
from tsgen.steering.steering_reference import reference_of

HORIZON = 4
QUICK = SteeringConfig(
    n_steps=4, n_paths=800, n_iterations=3, n_fit_steps=60, batch_rows=2048, n_certificate_paths=800, block_size=800
)


@pytest.fixture(scope="module")
def panel():
    return tsgen.load_returns("sample").until("2018-12-31")


@pytest.fixture(scope="module")
def generator(panel):
    return tsgen.fit_generator(panel, tsgen.GeneratorConfig.preset("fast"), seed=0)


@pytest.fixture(scope="module")
def portfolio(generator):
    return dict.fromkeys(generator.assets, 1.0 / len(generator.assets))


def level(generator, functional, k, **more):
    """Reference level ``k`` deviations from the mean, from the generator's own scenarios."""
    sampler = SamplerConfig(scheme="stochastic", n_steps=QUICK.n_steps, block_size=800)
    values = functional(generator.sample(2000, HORIZON, seed=9, sampler=sampler, **more))
    return float(values.mean() + k * values.std()), float(values.std())


def test_a_panel_generator_is_steered_and_shares_its_noise(generator, portfolio, tmp_path):
    functional = TerminalReturn(portfolio)
    wanted, unit = level(generator, functional, -1.5)
    steered = steer(generator, RiskConstraint(functional, "==", wanted), horizon=HORIZON, config=QUICK)
    plain = generator.sample(800, HORIZON, seed=2, sampler=steered.sampler)
    moved = steered.sample(800, seed=2)
    assert np.corrcoef(functional(plain), functional(moved))[0, 1] > 0.8
    assert functional(moved).mean() == pytest.approx(wanted, abs=0.3 * unit)
    assert functional(moved) @ moved.weights == pytest.approx(wanted, abs=0.2 * unit)
    assert moved.asof == plain.asof
    steered.save(tmp_path / "s")
    again = load_steered(tmp_path / "s", generator).sample(10, seed=2)
    assert (again.returns == moved.returns[:10]).all()


def test_without_constraints_that_bind_the_generator_is_unchanged_to_the_bit(generator, portfolio):
    steered = steer(generator, RiskConstraint(MaxDrawdown(portfolio), "<=", 0.5), horizon=HORIZON, config=QUICK)
    plain = generator.sample(20, HORIZON, seed=2, sampler=steered.sampler)
    assert (steered.sample(20, seed=2).returns == plain.returns).all()


def test_a_history_moves_the_start(generator, portfolio, panel):
    past = panel.until("2016-06-30")
    functional = MaxDrawdown(portfolio)
    wanted, _ = level(generator, functional, 1.0, history=past)
    steered = steer(generator, RiskConstraint(functional, "==", wanted), horizon=HORIZON, history=past, config=QUICK)
    assert steered.reference.starts_after == past.dates[-1]
    assert steered.training_cutoff == panel.dates[-1]
    first = steered.sample(5, seed=0)
    assert (steered.sample(5, seed=0, history=past).returns == first.returns).all()
    with pytest.raises(ConfigError, match="Leave history out"):
        steered.sample(5, seed=0, history=panel)


def test_histories_that_do_not_fit_are_refused(generator, portfolio, panel):
    constraint = RiskConstraint(TerminalReturn(portfolio), "==", -0.01)
    with pytest.raises(ConfigError, match="history must be a ReturnPanel"):
        steer(generator, constraint, horizon=HORIZON, history=panel.returns)
    with pytest.raises(DataError, match="must have the assets and the return kind"):
        steer(generator, constraint, horizon=HORIZON, history=panel.to_kind("simple"))


def test_the_digest_sees_start_and_numbers(generator, panel):
    one, two = reference_of(generator), reference_of(generator, panel.until("2016-06-30"))
    assert one.digest() == reference_of(generator).digest()
    assert one.digest() != two.digest()


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_a_path_generator_is_steered_from_the_start_of_a_path(preset):
    """An AR(1): the drift of the next period depends on this one; the published model evaluates at pure noise."""
    rng = np.random.default_rng(0)
    x = np.zeros((400, 6, 2))
    for t in range(6):
        x[:, t] = (0.4 * x[:, t - 1] if t else 0) + 0.01 * rng.standard_normal((400, 2))
    paths = tsgen.ScenarioSet(x, assets=["a", "b"], kind="log")
    generator = tsgen.fit_generator(paths, tsgen.GeneratorConfig.preset(preset), seed=0)
    functional = TerminalReturn({"a": 0.5, "b": 0.5})
    wanted, _ = level(generator, functional, -1.5)
    c = steer(generator, RiskConstraint(functional, "==", wanted), horizon=HORIZON, config=QUICK).certificate
    assert abs(c.constraints[0].weighted_bias) < 0.2
    assert c.effective_share > 0.4
