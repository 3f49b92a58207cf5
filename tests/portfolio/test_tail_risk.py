"""Tail risk of weighted losses: by hand, by enumeration, and by the primal problem."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize_scalar

from portfolio.tail_risk import conditional_value_at_risk, entropic_value_at_risk, evar_law, value_at_risk
from tsgen.errors import ConfigError, DataError, ShapeError


def test_cvar_splits_the_atom_at_the_quantile():
    # the worst 40 %: 30 % at 3 and 10 of the 50 % at 2
    losses, p = [3.0, 2.0, 1.0], [0.3, 0.5, 0.2]
    assert conditional_value_at_risk(losses, level=0.6, probabilities=p) == pytest.approx((0.9 + 0.2) / 0.4, rel=1e-14)
    assert value_at_risk(losses, level=0.6, probabilities=p) == 2.0
    # variant that must fail: the mean of losses at or beyond the quantile, which forgets to split
    assert conditional_value_at_risk(losses, level=0.6, probabilities=p) != pytest.approx((0.9 + 1.0) / 0.8, rel=1e-3)


def test_value_at_risk_is_the_lower_quantile():
    assert value_at_risk([1.0, 2.0, 3.0, 4.0], level=0.75) == 3.0
    assert value_at_risk(np.arange(10.0), level=0.9) == 8.0
    assert value_at_risk([5.0, 0.0], level=0.5, probabilities=[0.0, 1.0]) == 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.floats(0.02, 0.98))
def test_cvar_is_the_worst_mean_over_bounded_tilts(seed, n, level):
    rng = np.random.default_rng(seed)
    losses, p = rng.normal(size=n), rng.dirichlet(np.ones(n))
    # dual: max q'L over 0 <= q <= p / (1 - level), sum q = 1 (Rockafellar, Uryasev and Zabarankin 2006)
    dual = linprog(
        -losses, A_eq=np.ones((1, n)), b_eq=[1.0], bounds=list(zip(np.zeros(n), p / (1 - level), strict=True))
    )
    assert conditional_value_at_risk(losses, level=level, probabilities=p) == pytest.approx(-dual.fun, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 8), st.floats(0.02, 0.98))
def test_evar_equals_its_primal_and_lies_between_cvar_and_the_worst(seed, n, level):
    rng = np.random.default_rng(seed)
    losses, p = rng.normal(size=n), rng.dirichlet(np.ones(n))

    def bound(log_t):
        t = np.exp(log_t)
        top = losses.max()
        return top + t * (np.log(p @ np.exp((losses - top) / t)) - np.log1p(-level))

    # convex in t, smooth in ln t; where the worst case is reached, the infimum is at t = 0
    primal = min(minimize_scalar(bound, bounds=(-12, 8), method="bounded", options={"xatol": 1e-9}).fun, losses.max())
    value = entropic_value_at_risk(losses, level=level, probabilities=p)
    assert value == pytest.approx(primal, abs=1e-5)
    assert conditional_value_at_risk(losses, level=level, probabilities=p) <= value + 1e-10
    assert value <= losses.max() + 1e-12


def test_evar_of_a_normal_sample_is_near_the_closed_form():
    # for N(m, s): m + s sqrt(-2 ln(1 - level)); strata remove most of the sampling error
    from scipy.stats import norm

    losses = 0.01 + 0.05 * norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    expected = 0.01 + 0.05 * np.sqrt(-2 * np.log(0.1))
    # the sample stops at 4.6 deviations, 2.4 beyond the tilted mean: the tail cut off is 5e-4 of the value
    assert entropic_value_at_risk(losses, level=0.9) == pytest.approx(expected, rel=1e-3)


def test_evar_law_at_its_ends():
    p = np.array([0.5, 0.3, 0.2])
    assert evar_law(np.ones(3), p, 0.9).tolist() == p.tolist()
    assert evar_law(np.array([0.0, 1.0, 1.0]), p, 0.5).tolist() == [0.0, 0.6, 0.4]


def test_copies_count_like_probabilities():
    losses = np.random.default_rng(1).normal(size=12)
    copies = np.arange(1, 13)
    for function in (value_at_risk, conditional_value_at_risk, entropic_value_at_risk):
        weighted = function(losses, level=0.85, probabilities=copies / copies.sum())
        assert weighted == pytest.approx(function(np.repeat(losses, copies), level=0.85), rel=1e-10)
        # variant that must fail: probabilities ignored
        assert weighted != pytest.approx(function(losses, level=0.85), rel=1e-3)


@pytest.mark.parametrize("function", [value_at_risk, conditional_value_at_risk, entropic_value_at_risk])
def test_refusals(function):
    for level in (0.0, 1.0, np.nan, True, "0.9"):
        with pytest.raises(ConfigError, match="level must lie strictly between 0 and 1"):
            function([1.0], level=level)
    with pytest.raises(ShapeError, match=r"losses must have one entry per scenario: got shape \(1, 1\)"):
        function([[1.0]])
    with pytest.raises(
        ShapeError, match=r"probabilities must have one entry per scenario: expected \(2,\), got \(1,\)"
    ):
        function([1.0, 2.0], probabilities=[1.0])
    for losses, p in (([np.nan, 1.0], [0.5, 0.5]), ([1.0, 1.0], [0.5, 0.6]), ([1.0, 1.0], [-0.5, 1.5])):
        with pytest.raises(DataError, match="losses must be finite, probabilities not negative with sum 1"):
            function(losses, probabilities=p)
