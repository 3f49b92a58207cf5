"""The Riccati solution against brute force, and its law against the exact tilt."""

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.support.linear_quadratic_problems import (
    autoregression,
    path_problem,
    random_control,
    random_reward,
    static_chain,
    vector_autoregression,
)
from tsgen.errors import ConfigError, ShapeError
from tsgen.steering.linear_quadratic import (
    ExplicitUpdate,
    IllPosedTiltError,
    ImplicitUpdate,
    LinearControl,
    QuadraticReward,
    SteeringProblem,
    evaluate_policy,
    iterate_policy,
    law_of_chain,
    optimal_control,
    optimality_gap,
    path_divergence,
)
from tsgen.steering.linear_quadratic.chain_law import mean_reward

# relative entropies of a few nats, summed over a few hundred steps, are exact to about 1e-13
EXACT = 1e-10


def test_riccati_beats_every_other_linear_control():
    chain = static_chain(1, n_steps=3)
    problem = SteeringProblem(chain=chain, reward=random_reward(1), temperature=0.4)

    def loss(x):
        control = LinearControl(
            gain=x[:3].reshape(3, 1, 1), offset=x[3:6].reshape(3, 1), covariance=np.exp(x[6:]).reshape(3, 1, 1)
        )
        return -evaluate_policy(problem, control).constant[0]

    def means_only(x):
        return loss(np.concatenate([x, np.zeros(3)]))

    for objective, size, covariance in ((means_only, 6, False), (loss, 9, True)):
        best = minimize(objective, np.zeros(size), tol=1e-14)
        optimum = optimal_control(problem, correct_covariance=covariance)
        assert optimum.value.constant[0] == pytest.approx(-best.fun, abs=1e-9)
        np.testing.assert_allclose(optimum.control.offset.ravel(), best.x[3:6], atol=1e-4)


@pytest.mark.parametrize("kind", ["angle", "denoising"])
def test_value_is_reward_less_priced_divergence(kind):
    chain = static_chain(3, kind=kind)
    problem = SteeringProblem(chain=chain, reward=random_reward(3), temperature=0.7)
    control = random_control(chain, size=0.1)
    law = law_of_chain(chain, control)
    reward = mean_reward(law, problem.reward.hessian, problem.reward.gradient, problem.reward.constant)
    expected = reward - 0.7 * path_divergence(chain, control)
    assert evaluate_policy(problem, control).constant[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["angle", "denoising from the start"])
@pytest.mark.parametrize("d", range(1, 9))
def test_linear_rewards_give_the_exact_tilt(d, kind):
    for seed in range(3):
        chain = static_chain(d, kind=kind, seed=seed)
        problem = SteeringProblem(chain=chain, reward=random_reward(d, sign=0.0, seed=seed), temperature=1.0)
        found = iterate_policy(problem, ExplicitUpdate())
        gap = optimality_gap(problem, found.control)
        assert gap.end_gap <= EXACT
        assert abs(gap.path_gap) <= EXACT
        # the unsteered chain is far from it
        assert optimality_gap(problem, LinearControl.none(chain)).end_gap > 1e-4


def test_an_uncontrolled_start_that_is_remembered_leaves_a_gap():
    gaps = {}
    for smallest in (1e-2, 1e-3, 1e-4):
        from tsgen.steering.linear_quadratic import conditionals, denoising_chain, geometric_alpha_bars

        laws = conditionals([0.3, -0.2], [[2.0, 0.5], [0.5, 1.0]], n_assets=2)
        chain = denoising_chain(laws, geometric_alpha_bars(30, smallest))
        problem = SteeringProblem(chain=chain, reward=QuadraticReward.linear([1.0, 0.5]), temperature=1.0)
        gaps[smallest] = optimality_gap(problem, optimal_control(problem).control).end_gap
    # the start keeps a share of the signal: the gap is of second order in it
    assert gaps[1e-2] > gaps[1e-3] > gaps[1e-4] > EXACT / 100
    assert gaps[1e-4] < 1e-6


