import numpy as np
import pytest

from tsgen.reweighting.entropy_dual import solve_dual, tilted

RNG = np.random.default_rng(3)


def solve(features, prior, *, lower=None, upper=None, start=None, max_iterations=100, tolerance=1e-10):
    n = len(features)
    return solve_dual(
        features,
        prior,
        lower=np.full(n, -np.inf) if lower is None else lower,
        upper=np.full(n, np.inf) if upper is None else upper,
        start=np.zeros(n) if start is None else start,
        tolerance=tolerance,
        max_iterations=max_iterations,
    )


def problem(n_scenarios=500, n_views=4):
    z = RNG.standard_normal((n_views, n_scenarios))
    return z - 0.3 * RNG.standard_normal((n_views, 1)), np.full(n_scenarios, 1 / n_scenarios)


def test_gradient_of_the_log_partition_is_the_mean_of_the_features():
    z, p = problem()
    at, step = np.array([0.2, -0.1, 0.4, 0.0]), 1e-5
    numeric = [
        (tilted(z, p, at + e).log_partition - tilted(z, p, at - e).log_partition) / (2 * step) for e in step * np.eye(4)
    ]
    # central differences: step^2 times a third derivative of order one
    np.testing.assert_allclose(tilted(z, p, at).gradient, numeric, atol=1e-9)


def test_tilt_does_not_overflow_far_away():
    t = tilted(np.array([[0.0, 1.0]]), np.full(2, 0.5), np.array([1e6]))
    assert t.probabilities.tolist() == [0.0, 1.0]
    assert t.log_partition == pytest.approx(1e6 + np.log(0.5), rel=1e-15)


def test_all_means_vanish_at_the_solution_and_newton_is_quick():
    z, p = problem()
    found = solve(z, p)
    assert found.status == "converged"
    assert np.abs(z @ found.probabilities).max() < 1e-10
    assert found.iterations < 10


def test_sign_constraints_satisfy_the_karush_kuhn_tucker_conditions():
    z, p = problem(n_views=8)
    lower, upper = np.array([0.0] * 4 + [-np.inf] * 4), np.array([np.inf] * 4 + [0.0] * 4)
    found = solve(z, p, lower=lower, upper=upper)
    means, pull = z @ found.probabilities, found.multipliers
    assert found.status == "converged"
    assert (pull[:4] >= 0).all()
    assert (pull[4:] <= 0).all()
    assert (means[:4] > -1e-9).all()
    assert (means[4:] < 1e-9).all()
    assert np.abs(means * pull).max() < 1e-8
    assert 0 < (pull != 0).sum() < 8  # some bind and some do not: the case means something


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_contradiction_is_proved(scale):
    # E z = 0 and E z = -scale at once
    z = RNG.standard_normal(200)
    found = solve(np.stack([z, z + scale]), np.full(200, 1 / 200))
    assert found.status == "infeasible"


def test_out_of_range_is_proved():
    found = solve(np.array([[1.0, 2.0, 3.0]]), np.full(3, 1 / 3))
    assert found.status == "infeasible"


def test_repeated_views_are_no_contradiction():
    z, p = problem(n_views=1)
    twice, once = solve(np.vstack([z, z]), p), solve(z, p)
    np.testing.assert_allclose(twice.probabilities, once.probabilities, atol=1e-12)


def test_result_does_not_depend_on_the_start():
    z, p = problem()
    far = solve(z, p, start=np.array([5.0, -5.0, 3.0, 8.0]))
    np.testing.assert_allclose(far.multipliers, solve(z, p).multipliers, atol=1e-8)


def test_far_multipliers_do_not_hide_what_is_not_met():
    """At 1e17 the difference of two points is zero; it passed for the residual, and wrong laws for solutions."""
    z, p = np.array([[-0.75, 0.25]]), np.full(2, 0.5)
    found = solve(z, p, start=np.array([1e17]))
    assert found.residual == pytest.approx(0.25)
    assert found.status == "stalled"


def test_too_few_iterations_are_reported():
    z, p = problem()
    assert solve(z, p, max_iterations=1).status == "stalled"


@pytest.mark.parametrize("seed", range(40))
def test_bounded_multipliers_end_exactly_at_their_bound_or_off_it(seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((6, 80)) + 0.2 * rng.standard_normal((6, 1))
    lower = np.where(np.arange(6) % 2, 0.0, -np.inf)
    found = solve(z, np.full(80, 1 / 80), lower=lower, upper=np.where(lower == 0, np.inf, 0.0))
    assert found.status == "converged"
    slack = np.abs(z @ found.probabilities) > 1e-6
    assert (found.multipliers[slack] == 0.0).all()
