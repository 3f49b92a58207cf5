"""Constraints: what they refuse, how they name themselves, which defaults join them."""

import numpy as np
import pandas as pd
import pytest

from portfolio.constraints import Bounds, Budget, GroupLimit, TurnoverLimit
from portfolio.decision_model import DecisionModel
from portfolio.limit_statement import named_limits_of, with_defaults
from tsgen.errors import ConfigError, DataError


@pytest.fixture
def model():
    return DecisionModel(["A", "B", "C"], np.array([0.5, 0.5, 0.0]))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Bounds(0.5, 0.1), ConfigError, "lower must not exceed upper: got lower=0.5, upper=0.1"),
        (lambda: Bounds(lower=np.inf, upper=np.inf), ConfigError, "lower bounds must not be inf"),
        (lambda: Bounds(lower=-np.inf, upper={"A": -np.inf}), ConfigError, "upper bounds must not be -inf"),
        (lambda: Bounds(upper=np.nan), DataError, "upper bounds must be a number"),
        (lambda: Bounds(upper="0.2"), DataError, "upper bounds must be a number"),  # pyright: ignore[reportArgumentType]
        (lambda: Bounds(upper=pd.Series([0.1, 0.2], index=["A", "A"])), DataError, "A repeated"),
        (lambda: Budget(np.inf), ConfigError, "total must be a finite number: got inf"),
        (lambda: Budget("1"), ConfigError, "total must be a finite number"),  # pyright: ignore[reportArgumentType]
        (lambda: GroupLimit([], upper=0.1), ConfigError, "members must name at least one asset, each once"),
        (lambda: GroupLimit(["A", "A"], upper=0.1), ConfigError, "members must name at least one asset, each once"),
        (lambda: GroupLimit(["A", "B"]), ConfigError, r"group 'A\+B' needs a lower or an upper limit"),
        (lambda: GroupLimit(["A"], 0.5, 0.1), ConfigError, "lower must not exceed upper in group 'A'"),
        (lambda: GroupLimit(["A"], upper=np.nan), ConfigError, "upper limit of group 'A' must be a finite number"),
        (lambda: TurnoverLimit(-0.1), ConfigError, "maximum turnover must not be negative"),
        (lambda: TurnoverLimit(np.nan), ConfigError, "maximum turnover must be a finite number"),
    ],
)
def test_bad_constraints_are_refused_when_written(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_bad_constraints_are_refused_when_used(model):
    with pytest.raises(DataError, match="group 'tech' has members that are not assets of the problem: X"):
        GroupLimit(["A", "X"], upper=0.1, name="tech").named_limits(model)
    with pytest.raises(DataError, match="upper bounds must name exactly the 3 assets of the problem: missing B, C"):
        Bounds(upper={"A": 0.2}).named_limits(model)
    with pytest.raises(ConfigError, match="lower bounds must not exceed upper bounds: they do for B"):
        Bounds(0.2, {"A": 1.0, "B": 0.1, "C": 1.0}).named_limits(model)
    with pytest.raises(ConfigError, match="TurnoverLimit needs the weights held before"):
        TurnoverLimit(0.1).named_limits(DecisionModel(["A"], None))


def test_names(model):
    limits = named_limits_of(
        [
            Bounds(lower={"A": 0.0, "B": -np.inf, "C": 0.1}, upper=0.6),
            GroupLimit("A", 0.1, 0.2),
            GroupLimit(["A", "B"], upper=0.7, name="tech"),
            TurnoverLimit(0.1),
            TurnoverLimit(0.1),
        ],
        [Budget()],
        model,
    )
    assert [(limit.name, limit.default) for limit in limits] == [
        ("Bounds lower", False),
        ("Bounds upper 0.6", False),
        ("GroupLimit 'A' lower 0.1", False),
        ("GroupLimit 'A' upper 0.2", False),
        ("GroupLimit 'tech' upper 0.7", False),
        ("TurnoverLimit 0.1", False),
        ("TurnoverLimit 0.1 (2)", False),
        ("Budget total 1", True),
    ]
    assert limits[0].rows == ("A", "C")


def test_infinite_bounds_are_no_limit(model):
    assert Bounds(-np.inf, np.inf).named_limits(model) == []


@pytest.mark.parametrize(
    ("weights", "violation"),
    [([0.5, 0.5, 0.0], 0.0), ([0.6, 0.5, -0.1], 0.1), ([0.2, 0.2, 0.6], 0.2)],
)
def test_limits_measure_their_own_violation(model, weights, violation):
    limits = named_limits_of([Bounds(0.0, 0.5), GroupLimit(["A", "B"], lower=0.6)], [Budget()], model)
    model.weights.value = np.array(weights)
    worst = max(float(np.max(limit.constraint.violation())) for limit in limits)
    assert worst == pytest.approx(violation, abs=1e-15)


def test_defaults_join_only_where_the_type_is_missing():
    assert with_defaults(()) == ((), (Bounds(0.0, 1.0), Budget(1.0)))
    assert with_defaults([Bounds(-1, 1)])[1] == (Budget(1.0),)
    assert with_defaults([Budget(0.5), Bounds()])[1] == ()
    assert with_defaults([TurnoverLimit(1.0)])[1] == (Bounds(), Budget())


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (Bounds(), "must be a sequence of constraints: got Bounds"),
        (0.5, "must be a sequence of constraints: got 0.5"),
        (["sum(w) == 1"], "every constraint must be an object such as Bounds"),
        ([Bounds], "every constraint must be an object such as Bounds"),
    ],
)
def test_what_is_not_a_constraint(constraints, message):
    with pytest.raises(ConfigError, match=message):
        with_defaults(constraints)


def test_mappings_are_copied():
    upper = {"A": 0.1, "B": 0.2, "C": 0.3}
    bounds = Bounds(upper=upper)
    upper["A"] = 9.0
    assert bounds.arrays(["C", "B", "A"])[1].tolist() == [0.3, 0.2, 0.1]
