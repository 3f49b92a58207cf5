"""The nested estimate is exact on small trees and near the Gaussian closed form, with its bias shown."""

import numpy as np
import pytest

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.adapted_wasserstein import gaussian_adapted_wasserstein
from tsgen.evaluation.nested_adapted_wasserstein import nested_adapted_wasserstein, nested_same_law_floor


def gaussian_paths(rng, correlation, n_paths, periods):
    covariance = correlation ** np.abs(np.subtract.outer(np.arange(periods), np.arange(periods)))
    return rng.standard_normal((n_paths, periods)) @ np.linalg.cholesky(covariance).T, covariance


@pytest.mark.parametrize("early", [0.5, 0.1, 0.001])
def test_information_that_comes_early_keeps_its_distance(early):
    # textbook example: the ordinary distance goes to 0, the adapted one stays at sqrt(2)
    known = [[-early, -1.0], [early, 1.0]] * 4
    hidden = [[0.0, -1.0], [0.0, 1.0]] * 4
    assert nested_adapted_wasserstein(known, hidden, n_cells=4) ** 2 == pytest.approx(early**2 + 2.0, abs=1e-9)


def test_three_period_tree_is_solved_exactly():
    # equal until the last step, where the sign is known one step earlier: cost as above, one level deeper
    known = [[0.0, -0.1, -1.0], [0.0, 0.1, 1.0]] * 4
    hidden = [[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]] * 4
    assert nested_adapted_wasserstein(known, hidden, n_cells=4) ** 2 == pytest.approx(2.01, abs=1e-9)


def test_one_period_is_ordinary_transport():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(50), rng.standard_normal(50) + 1.0
    exact = np.sqrt(np.mean((np.sort(a) - np.sort(b)) ** 2))
    assert nested_adapted_wasserstein(a[:, None], b[:, None], n_cells=200) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("periods", "tolerance"), [(2, 0.12), (3, 0.15)])
def test_gaussian_laws_against_the_closed_form(periods, tolerance):
    rng = np.random.default_rng(0)
    a, cov_a = gaussian_paths(rng, 0.9, 2000, periods)
    b, cov_b = gaussian_paths(rng, -0.9, 2000, periods)
    exact = gaussian_adapted_wasserstein(np.zeros(periods), cov_a, np.zeros(periods), cov_b) ** 2
    # rounding to cells loses within-cell variance: relative bias of the square about -10 % at these sizes
    assert nested_adapted_wasserstein(a[:, :, None], b[:, :, None]) ** 2 == pytest.approx(exact, rel=tolerance)


def test_floor_is_far_below_a_real_difference_and_positive():
    rng = np.random.default_rng(0)
    a, _ = gaussian_paths(rng, 0.9, 400, 2)
    b, _ = gaussian_paths(rng, 0.9, 400, 2)
    c, _ = gaussian_paths(rng, -0.9, 400, 2)
    floor = nested_same_law_floor(a, b, repetitions=20, rng=rng)
    assert abs(nested_adapted_wasserstein(a, b) - floor.mean) < 4 * floor.standard_deviation
    assert floor.mean > 0.1
    assert nested_adapted_wasserstein(a, c) > floor.mean + 20 * floor.standard_deviation


def test_bad_input_is_refused():
    paths = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(ShapeError, match="paths of one asset"):
        nested_adapted_wasserstein(np.zeros((20, 2, 2)), paths)
    with pytest.raises(ShapeError, match="same horizon"):
        nested_adapted_wasserstein(paths, paths[:, :1])
    with pytest.raises(ShapeError, match="same horizon"):
        nested_same_law_floor(paths, paths[:, :1], repetitions=2, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="first must be finite: 1"):
        nested_adapted_wasserstein(np.where(paths == paths[0, 0], np.nan, paths), paths)
    with pytest.raises(DataError, match="at least 8 paths"):
        nested_adapted_wasserstein(paths[:7], paths)
    with pytest.raises(DataError, match="all 20 paths of second are the same"):
        nested_adapted_wasserstein(paths, np.tile([0.1, 0.2], (20, 1)))
    with pytest.raises(ConfigError, match="no meaning beyond 5 periods"):
        nested_adapted_wasserstein(np.tile(paths, 3), np.tile(paths, 3))
    with pytest.raises(ConfigError, match="n_cells must be an integer"):
        nested_adapted_wasserstein(paths, paths, n_cells=1)
    with pytest.raises(ConfigError, match="repetitions must be at least 2"):
        nested_same_law_floor(paths, paths, repetitions=1, rng=np.random.default_rng(0))
