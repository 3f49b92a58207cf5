"""Goal report: by hand, against the reflection principle, and its standard error."""

import numpy as np
import pytest
from scipy.stats import norm

from portfolio.goal_probability import goal_probability
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet


def test_by_hand():
    s = ScenarioSet(
        [[[0.2], [-0.1]], [[-0.1], [0.3]], [[0.0], [0.0]]], assets=["A"], kind="simple", probabilities=[0.2, 0.3, 0.5]
    )
    r = goal_probability([1.0], s, goal=1.1, floor=0.95)
    assert (r.at_end, r.at_any_time, r.below_floor) == pytest.approx((0.3, 0.5, 0.3))
    # sum p^2 (1 - P)^2 over the event plus sum p^2 P^2 over the rest
    assert r.at_end_error == pytest.approx(np.sqrt(0.09 * 0.49 + (0.04 + 0.25) * 0.09))
    assert goal_probability([0.5], s, goal=1.1).at_any_time == pytest.approx(0.2)
    assert goal_probability([1.0], s, goal=1.0).at_any_time == 1.0
    assert goal_probability([1.0], s, goal=1.1).floor is None


def test_reflection_principle():
    # P(max of a random walk >= a) is about 2 P(end >= a); steps are discrete, so a is shifted by 0.5826 of a step
    # (Chernoff 1965)
    rng = np.random.default_rng(0)
    n, periods, step = 20_000, 50, 0.01
    s = ScenarioSet(rng.normal(0, step, (n, periods, 1)), ["A"], "simple")
    aim = 1 + 0.08
    r = goal_probability([1.0], s, goal=aim, wealth="rebalanced")
    expected = 2 * norm.sf((0.08 + 0.5826 * step) / (step * np.sqrt(periods)))
    assert abs(r.at_any_time - expected) < 5 * r.at_any_time_error
    assert abs(r.at_end - norm.sf(0.08 / (step * np.sqrt(periods)))) < 5 * r.at_end_error
    assert r.at_end_error == pytest.approx(np.sqrt(r.at_end * (1 - r.at_end) / n), rel=1e-6)


def test_refusals():
    s = ScenarioSet([[[0.1]]], assets=["A"], kind="simple")
    with pytest.raises(ConfigError, match="goal must be a finite number"):
        goal_probability([1.0], s, goal=np.nan)
    with pytest.raises(ConfigError, match="floor must be a finite number"):
        goal_probability([1.0], s, goal=1.0, floor=np.inf)
    with pytest.raises(ConfigError, match="wealth must be one of"):
        goal_probability([1.0], s, goal=1.0, wealth="drift")  # pyright: ignore[reportArgumentType]