@pytest.mark.parametrize("kind", ["angle", "denoising from the start"])
@pytest.mark.parametrize("d", [1, 2, 4, 8])
@pytest.mark.parametrize("n_steps", [2, 10, 30])
def test_quadratic_rewards_with_the_covariance_corrected_give_the_exact_tilt(d, n_steps, kind):
    chain = static_chain(d, n_steps=n_steps, kind=kind)
    problem = SteeringProblem(chain=chain, reward=random_reward(d), temperature=0.5)
    found = iterate_policy(problem, ImplicitUpdate(), correct_covariance=True)
    gap = optimality_gap(problem, found.control)
    assert gap.end_gap <= EXACT
    assert abs(gap.path_gap) <= EXACT
    # wrong variant: steering means only is not the tilt at this number of steps
    assert optimality_gap(problem, optimal_control(problem).control).end_gap > 1e-9
    # and the objective is the log partition function
    assert found.value.constant[0] == pytest.approx(0.5 * problem.tilt().log_partition, rel=1e-10)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("d", [1, 4])
def test_gap_of_steering_means_only_shrinks_with_the_steps(d, seed):
    gaps = []
    for n_steps in (30, 300):
        chain = static_chain(d, n_steps=n_steps, seed=seed)
        problem = SteeringProblem(chain=chain, reward=random_reward(d, seed=seed), temperature=0.5)
        gaps.append(optimality_gap(problem, optimal_control(problem).control).end_gap)
    # of second order: 100 times, less what the coarse chain is not yet asymptotic
    assert gaps[0] > 30 * gaps[1]


@pytest.mark.parametrize("process", [autoregression(0.5), autoregression(-0.7), vector_autoregression(2)])
def test_paths_are_steered_to_the_exact_tilt(process):
    problem = path_problem(process, periods=5, temperature=0.2)
    optimum = optimal_control(problem, correct_covariance=True)
    assert optimality_gap(problem, optimum.control).end_gap <= EXACT
    total = np.ones(problem.chain.n_states)
    law, tilt = law_of_chain(problem.chain, optimum.control), problem.tilt().law
    assert total @ law.mean == pytest.approx(total @ tilt.mean, rel=1e-10)
    means_only = law_of_chain(problem.chain, optimal_control(problem).control)
    assert total @ means_only.mean == pytest.approx(total @ tilt.mean, rel=1e-10)
    # the mean is exact without the covariance too, the variance is not
    assert total @ means_only.covariance @ total > 1.001 * (total @ tilt.covariance @ total)


def test_the_control_of_a_period_never_reads_a_later_one():
    problem = path_problem(vector_autoregression(2), periods=4)
    for control in (
        optimal_control(problem).control,
        iterate_policy(problem, ExplicitUpdate()).control,
        iterate_policy(problem, ImplicitUpdate()).control,
    ):
        for s in range(problem.chain.n_steps):
            later = 2 * (s // 20 + 1)
            np.testing.assert_array_equal(control.gain[s][:, later:], 0.0)


@pytest.mark.parametrize("kind", ["angle", "denoising"])
def test_ill_posed_problems_are_refused_at_the_exact_threshold(kind):
    chain = static_chain(2, kind=kind)
    reward = random_reward(2, sign=1.0)
    smallest = SteeringProblem(chain=chain, reward=reward, temperature=1e6).smallest_temperature
    for share in (0.5, 1.0):
        with pytest.raises(IllPosedTiltError, match="exponential moment is infinite") as error:
            SteeringProblem(chain=chain, reward=reward, temperature=share * smallest)
        assert error.value.smallest_temperature == pytest.approx(smallest)
    # the recursion finds the same threshold on its own: it has a solution just above
    problem = SteeringProblem(chain=chain, reward=reward, temperature=smallest * (1 + 1e-6))
    assert np.isfinite(optimal_control(problem).value.constant).all()
    assert SteeringProblem(chain=chain, reward=random_reward(2), temperature=1e-6).smallest_temperature == 0.0


def test_bad_problems_are_refused():
    chain = static_chain(2)
    with pytest.raises(ShapeError, match="the reward must be of paths of 2 numbers"):
        SteeringProblem(chain=chain, reward=random_reward(3), temperature=1.0)
    for bad in (0.0, -1.0, np.inf):
        with pytest.raises(ConfigError, match="temperature must be a finite number above zero"):
            SteeringProblem(chain=chain, reward=random_reward(2), temperature=bad)
