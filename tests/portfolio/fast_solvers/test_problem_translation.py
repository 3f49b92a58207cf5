"""The form against the specification: same objective and same limits at random weights, number by number."""

import numpy as np
import pandas as pd
import pytest

from portfolio.constraints import Bounds
from portfolio.fast_solvers.problem_translation import direct_form, squared
from portfolio.mean_risk_problem import mean_risk_problem
from portfolio.risk_measures import Variance
from tests.support.random_portfolio_problems import random_problem
from tsgen.scenario_set import ScenarioSet


def _columns(form, problem, w):
    risks = [measure.value(w, problem.outlook) / form.risk_unit for measure in form.measures]
    x = np.concatenate([w, np.zeros(len(form.origins)), risks])
    x[form.pairs[1]] = np.maximum(form.origins - w[form.pairs[0]], 0.0)
    return x


def _objective(problem, w):
    trades = w if problem.held is None else w - problem.held
    cost = 0.0 if problem.costs is None else problem.costs.value(pd.Series(trades, index=list(problem.assets)))
    earned = problem.outlook.moments.mean @ w - cost
    risk = problem.measure.value(w, problem.outlook)
    return problem.risk_weight * risk - problem.return_weight * earned


@pytest.mark.parametrize("seed", range(40))
def test_differences_of_the_objective(seed):
    problem = random_problem(3000 + seed)
    form, rng = direct_form(problem), np.random.default_rng(seed)
    inside = [np.clip(rng.dirichlet(np.ones(form.n_assets)), form.lower[: form.n_assets], form.upper[: form.n_assets])]
    inside += [np.clip(rng.normal(0.1, 0.3, form.n_assets), form.lower[: form.n_assets], form.upper[: form.n_assets])]
    own, theirs = [], []
    for w in inside:
        x = _columns(form, problem, w)
        own.append(0.5 * x @ form.quadratic @ x + form.linear @ x)
        risk = problem.measure.value(w, problem.outlook)
        # half the square stands for a deviation
        half = 0.5 * risk**2 if squared(problem) else _objective(problem, w)
        theirs.append(half * form.scale)
    # constants are left out: only differences count
    assert own[1] - own[0] == pytest.approx(theirs[1] - theirs[0], rel=1e-9, abs=1e-12)


def test_the_root_is_that_of_the_quadratic_part():
    rng = np.random.default_rng(0)
    s = ScenarioSet(rng.normal(0.0, 0.02, (60, 1, 5)), list("ABCDE"), "simple")
    form = direct_form(mean_risk_problem(s, Variance(), risk_weight=2.5))
    upper = np.triu(form.root)
    np.testing.assert_allclose(form.root_weight * upper.T @ upper, form.quadratic, rtol=1e-10, atol=1e-13)
    # trades make further columns, and a singular covariance has no root
    assert direct_form(mean_risk_problem(s, Variance(), constraints=[Bounds(-1, 1)])).root is not None
    few = ScenarioSet(rng.normal(0.0, 0.02, (4, 1, 5)), list("ABCDE"), "simple")
    assert direct_form(mean_risk_problem(few, Variance())).root is None
