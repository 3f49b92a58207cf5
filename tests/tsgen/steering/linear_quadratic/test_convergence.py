"""Policy iteration converges at the rate that theory gives, diverges where it should, and the cures work."""

import pickle

import numpy as np
import pytest

from tests.support.linear_quadratic_problems import (
    autoregression,
    distances,
    iterations_to,
    path_problem,
    random_control,
    random_reward,
    rate_seen,
    static_chain,
    vector_autoregression,
)
from tsgen.errors import ConfigError, DataError
from tsgen.steering.linear_quadratic import (
    ExplicitUpdate,
    ImplicitUpdate,
    PolicyIterationError,
    SteeringProblem,
    balanced_step,
    continue_in_temperature,
    evaluate_policy,
    falling_temperatures,
    iterate_policy,
    linear_rate,
    measured_rate,
    optimal_control,
    optimality_gap,
    predicted_to_converge,
    reference_ratio,
)
from tsgen.steering.linear_quadratic.policy_evaluation import noise_curvature


@pytest.mark.parametrize("kind", ["angle", "denoising"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [10.0, 3.0])
def test_explicit_iteration_converges_at_the_theoretical_rate(beta, seed, kind):
    chain = static_chain(4, seed=seed, kind=kind)
    problem = SteeringProblem(chain=chain, reward=random_reward(4, seed=seed), temperature=beta)
    assert rate_seen(problem, ExplicitUpdate(), n=60) == pytest.approx(linear_rate(problem), rel=0.1)
    errors = distances(problem, ExplicitUpdate(), n=60)
    assert iterations_to(errors, 1e-12) <= 20
    # wrong variant: the reference's curvature is not the rate (where the last step, which sees the reward itself,
    # is the slowest, the two agree: so it is in the denoising chain)
    assert kind == "denoising" or rate_seen(problem, ExplicitUpdate(), n=60) != pytest.approx(
        reference_ratio(problem), rel=0.02
    )


@pytest.mark.parametrize("margin", [1.1, 2.0, 5.0])
def test_rate_for_convex_rewards_near_the_edge_of_existence(margin):
    chain, reward = static_chain(4), random_reward(4, sign=1.0)
    edge = SteeringProblem(chain=chain, reward=reward, temperature=1e6).smallest_temperature
    problem = SteeringProblem(chain=chain, reward=reward, temperature=margin * edge)
    seen = rate_seen(problem, ExplicitUpdate(), n=80)
    assert seen == pytest.approx(linear_rate(problem), rel=0.1)
    # wrong variant: the reference's curvature instead of the optimum's misses it near the edge
    if margin == 1.1:
        assert seen != pytest.approx(reference_ratio(problem), rel=0.5)


@pytest.mark.parametrize("step_size", [0.3, 0.6, 0.9])
def test_damped_rate(step_size):
    problem = SteeringProblem(chain=static_chain(4), reward=random_reward(4), temperature=1.0)
    seen = rate_seen(problem, ExplicitUpdate(step_size=step_size), n=100)
    assert seen == pytest.approx(linear_rate(problem, step_size), rel=0.05)


def test_the_last_step_is_a_linear_iteration_exactly():
    problem = SteeringProblem(chain=static_chain(3, kind="denoising"), reward=random_reward(3), temperature=1.0)
    start = random_control(problem.chain, size=5.0)
    value = evaluate_policy(problem, start)
    after = ExplicitUpdate().improve(problem, start, value)
    best = optimal_control(problem)
    block = noise_curvature(problem, best.value)[-1] / problem.temperature
    error = start.gain[-1] - best.control.gain[-1]
    np.testing.assert_allclose(after.gain[-1] - best.control.gain[-1], block @ error, atol=1e-12)


@pytest.mark.parametrize(
    ("update", "size"),
    [(ExplicitUpdate(), 0.1), (ExplicitUpdate(), 1.0), (ImplicitUpdate(), 1.0), (ImplicitUpdate(), 10.0)],
)
@pytest.mark.parametrize("seed", range(3))
def test_convergence_is_global(update, size, seed):
    chain = static_chain(2, n_steps=5, seed=seed)
    problem = SteeringProblem(chain=chain, reward=random_reward(2, seed=seed), temperature=3.0)
    assert linear_rate(problem) < 0.5
    start = random_control(chain, size=size, seed=seed)
    errors = distances(problem, update, n=100, start=start)
    assert errors[0] > size
    assert errors[-1] < 1e-11


@pytest.mark.parametrize(("n_steps", "size"), [(2, 1e3), (3, 30.0)])
def test_transients_beyond_all_bounds_still_end_at_the_optimum(n_steps, size):
    # far outside what converges monotonically: the error grows by many orders before it falls, step after step
    problem = SteeringProblem(chain=static_chain(1, n_steps=n_steps), reward=random_reward(1), temperature=1.0)
    errors = distances(problem, ExplicitUpdate(), n=400, start=random_control(problem.chain, size=size))
    assert max(errors) > 1e20
    assert errors[-1] < 1e-11
    assert linear_rate(problem) < 1


@pytest.mark.parametrize("seed", range(3))
def test_implicit_iteration_ends_after_as_many_iterations_as_steps(seed):
    problem = SteeringProblem(chain=static_chain(3, n_steps=6), reward=random_reward(3), temperature=0.05)
    errors = distances(problem, ImplicitUpdate(), n=6, start=random_control(problem.chain, size=0.3, seed=seed))
    assert errors[0] > 0.3
    assert errors[-1] < 1e-9


@pytest.mark.parametrize("beta", [10.0, 1.0, 0.1, 0.01, 0.003])
def test_implicit_iteration_is_quick_at_every_temperature(beta):
    problem = SteeringProblem(chain=static_chain(4), reward=random_reward(4), temperature=beta)
    errors = distances(problem, ImplicitUpdate(), n=15)
    assert iterations_to(errors, 1e-11 * (1 + errors[0])) <= 15


@pytest.mark.parametrize("phi", [0.5, 0.8])
class TestAutoregression:
    """Ten periods of twenty steps; at temperature 0.1 the reference's curvature is 1.33 times the temperature."""

    def test_full_explicit_steps_diverge_at_a_low_temperature(self, phi):
        problem = path_problem(autoregression(phi), temperature=0.1)
        assert reference_ratio(problem) == pytest.approx(1.33)
        assert not predicted_to_converge(problem)
        # not for want of a contraction at the optimum
        assert linear_rate(problem) < 0.2
        assert distances(problem, ExplicitUpdate(), n=60)[-1] == np.inf
        with pytest.raises(PolicyIterationError, match=r"ran away.*ratio is 1\.33: use ExplicitUpdate\(step_size=0\.6"):
            iterate_policy(problem, ExplicitUpdate())

    def test_damped_and_implicit_steps_converge_there(self, phi):
        problem = path_problem(autoregression(phi), temperature=0.1)
        assert predicted_to_converge(problem, 0.5)
        assert iterations_to(distances(problem, ExplicitUpdate(step_size=0.5), n=60), 1e-11) <= 60
        assert iterations_to(distances(problem, ImplicitUpdate(), n=15), 1e-11) <= 15

    @pytest.mark.parametrize(
        ("beta", "step_size"),
        [
            (1.0, 1.0),
            (0.15, 1.0),
            pytest.param(0.03, 0.25, marks=pytest.mark.slow),
            pytest.param(0.01, 0.125, marks=pytest.mark.slow),
        ],
    )
    def test_inside_the_rule_it_converges(self, phi, beta, step_size):
        problem = path_problem(autoregression(phi), temperature=beta)
        assert predicted_to_converge(problem, step_size)
        assert distances(problem, ExplicitUpdate(step_size=step_size), n=round(30 / step_size))[-1] < 1e-11

    @pytest.mark.parametrize(("beta", "step_size"), [(0.05, 1.0), (0.03, 0.5), (0.01, 0.25)])
    def test_well_outside_the_rule_it_runs_away(self, phi, beta, step_size):
        problem = path_problem(autoregression(phi), temperature=beta)
        assert step_size * (1 + reference_ratio(problem)) > 2.5
        assert distances(problem, ExplicitUpdate(step_size=step_size), n=300)[-1] == np.inf

    @pytest.mark.slow
    def test_advised_step_and_continuation(self, phi):
        problem = path_problem(autoregression(phi), temperature=0.03)
        assert iterate_policy(problem, ExplicitUpdate(step_size=balanced_step(problem))).iterations < 150
        falling = falling_temperatures(1.0, 0.03, 0.7)
        found = continue_in_temperature(problem, ExplicitUpdate(), temperatures=falling)
        assert found.control.distance(optimal_control(problem).control) < 1e-11
        assert found.iterations > 3 * len(falling)


def test_vector_autoregression_converges_at_its_rate_and_is_exact():
    problem = path_problem(vector_autoregression(3), periods=5, temperature=0.3)
    assert rate_seen(problem, ExplicitUpdate(), n=40) == pytest.approx(linear_rate(problem), rel=0.1)
    found = iterate_policy(problem, ExplicitUpdate(), correct_covariance=True)
    assert optimality_gap(problem, found.control).end_gap < 1e-10


def test_below_a_rate_of_one_nothing_explicit_helps_and_implicit_does():
    problem = path_problem(autoregression(0.5), temperature=0.001)
    assert linear_rate(problem) > 1
    falling = falling_temperatures(1.0, 0.001, 0.7)
    with pytest.raises(PolicyIterationError, match=r"ran away|has not settled"):
        continue_in_temperature(problem, ExplicitUpdate(), temperatures=falling, max_iterations=200)
    assert distances(problem, ImplicitUpdate(), n=15)[-1] < 1e-11


def test_an_iteration_without_end_is_an_error_with_its_trace():
    problem = SteeringProblem(chain=static_chain(2), reward=random_reward(2), temperature=1.0)
    with pytest.raises(PolicyIterationError, match="has not settled: after 3 iterations") as error:
        iterate_policy(problem, ExplicitUpdate(step_size=0.1), max_iterations=3)
    assert len(error.value.changes) == 3
    assert pickle.loads(pickle.dumps(error.value)).changes == error.value.changes
    with pytest.raises(PolicyIterationError, match="Begin at a higher temperature"):
        iterate_policy(problem, ImplicitUpdate(), max_iterations=1)


def test_bad_settings_are_refused():
    problem = SteeringProblem(chain=static_chain(2), reward=random_reward(2), temperature=1.0)
    for bad in (0.0, 1.5):
        with pytest.raises(ConfigError, match=r"step_size must be in \(0, 1\]"):
            ExplicitUpdate(step_size=bad)
    with pytest.raises(ConfigError, match="tolerance and max_iterations must be positive"):
        iterate_policy(problem, ImplicitUpdate(), tolerance=0.0)
    with pytest.raises(ConfigError, match="temperatures must fall from first to last"):
        falling_temperatures(0.1, 1.0, 0.5)
    with pytest.raises(ConfigError, match="temperatures must fall and stay at or above the problem's 1"):
        continue_in_temperature(problem, ImplicitUpdate(), temperatures=[2.0, 0.5])
    with pytest.raises(ConfigError, match="inner_iterations must be positive"):
        continue_in_temperature(problem, ImplicitUpdate(), temperatures=[2.0, 1.0], inner_iterations=0)
    with pytest.raises(DataError, match="a rate needs two errors of one step above the floor"):
        measured_rate([[1.0], [1e-20]])
