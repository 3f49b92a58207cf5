import numpy as np
import pytest

from tsgen.reweighting import (
    CorrelationView,
    EventProbabilityView,
    KurtosisView,
    MeanView,
    SkewView,
    VolatilityView,
    entropy_pooling_report,
)
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.stage_rows import with_held_moments
from tsgen.scenario_set import ScenarioSet

RNG = np.random.default_rng(10)
X = 0.01 * (RNG.standard_t(7, (4000, 1)) + RNG.standard_t(7, (4000, 3)))
S = ScenarioSet(X[:, None, :], assets=["A", "B", "C"], kind="simple")


def test_all_stages_at_once_meet_every_view():
    views = [
        KurtosisView(of="A", target=4.0),
        CorrelationView(between=("A", {"B": 0.5, "C": 0.5}), target=-0.1),
        SkewView(of="B", target=-0.3),
        VolatilityView(of="A", target=0.02),
        VolatilityView(of="B", target=0.016, relation="<="),
        MeanView(of="A", target=0.002),
        MeanView(of={"B": 1.0, "C": -1.0}, target=0.001, relation=">="),
        EventProbabilityView(event=X[:, 2] < -0.03, target=0.06),
    ]
    report = entropy_pooling_report(S, views)
    table = report.views
    scale = np.array([1, 1, 1, 0.01, 0.01, 0.01, 0.01, 1])
    off = table.residual / scale
    assert off[table.relation == "=="].abs().max() < 1e-7
    assert (off[table.relation == "<="] < 1e-7).all()
    assert (off[table.relation == ">="] > -1e-7).all()


def test_moments_below_a_view_stay_where_the_earlier_stage_put_them():
    first = entropy_pooling_report(S, [EventProbabilityView(event=X[:, 1] < -0.02, target=0.2)]).posterior
    views = [EventProbabilityView(event=X[:, 1] < -0.02, target=0.2), SkewView(of="A", target=0.4)]
    report = entropy_pooling_report(S, views)
    m, v = MeanView(of="A", target=0.0), VolatilityView(of="A", target=1.0)
    assert m.value(report.posterior) == pytest.approx(m.value(first), abs=1e-10)
    assert v.value(report.posterior) == pytest.approx(v.value(first), abs=1e-10)
    assert list(report.held.index) == ["mean of A", "variance of A"]
    assert set(report.held["for"]) == {"skew of A"}


def test_a_moment_that_a_view_fixes_is_not_held_again():
    views = [MeanView(of="A", target=0.001), VolatilityView(of="A", target=0.02), SkewView(of="A", target=0.3)]
    assert entropy_pooling_report(S, views).held.empty
    # also when it follows from a combination
    views = [MeanView(of="A", target=0.001), MeanView(of={"A": 1.0, "B": 1.0}, target=0.001)]
    assert entropy_pooling_report(S, [*views, VolatilityView(of="B", target=0.02)]).held.empty


def test_binding_inequality_becomes_the_held_moment():
    views = [MeanView(of="A", target=0.002, relation=">="), VolatilityView(of="A", target=0.017)]
    report = entropy_pooling_report(S, views)
    same = entropy_pooling_report(S, [MeanView(of="A", target=0.002), views[1]])
    np.testing.assert_allclose(report.posterior.weights, same.posterior.weights, atol=1e-12)
    assert report.held.empty


def test_held_rows_drop_constants_and_repetitions():
    p = np.full(4, 0.25)
    row = LinearRow(name="x", feature=np.array([0.0, 1.0, 2.0, 4.0]), target=1.0, relation="==", held_for="v")
    flat = LinearRow(name="c", feature=np.full(4, 0.3), target=0.3, relation="==", held_for="v")
    rows, held = with_held_moments([], [row, flat, row], prior=p, binding=[])
    assert (rows, held) == ([], [row])


def test_order_of_the_views_does_not_matter():
    views = [MeanView(of="A", target=0.002), VolatilityView(of="B", target=0.02), SkewView(of="C", target=0.2)]
    one, two = entropy_pooling_report(S, views), entropy_pooling_report(S, views[::-1])
    np.testing.assert_allclose(one.posterior.weights, two.posterior.weights, atol=1e-12)


def test_warm_start_saves_steps_and_changes_nothing():
    views = [MeanView(of="A", target=0.004), VolatilityView(of="A", target=0.021), SkewView(of="B", target=0.3)]
    cold = entropy_pooling_report(S, views)
    warm = entropy_pooling_report(S, views, warm_start=cold)
    assert warm.iterations < cold.iterations
    np.testing.assert_allclose(warm.posterior.weights, cold.posterior.weights, atol=1e-11)
    # a start from something else is only a bad guess
    other = entropy_pooling_report(S, [MeanView(of="A", target=-0.01)])
    bad = entropy_pooling_report(S, views, warm_start=other)
    np.testing.assert_allclose(bad.posterior.weights, cold.posterior.weights, atol=1e-11)
