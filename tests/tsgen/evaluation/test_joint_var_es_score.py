"""The joint score is smallest in expectation at the true value at risk and expected shortfall."""

import numpy as np
import pytest
from scipy.stats import norm

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.joint_var_es_score import joint_var_es_score

LEVEL = 0.975
VAR = norm.ppf(LEVEL)
ES = norm.pdf(VAR) / (1 - LEVEL)


def expected_score(var, es):
    """Closed form for a standard normal loss: E(L - V)+ = pdf(V) - V (1 - cdf(V))."""
    beyond = norm.pdf(var) - var * norm.sf(var)
    return beyond / ((1 - LEVEL) * es) + var / es + np.log(es) - 1


def test_true_pair_minimises_the_expectation():
    grid = np.array([0.8, 0.9, 0.95, 1.05, 1.1, 1.2])
    best = expected_score(VAR, ES)
    assert best == pytest.approx(np.log(ES))
    assert (expected_score(VAR * grid, ES * np.maximum(grid, 1.0)) > best).all()
    assert (expected_score(VAR, ES * grid) > best)[ES * grid > VAR].all()
    # on a fine grid of both
    v, e = np.meshgrid(VAR * np.linspace(0.9, 1.1, 81), ES * np.linspace(0.9, 1.1, 81), indexing="ij")
    assert np.unravel_index(expected_score(v, e).argmin(), v.shape) == (40, 40)


def test_sample_average_is_the_closed_form():
    losses = np.random.default_rng(0).standard_normal(200_000)
    for var, es in ((VAR, ES), (0.9 * VAR, 1.2 * ES)):
        scores = joint_var_es_score(losses, np.full(losses.size, var), np.full(losses.size, es), level=LEVEL)
        assert abs(scores.mean() - expected_score(var, es)) < 4 * scores.std() / np.sqrt(losses.size)


def test_differences_do_not_depend_on_the_unit():
    losses = np.random.default_rng(0).standard_normal(50)
    first = [joint_var_es_score(c * losses, np.full(50, c * VAR), np.full(50, c * ES), level=LEVEL) for c in (1, 0.01)]
    other = [joint_var_es_score(c * losses, np.full(50, c), np.full(50, c * 2.0), level=LEVEL) for c in (1, 0.01)]
    np.testing.assert_allclose(first[0] - other[0], first[1] - other[1], atol=1e-12)


def test_bad_records_are_refused():
    with pytest.raises(ConfigError, match=r"between 0\.5 and 1"):
        joint_var_es_score([0.0], [1.0], [2.0], level=1.0)
    with pytest.raises(DataError, match="es must not be below var"):
        joint_var_es_score([0.0], [2.0], [1.0], level=0.95)
    with pytest.raises(ShapeError, match="records of the same days, at least one"):
        joint_var_es_score([], [], [], level=0.95)
    with pytest.raises(DataError, match="losses are 3 on all 4 days"):
        joint_var_es_score([3.0] * 4, [2.0] * 4, [2.5] * 4, level=0.95)
