import numpy as np
import pytest

from tsgen.errors import ConfigError
from tsgen.reweighting import BarrierHit, DrawdownBeyond, EventProbabilityView, TerminalLoss, entropy_pooling
from tsgen.scenario_set import ScenarioSet

RNG = np.random.default_rng(9)
SIMPLE = ScenarioSet(RNG.normal(0, 0.03, (400, 10, 2)), assets=["A", "B"], kind="simple")
LOG = SIMPLE.to_kind("log")
HALF = {"A": 0.5, "B": 0.5}


def wealth(weights):
    """Path by path, in a plain loop."""
    paths = []
    for path in SIMPLE.returns:
        holdings, cash, line = np.array(weights, dtype=float), 1 - sum(weights), [1.0]
        for step in path:
            holdings = holdings * (1 + step)
            line.append(holdings.sum() + cash)
        paths.append(line)
    return np.array(paths)


@pytest.mark.parametrize("scenarios", [SIMPLE, LOG], ids=["simple", "log"])
@pytest.mark.parametrize(("of", "weights"), [("A", (1, 0)), (HALF, (0.5, 0.5)), ({"B": 0.3}, (0, 0.3))])
def test_events_agree_with_a_plain_loop(scenarios, of, weights):
    w = wealth(weights)
    assert (TerminalLoss(of=of, loss=0.02)(scenarios) == (w[:, -1] <= 0.98)).all()
    assert (BarrierHit(of=of, barrier=-0.03)(scenarios) == (w.min(axis=1) <= 0.97)).all()
    assert (BarrierHit(of=of, barrier=0.03)(scenarios) == (w.max(axis=1) >= 1.03)).all()
    depth = np.array([max(1 - line[t] / max(line[: t + 1]) for t in range(11)) for line in w])
    event = DrawdownBeyond(of=of, depth=0.05)(scenarios)
    assert (event == (depth >= 0.05)).all()
    assert 0 < event.mean() < 1


def test_a_loss_exactly_at_the_threshold_counts():
    s = ScenarioSet([[[-0.2]], [[0.0]]], assets=["A"], kind="simple")
    assert TerminalLoss(of="A", loss=0.2)(s).tolist() == [True, False]


@pytest.mark.parametrize(
    "event",
    [TerminalLoss(of=HALF, loss=0.05), BarrierHit(of="A", barrier=-0.1), DrawdownBeyond(of=HALF, depth=0.12)],
)
def test_probability_of_an_event_is_met(event):
    posterior = entropy_pooling(LOG, [EventProbabilityView(event=event, target=0.5)])
    assert posterior.weights[event(LOG)].sum() == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: BarrierHit(of="A", barrier=0.0), "barrier must not be zero"),
        (lambda: DrawdownBeyond(of="A", depth=0.0), "depth must be above zero"),
        (lambda: TerminalLoss(of="A", loss=np.inf), "loss must be a finite number"),
        (lambda: TerminalLoss(of=np.zeros(3), loss=0.1), "a path event must be about an asset name or a mapping"),
    ],
)
def test_unusable_events_are_refused(make, match):
    with pytest.raises(ConfigError, match=match):
        make()


def test_labels_say_what_happens():
    assert EventProbabilityView(event=BarrierHit(of="A", barrier=-0.1), target=0.5).title == (
        "probability of A reaching -0.1"
    )
