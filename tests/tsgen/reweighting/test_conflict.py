import pickle

import numpy as np
import pytest

from tsgen.reweighting import (
    CorrelationView,
    CVaRView,
    EventProbabilityView,
    MeanView,
    PoolingConvergenceError,
    SkewView,
    VaRView,
    ViewConflictError,
    VolatilityView,
    cvar_pooling,
    cvar_raising,
    entropy_pooling,
)
from tsgen.reweighting.cvar_lowering import LoweredLaw
from tsgen.reweighting.cvar_raising import RaisedLaw
from tsgen.reweighting.linear_pooling import PooledLaw
from tsgen.scenario_set import ScenarioSet

X = np.random.default_rng(4).normal(0, 0.01, (400, 3))
S = ScenarioSet(X[:, None, :], assets=["A", "B", "C"], kind="simple")


def refused(*views, match):
    with pytest.raises(ViewConflictError, match=match) as caught:
        entropy_pooling(S, views)
    return caught.value


def test_single_view_out_of_range_names_it_and_the_range():
    error = refused(MeanView(of="A", target=0.5), match=r"'mean of A == 0\.5' cannot be met: attainable on these")
    assert error.views == ("mean of A == 0.5",)
    assert error.attainable["mean of A"] == pytest.approx((X[:, 0].min(), X[:, 0].max()))
    assert "-0" not in str(error).replace("-0.", "")


def test_contradicting_views_are_named_and_innocent_ones_are_not():
    error = refused(
        MeanView(of="C", target=0.001),
        MeanView(of="A", target=0.002, relation=">="),
        MeanView(of="A", target=0.001, relation="<=", name="mean of A, other desk"),
        VolatilityView(of="B", target=0.011),
        match="these views contradict each other: 'mean of A >= 0.002', 'mean of A, other desk <= 0.001'",
    )
    assert len(error.views) == 2
    assert error.attainable["mean of A"][1] == pytest.approx(0.001, abs=1e-8)


def test_range_beside_the_others():
    # if A falls beyond its 10th worst with certainty in 30 %, the mean cannot be as high as asked
    event = X[:, 0] < np.sort(X[:, 0])[10]
    error = refused(
        EventProbabilityView(event=event, target=0.3, name="crash"),
        MeanView(of="A", target=0.02),
        match="crash",
    )
    highest = 0.3 * X[event, 0].max() + 0.7 * X[:, 0].max()
    assert error.attainable["mean of A"][1] == pytest.approx(highest, rel=1e-6)
    assert error.attainable["mean of A"][1] < 0.02


def test_held_moments_are_named_with_the_view_that_needs_them():
    error = refused(
        SkewView(of="A", target=60.0),
        match=r"skew of A == 60.*cannot be met|mean of A held at .* \(for skew of A\)|variance of A held",
    )
    assert any("skew of A" in view for view in error.views)


def test_volatility_range_is_in_volatility():
    error = refused(VolatilityView(of="A", target=1.0), match="volatility of A from")
    assert error.attainable["volatility of A"][1] < 0.05


def test_inconsistent_correlations():
    pairs = (("A", "B"), ("B", "C"), ("A", "C"))
    views = [CorrelationView(between=pair, target=-0.9) for pair in pairs]
    error = refused(*views, match="contradict")
    assert sum(view.startswith("correlation") for view in error.views) == 3


@pytest.mark.parametrize("target", [0.2, -0.2])
def test_cvar_beyond_the_worst_loss(target):
    error = refused(CVaRView(of="A", target=target), match="CVaR 0.95 of A == .* cannot be met")
    low, high = error.attainable["CVaR 0.95 of A"]
    assert high == pytest.approx(-X[:, 0].min(), rel=1e-6)
    assert low == pytest.approx(-X[:, 0].max(), rel=1e-6)


@pytest.mark.parametrize("target", [0.028, 0.005])
def test_cvar_against_a_mean(target):
    # 5 % at -2.8 % leave a mean of at most 0.95 times the best return, 2.2 %; a mean loss of 2 % is a CVaR of more
    mean = MeanView(of="A", target=0.0225 if target > 0.01 else -0.02)
    error = refused(mean, CVaRView(of="A", target=target), match="contradict each other")
    assert len(error.views) == 2


def test_var_beyond_all_losses():
    refused(VaRView(of="A", target=0.5), match=r"probability of a loss of at least 0.5 \(VaR 0.95 of A\)")


def test_view_below_the_resolution_of_the_programme():
    mean = float(X[:, 0].mean())
    with pytest.raises((ViewConflictError, PoolingConvergenceError)):
        entropy_pooling(S, [MeanView(of="A", target=mean), MeanView(of="A", target=mean + 1e-9, relation=">=")])


def test_too_few_iterations():
    with pytest.raises(PoolingConvergenceError, match="not met to the tolerance 1e-09 after 1 Newton steps") as caught:
        entropy_pooling(S, [MeanView(of="A", target=0.02)], max_iterations=1)
    assert caught.value.residual > 1e-9


def test_two_values_of_one_cvar():
    error = refused(
        *(CVaRView(of="A", target=t, name=f"CVaR of desk {t}") for t in (0.022, 0.025)),
        match="no probabilities were found that satisfy all of these views: 'CVaR of desk 0.022 == 0.022'",
    )
    assert len(error.views) == 2


def test_cutting_planes_that_do_not_end(monkeypatch):
    monkeypatch.setattr(cvar_raising, "_MAX_ROUNDS", 1)
    with pytest.raises(PoolingConvergenceError, match="not met after 1 cutting planes"):
        entropy_pooling(S, [CVaRView(of="A", target=0.025)])


def test_directions_that_keep_changing(monkeypatch):
    def stubborn(prior, rows, raised, lowered, **_):
        return LoweredLaw(RaisedLaw(PooledLaw(prior, np.zeros(0), 0.0, 0), (), ()), (None,) * len(lowered))

    monkeypatch.setattr(cvar_pooling, "pool_lowering_cvar", stubborn)
    with pytest.raises(PoolingConvergenceError, match="pull against each other: no consistent set of directions"):
        entropy_pooling(S, [CVaRView(of="A", target=0.025)])


def test_errors_survive_pickling():
    error = refused(MeanView(of="A", target=0.5), match="cannot be met")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.views, copy.attainable) == (str(error), error.views, error.attainable)
    stopped = pickle.loads(pickle.dumps(PoolingConvergenceError("x", residual=0.5)))
    assert stopped.residual == 0.5
