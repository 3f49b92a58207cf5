"""Pieces of every tail measure: they attain it, never exceed it, and their law is a minorant."""

import numpy as np
import pytest

from portfolio.drawdown import AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdown, MaximumDrawdownCVaR
from portfolio.fast_solvers.tail_pieces import tail_pieces
from portfolio.outlook import outlook_of
from portfolio.risk_measures import ConditionalValueAtRisk, Variance
from tsgen.scenario_set import ScenarioSet

MEASURES = [
    ConditionalValueAtRisk(0.8),
    AverageDrawdown(),
    ConditionalDrawdownAtRisk(0.7),
    MaximumDrawdownCVaR(0.8),
    MaximumDrawdown(),
]


@pytest.fixture(scope="module")
def outlook():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(25))
    return outlook_of(ScenarioSet(rng.normal(0.0, 0.03, (25, 7, 3)), list("ABC"), "simple", p))


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_pieces_make_up_the_measure(outlook, measure):
    unit, rng = 0.02, np.random.default_rng(1)
    tail = tail_pieces(measure, outlook.wealth, unit)
    for _ in range(10):
        w, other = rng.normal(0.3, 0.5, 3), rng.normal(0.3, 0.5, 3)
        losses, pieces = tail.losses(w)
        groups = np.arange(len(losses))
        rows = tail.rows(groups, pieces)
        # the piece that is named attains the loss, and at other weights it is below it
        np.testing.assert_allclose(rows @ w, losses, atol=1e-13)
        assert (rows @ other <= tail.losses(other)[0] + 1e-13).all()
        # rho = min over z of z + sum c (loss - z)^+, at one of the losses or at the floor
        if tail.caps is None:
            value = losses.max()
        else:
            levels = (
                np.append(losses, tail.floor if np.isfinite(tail.floor) else losses.min())
                if tail.has_quantile
                else [0.0]
            )
            value = min(z + tail.caps @ np.maximum(losses - z, 0.0) for z in levels)
        assert value * unit == pytest.approx(measure.value(w, outlook), rel=1e-12)


def test_a_measure_without_pieces(outlook):
    with pytest.raises(TypeError, match=r"Variance\(\) has no linear pieces"):
        tail_pieces(Variance(), outlook.wealth, 1.0)  # pyright: ignore[reportArgumentType]
