import numpy as np
import pandas as pd
import pytest
import scipy.stats as st

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.reweighting import (
    CorrelationView,
    CVaRView,
    EventProbabilityView,
    FunctionalView,
    KurtosisView,
    MeanView,
    SkewView,
    VarianceView,
    VaRView,
    VolatilityView,
    entropy_pooling,
    entropy_pooling_report,
)
from tsgen.scenario_set import ScenarioSet

RNG = np.random.default_rng(8)
S = ScenarioSet(RNG.normal(0, 0.02, (500, 4, 2)), assets=["A", "B"], kind="log")
OUT = S.horizon_returns()


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (MeanView(of="A", target=0.0), OUT[:, 0].mean()),
        (MeanView(of={"A": 0.4, "B": 0.6}, target=0.0), (OUT @ [0.4, 0.6]).mean()),
        (MeanView(of=pd.Series({"B": 2.0}), target=0.0), 2 * OUT[:, 1].mean()),
        (MeanView(of=OUT[:, 0] ** 2, target=0.0), (OUT[:, 0] ** 2).mean()),
        (MeanView(of=lambda s: s.returns[:, 0, 1], target=0.0), S.returns[:, 0, 1].mean()),
        (VarianceView(of="A", target=1.0), OUT[:, 0].var()),
        (VolatilityView(of="A", target=1.0), OUT[:, 0].std()),
        (SkewView(of="A", target=1.0), st.skew(OUT[:, 0])),
        (KurtosisView(of="A", target=1.0), st.kurtosis(OUT[:, 0], fisher=False)),
        (CorrelationView(between=("A", "B"), target=0.0), np.corrcoef(OUT.T)[0, 1]),
        (VaRView(of="A", target=0.0, level=0.9), np.sort(-OUT[:, 0])[449]),
        (CVaRView(of="A", target=0.0, level=0.9), np.sort(-OUT[:, 0])[450:].mean()),
        (EventProbabilityView(event=OUT[:, 0] < 0, target=0.0), (OUT[:, 0] < 0).mean()),
        (
            FunctionalView(functional=lambda s: s.returns[:, :, 0].std(axis=1), target=0.0),
            S.returns[..., 0].std(1).mean(),
        ),
    ],
    ids=lambda v: v.title if hasattr(v, "title") else "",
)
def test_value_under_equal_probabilities(view, expected):
    assert view.value(S) == pytest.approx(expected, rel=1e-9)


def test_cvar_counts_the_atom_at_the_quantile_with_a_share():
    s = ScenarioSet([[[-0.3]], [[-0.1]], [[0.1]]], assets=["A"], kind="simple", probabilities=[0.1, 0.3, 0.6])
    assert CVaRView(of="A", target=0.0, level=0.8).value(s) == pytest.approx((0.1 * 0.3 + 0.1 * 0.1) / 0.2)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: MeanView(of="A", target=float("nan")), "target must be a finite number"),
        (lambda: MeanView(of="A", target="high"), "target must be a number"),
        (lambda: MeanView(of="A", target=0.0, relation="="), "relation must be '==', '<=' or '>=': got '='"),
        (lambda: MeanView(of={}, target=0.0), "portfolio weights must be finite, at least one"),
        (lambda: MeanView(of={"A": np.inf}, target=0.0), "portfolio weights must be finite"),
        (lambda: MeanView(of={"A": "all"}, target=0.0), "portfolio weights must be numbers"),
        (lambda: MeanView(of=np.zeros((2, 2)), target=0.0), "a view must be about an asset name"),
        (lambda: MeanView(of=3, target=0.0), "a view must be about an asset name"),
        (lambda: VarianceView(of="A", target=0.0), "target must be above zero"),
        (lambda: VolatilityView(of="A", target=-0.1), "target must be above zero"),
        (lambda: KurtosisView(of="A", target=0.5), r"target must be a finite number in \[1, inf\]: got 0.5"),
        (lambda: CorrelationView(between=("A", "B"), target=1.2), r"in \[-1, 1\]: got 1.2"),
        (lambda: CorrelationView(between="AB", target=0.2), "between must be a pair"),
        (lambda: CorrelationView(between=("A",), target=0.2), "between must be a pair"),
        (lambda: VaRView(of="A", target=0.1, level=1.0), "level must be a confidence level strictly between 0 and 1"),
        (lambda: CVaRView(of="A", target=0.1, level=95), "level must be a confidence level strictly between 0 and 1"),
        (lambda: EventProbabilityView(event=OUT[:, 0] < 0, target=1.5), r"in \[0, 1\]: got 1.5"),
        (lambda: EventProbabilityView(event="A", target=0.5), "event must be an array of shape .* or a callable"),
        (lambda: FunctionalView(functional={"A": 1.0}, target=0.5), "functional must be an array of shape"),
        (lambda: entropy_pooling(S, MeanView(of="A", target=0.0)), "views must be a list of view objects"),
        (lambda: entropy_pooling(S, ["A == 0.1"]), "views must be view objects such as MeanView"),
        (lambda: entropy_pooling(S, [], tolerance=0.0), "tolerance must be above zero"),
        (lambda: entropy_pooling(S, [], max_iterations=0), "max_iterations must be a positive integer"),
    ],
)
def test_unusable_arguments_are_refused(make, match):
    with pytest.raises(ConfigError, match=match):
        make()


@pytest.mark.parametrize(
    ("view", "error", "match"),
    [
        (MeanView(of="Z", target=0.0), DataError, "unknown asset 'Z': this set has A, B"),
        (MeanView(of=np.zeros(3), target=0.0), ShapeError, r"expected shape \(500,\), got \(3,\)"),
        (MeanView(of=lambda s: s.returns, target=0.0), ShapeError, "Reduce over time and assets first"),
        (MeanView(of=lambda s: "x", target=0.0), DataError, "must give numbers, one per scenario"),
        (MeanView(of=lambda s: np.full(500, np.nan), target=0.0), DataError, "must be finite in every scenario: 500"),
        (EventProbabilityView(event=OUT[:, 0], target=0.5), DataError, "must be true or false in every scenario"),
        (SkewView(of=np.ones(500), target=0.5), DataError, "skew of a given array is not defined"),
        (
            CorrelationView(between=("A", np.ones(500)), target=0.5),
            DataError,
            "is not defined: the values are the same",
        ),
    ],
)
def test_unusable_values_are_refused(view, error, match):
    with pytest.raises(error, match=match):
        entropy_pooling(S, [view])


def test_returns_below_minus_one_are_refused():
    s = ScenarioSet([[[-1.5]], [[0.1]]], assets=["A"], kind="simple")
    with pytest.raises(DataError, match="a simple return below -1 loses more than everything"):
        entropy_pooling(s, [MeanView(of="A", target=0.0)])


def test_views_do_not_follow_later_changes_of_their_arguments():
    weights, numbers = {"A": 1.0}, OUT[:, 0].copy()
    one, two = MeanView(of=weights, target=0.0), MeanView(of=numbers, target=0.0)
    before = one.value(S), two.value(S)
    weights["A"] = 5.0
    numbers[:] = 0.0
    assert (one.value(S), two.value(S)) == before


def test_titles_in_the_table():
    views = [MeanView(of={"A": 1.0, "B": -1.0}, target=0.0), MeanView(of="A", target=0.01, name="house view")]
    report = entropy_pooling_report(S, views)
    assert list(report.views.index) == ["mean of 1 A - 1 B", "house view"]
    wide = MeanView(of=dict.fromkeys("ABCDE", 0.2), target=0.0)
    assert wide.title == "mean of a portfolio of 5 assets"
