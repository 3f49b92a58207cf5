"""CVaR views against brute force over every quantile, and against a primal interior-point solution."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.stats as st
from scipy.optimize import brentq

from tsgen.reweighting import CVaRView, MeanView, VaRView, entropy_pooling_report
from tsgen.scenario_set import ScenarioSet

LEVEL = 0.9


def sample(n=300, seed=0, scale=0.01):
    rng = np.random.default_rng(seed)
    x = rng.standard_t(4, (n, 1)) + rng.standard_t(4, (n, 2))
    return ScenarioSet(scale * x[:, None, :], assets=["A", "B"], kind="simple")


def now(s, of="A", level=LEVEL):
    return CVaRView(of=of, target=0.0, level=level).value(s)


def divergence_at(losses, eta, target, level=LEVEL):
    """KL of the tilt that puts the mean excess over eta at its target: one number, one root."""
    excess = np.maximum(losses - eta, 0.0) / (1 - level)
    goal = target - eta
    if not excess.min() < goal < excess.max():
        return np.inf

    def gap(pull):
        e = pull * excess
        w = np.exp(e - e.max())
        return w @ excess / w.sum() - goal

    pull = brentq(gap, -1e5, 1e5, xtol=1e-13)
    e = pull * excess
    return pull * goal - (np.log(np.mean(np.exp(e - e.max()))) + e.max())


def candidates(losses, values):
    """Every atom, then closely around the best one: the optimum may lie between two atoms."""
    atoms = np.unique(losses)[:-1]
    best = int(np.nanargmin(values(atoms)))
    near = np.linspace(atoms[max(best - 1, 0)], atoms[min(best + 1, len(atoms) - 1)], 401)
    return np.concatenate([atoms, near])


@pytest.mark.parametrize("ratio", [1.1, 1.4])
def test_raising_is_the_largest_one_sided_divergence_over_quantiles(ratio):
    s = sample()
    losses, target = -s.returns[:, 0, 0], ratio * now(s)
    report = entropy_pooling_report(s, [CVaRView(of="A", target=target, level=LEVEL)])

    def equality(etas):
        return np.array([divergence_at(losses, eta, target) for eta in etas])

    def one_sided(etas):
        met = np.array([eta + np.maximum(losses - eta, 0).mean() / (1 - LEVEL) >= target for eta in etas])
        found = np.where(met, 0.0, equality(etas))
        return np.where(np.isfinite(found), found, 0.0)

    best = one_sided(candidates(losses, lambda etas: -one_sided(etas))).max()
    # the grid is a 200th of a gap and the maximum flat: error of second order
    assert report.divergence == pytest.approx(best, rel=1e-5)
    assert report.divergence >= best - 1e-8
    assert report.views.residual.abs().iloc[0] < 1e-8 * target
    # wrong variant: the smallest divergence with the equality is nearly free and does not raise the CVaR
    assert equality(np.unique(losses)[:-1]).min() < 0.2 * report.divergence


@pytest.mark.parametrize("ratio", [0.9, 0.7, 0.5])
def test_lowering_is_the_smallest_divergence_over_quantiles(ratio):
    s = sample()
    losses, target = -s.returns[:, 0, 0], ratio * now(s)
    report = entropy_pooling_report(s, [CVaRView(of="A", target=target, level=LEVEL)])

    def equality(etas):
        return np.array([divergence_at(losses, eta, target) if eta < target else np.inf for eta in etas])

    best = equality(candidates(losses, equality)).min()
    assert report.divergence == pytest.approx(best, rel=1e-5)
    assert report.divergence <= best + 1e-8
    assert report.views.residual.abs().iloc[0] < 1e-8 * target


@pytest.mark.parametrize("seed", range(8))
def test_lowering_with_few_scenarios(seed):
    rng = np.random.default_rng(seed)
    losses = 0.01 * rng.standard_t(4, 14)
    s = ScenarioSet(-losses[:, None, None], assets=["A"], kind="simple")
    target = 0.4 * now(s, level=0.7) + 0.6 * losses.mean()
    report = entropy_pooling_report(s, [CVaRView(of="A", target=target, level=0.7)])
    atoms = np.sort(losses[losses < target])
    each = [divergence_at(losses, eta, target, 0.7) for eta in atoms]
    assert report.divergence == pytest.approx(min(each), rel=1e-7)
    # between the losses it is never cheaper
    between = np.concatenate([np.linspace(a, b, 10) for a, b in zip(atoms, [*atoms[1:], target], strict=True)])[:-1]
    assert report.divergence <= min(divergence_at(losses, eta, target, 0.7) for eta in between) + 1e-9
    assert report.views.residual.abs().iloc[0] < 1e-10


@pytest.mark.parametrize("ratio", [0.6, 1.4])
def test_sensitivity_is_the_derivative_of_the_divergence(ratio):
    s = sample(3000)
    target, step = ratio * now(s), 1e-4 * now(s)
    at = [entropy_pooling_report(s, [CVaRView(of="A", target=target + d, level=LEVEL)]) for d in (-step, 0.0, step)]
    numeric = (at[2].divergence - at[0].divergence) / (2 * step)
    assert at[1].views.sensitivity.iloc[0] == pytest.approx(numeric, rel=1e-3)


def test_several_raised_cvars_agree_with_the_primal_problem():
    s = sample(200)
    up = {"A": 1.3 * now(s), "B": 1.15 * now(s, "B")}
    views = [CVaRView(of=a, target=v, level=LEVEL, relation=">=") for a, v in up.items()]
    report = entropy_pooling_report(s, [*views, MeanView(of="A", target=0.0)])
    q = cp.Variable(200)
    rows = [cp.sum(q) == 1, s.returns[:, 0, 0] @ q == 0]
    for i, v in enumerate(up.values()):
        r = cp.Variable(200, nonneg=True)
        rows += [r <= q, cp.sum(r) == 1 - LEVEL, -s.returns[:, 0, i] @ r >= (1 - LEVEL) * v]
    problem = cp.Problem(cp.Minimize(cp.sum(cp.kl_div(q, s.weights))), rows)
    problem.solve(solver="CLARABEL")
    assert report.divergence == pytest.approx(problem.value, abs=1e-7)
    assert report.views.residual.iloc[:2].min() > -1e-10


def test_one_up_one_down():
    s = sample(1000)
    views = [
        CVaRView(of="A", target=1.2 * now(s), level=LEVEL),
        CVaRView(of="B", target=0.8 * now(s, "B"), level=LEVEL),
        MeanView(of={"A": 0.5, "B": 0.5}, target=0.0),
    ]
    report = entropy_pooling_report(s, views)
    assert report.views.residual.abs().max() < 1e-9
    assert report.views.multiplier.iloc[0] > 0 > report.views.multiplier.iloc[1]


def test_two_lowered_views_are_both_met():
    s = sample(1000)
    views = [CVaRView(of=a, target=0.8 * now(s, a), level=LEVEL) for a in ("A", "B")]
    report = entropy_pooling_report(s, views)
    assert report.views.residual.abs().max() < 1e-9
    single = entropy_pooling_report(s, views[:1]).divergence
    assert single <= report.divergence <= 2 * single + 0.1


def test_equality_pushed_beyond_by_others_is_held_back():
    # raising the CVaR of the portfolio by a half raises that of A by more than the 2 % asked for
    s = sample(1000)
    both = {"A": 0.5, "B": 0.5}
    views = [
        CVaRView(of=both, target=1.5 * now(s, both), level=LEVEL),
        CVaRView(of="A", target=1.02 * now(s), level=LEVEL),
    ]
    report = entropy_pooling_report(s, views)
    assert report.views.residual.abs().max() < 1e-9
    assert report.views.multiplier.iloc[1] < 0


@pytest.mark.parametrize(("relation", "ratio"), [(">=", 0.8), ("<=", 1.2)])
def test_inequality_met_by_the_prior_leaves_it(relation, ratio):
    s = sample()
    report = entropy_pooling_report(s, [CVaRView(of="A", target=ratio * now(s), level=LEVEL, relation=relation)])
    np.testing.assert_array_equal(report.posterior.weights, s.weights)


@pytest.mark.parametrize(("relation", "ratio"), [(">=", 1.2), ("<=", 0.8)])
def test_binding_inequality_equals_the_equality(relation, ratio):
    s = sample()
    target = ratio * now(s)
    one, two = (
        entropy_pooling_report(s, [CVaRView(of="A", target=target, level=LEVEL, relation=r)]) for r in (relation, "==")
    )
    np.testing.assert_allclose(one.posterior.weights, two.posterior.weights, atol=1e-12)


def test_two_targets_on_one_cvar():
    s = sample()
    views = [CVaRView(of="A", target=r * now(s), level=LEVEL, relation=">=") for r in (1.1, 1.3)]
    report = entropy_pooling_report(s, views)
    only = entropy_pooling_report(s, views[1:])
    assert report.divergence == pytest.approx(only.divergence, rel=1e-7)


def test_cvar_of_a_gaussian_shifts_with_the_mean():
    # pinning the mean at mu - d and the volatility fixes a Gaussian's CVaR at the prior's plus d: nothing left to do
    grid = st.norm.ppf((np.arange(4000) + 0.5) / 4000) * 0.01
    s = ScenarioSet(grid[:, None, None], assets=["A"], kind="simple")
    mean = MeanView(of="A", target=-0.002)
    alone = entropy_pooling_report(s, [mean])
    cvar = CVaRView(of="A", target=now(alone.posterior, level=0.95))
    # grid of 4,000 quantiles cuts the Gaussian at 3.7 standard deviations
    assert cvar.target == pytest.approx(now(s, level=0.95) + 0.002, rel=2e-3)
    assert entropy_pooling_report(s, [mean, cvar]).divergence == pytest.approx(alone.divergence, abs=1e-9)


@pytest.mark.parametrize("relation", ["==", ">=", "<="])
def test_var_view_sets_the_probability_beyond(relation):
    s = sample(1000)
    target = 0.02
    beyond = s.returns[:, 0, 0] <= -target
    for level in (0.8, 0.97):
        report = entropy_pooling_report(s, [VaRView(of="A", target=target, level=level, relation=relation)])
        mass, goal = report.posterior.weights[beyond].sum(), 1 - level
        if relation == "==":
            assert mass == pytest.approx(goal, abs=1e-9)
        else:
            assert (mass >= goal - 1e-9) if relation == ">=" else (mass <= goal + 1e-9)
