"""Whatever the scenarios and the (attainable) views: probabilities are valid and the views are met."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgen.reweighting import CVaRView, EventProbabilityView, MeanView, VolatilityView, entropy_pooling_report
from tsgen.scenario_set import ScenarioSet

RELATIONS = st.sampled_from(["==", "<=", ">="])


@st.composite
def problems(draw):
    """Targets are the statistics of another law on the same scenarios, so that one solution is known to exist."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, size = draw(st.integers(30, 200)), 10.0 ** draw(st.integers(-5, 0))
    x = np.tanh(size * rng.standard_normal((n, 2))) * 0.5
    prior = rng.dirichlet(np.full(n, draw(st.sampled_from([1.0, 10.0]))))
    other = rng.dirichlet(np.full(n, 1.0))
    s = ScenarioSet(x[:, None, :], assets=["A", "B"], kind="simple", probabilities=prior)
    return s, s.with_probabilities(other), [draw(RELATIONS) for _ in range(3)]


def assert_valid(report, s):
    q = report.posterior.weights
    assert (q >= 0).all()
    assert abs(q.sum() - 1) < 1e-12
    assert (q[s.weights == 0] == 0).all()
    assert report.divergence >= 0
    p = s.weights
    assert abs(report.divergence - np.sum(q[q > 0] * np.log(q[q > 0] / p[q > 0]))) < 1e-7


def assert_met(table, scale):
    for row, unit in zip(table.itertuples(), scale, strict=True):
        off = row.residual / unit
        if row.relation != "<=":
            assert off > -1e-7, row
        if row.relation != ">=":
            assert off < 1e-7, row
        if row.relation == ">=":
            assert row.multiplier >= 0
        if row.relation == "<=":
            assert row.multiplier <= 0


@settings(max_examples=60, deadline=None)
@given(problems())
def test_linear_views_are_met(problem):
    s, other, (first, second, third) = problem
    event = s.returns[:, 0, 0] < s.returns[:, 0, 1]
    kinds = [
        lambda t: MeanView(of="A", target=t, relation=first),
        lambda t: MeanView(of={"A": 1.0, "B": -1.0}, target=t, relation=second),
        lambda t: EventProbabilityView(event=event, target=t, relation=third),
    ]
    views = [kind(min(kind(0.0).value(other), 1.0)) for kind in kinds]
    report = entropy_pooling_report(s, views)
    assert_valid(report, s)
    size = np.abs(s.returns).max()
    assert_met(report.views, [size, size, 1.0])
    # the law the targets come from is feasible: the solution cannot be further from the prior
    q, p = other.weights, s.weights
    assert report.divergence <= np.sum(q * np.log(q / p)) + 1e-8


@settings(max_examples=25, deadline=None)
@given(problems(), st.floats(0.5, 0.95), st.floats(0.75, 1.2))
def test_tail_and_spread_views_are_met(problem, level, ratio):
    s, _, (first, _, _) = problem
    deviation = VolatilityView(of="B", target=1.0).value(s)
    worst, now = -s.returns[:, 0, 0].min(), CVaRView(of="A", target=0.0, level=level).value(s)
    mean_loss = -MeanView(of="A", target=0.0).value(s)
    # between the mean loss and the worst loss every CVaR is attainable
    target = mean_loss + (now - mean_loss) * ratio if ratio < 1 else now + (worst - now) * (ratio - 1)
    views = [
        CVaRView(of="A", target=target, level=level, relation=first),
        VolatilityView(of="B", target=0.98 * deviation, relation="<="),
    ]
    report = entropy_pooling_report(s, views)
    assert_valid(report, s)
    assert_met(report.views, [np.abs(s.returns).max(), deviation])
