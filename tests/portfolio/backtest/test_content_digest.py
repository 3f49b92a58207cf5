"""A digest that tells strategies apart by what they are, the same in every process."""

import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import (
    BacktestSettings,
    EqualWeightPolicy,
    FixedWeightsPolicy,
    ScenarioPolicy,
    TrainedPerFold,
    walk_forward,
    walk_forward_folds,
)
from portfolio.backtest.content_digest import content_digest, stable_text
from portfolio.mean_variance import mean_variance
from tsgen.baselines import BlockBootstrap


def _rule(past):
    return None


class _Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def variants(panel):
    fitted = [BlockBootstrap.fit(panel.until(panel.dates[k]), block_length=3) for k in (40, 41)]
    optimise = partial(mean_variance, risk_aversion=5.0)
    big = pd.Series(np.arange(5000.0), index=[f"A{i}" for i in range(5000)])
    other = big.copy()
    other.iloc[2500] += 1e-9
    return [
        EqualWeightPolicy(),
        FixedWeightsPolicy(weights={"A": 0.5}),
        FixedWeightsPolicy(weights={"A": 0.5000001}),
        *[ScenarioPolicy(source=source, optimise=optimise, horizon=5, n_scenarios=10) for source in fitted],
        ScenarioPolicy(source=fitted[0], optimise=partial(mean_variance, risk_aversion=6.0), horizon=5, n_scenarios=10),
        big, other, np.arange(5000), np.arange(5000.0), np.array(["a", None], dtype=object),
        {"a": 1, "b": 2}, {"a": 2, "b": 1}, [1, 2], [2, 1], (1, 2), {1, 2}, {1, 3}, [[1], 2], [[1, 2]],
        lambda past: 1, lambda past: 2, lambda past, x=1: x, lambda past, x=2: x,
        partial(_rule, x=1), partial(_rule, x=2), TrainedPerFold(fit=_rule), _rule, np.mean, np, int,
        pd.Timestamp("2024-01-01"), 1, 1.0, True, "1", None, _Slotted(1), _Slotted(2), pd.Index([1]),
        pd.DataFrame({"a": [1]}),
    ]  # fmt: skip


def test_different_things_have_different_digests(panel):
    digests = [content_digest(thing) for thing in variants(panel)]
    assert len(set(digests)) == len(digests)
    # equal content made a second time: equal digests
    assert digests == [content_digest(thing) for thing in variants(panel)]


def test_texts_alone_would_not_tell_generators_apart(panel):
    # why repr is not enough: same class, assets and training date, other numbers
    values = panel.returns
    values.iloc[3, 1] += 1e-6
    one, two = (BlockBootstrap.fit(type(panel)(x, kind="simple"), block_length=3) for x in (panel.returns, values))
    assert repr(one) == repr(two)
    assert content_digest(one) != content_digest(two)


def test_closures_methods_and_cycles():
    def closing(over):
        return lambda past: over

    assert content_digest(closing(1)) != content_digest(closing(2))
    assert content_digest(closing(1)) == content_digest(closing(1))
    loop = [1]
    loop.append(loop)
    other = [2]
    other.append(other)
    assert content_digest(loop) != content_digest(other)
    assert content_digest(_Holder(1).rule) != content_digest(_Holder(2).rule)

    def recursive(n):
        return recursive(n - 1) if n else 0

    assert content_digest(recursive)
    if False:
        never = 1

    def open_cell():
        return never

    assert content_digest(open_cell)


class _Holder:
    def __init__(self, value):
        self.value = value

    def rule(self, past):
        return self.value


def test_caches_of_our_own_objects_do_not_count(panel):
    policy = ScenarioPolicy(
        fit=partial(BlockBootstrap.fit, block_length=3), optimise=partial(mean_variance, risk_aversion=5.0),
        horizon=5, n_scenarios=20, retrain=10,
    )  # fmt: skip
    before = content_digest(policy)
    walk_forward(
        panel, {"a": policy}, folds=walk_forward_folds(panel.dates, train=60, test=30),
        settings=BacktestSettings(rebalance=10, costs=None),
    )  # fmt: skip
    assert policy._latest
    assert content_digest(policy) == before


def test_torch_modules_count_by_their_parameters():
    torch = pytest.importorskip("torch")
    first, second = (torch.nn.ParameterList([torch.nn.Parameter(torch.ones(1, 2))]) for _ in range(2))
    assert content_digest(first) == content_digest(second)
    with torch.no_grad():
        second[0][0, 0] = 1.5
    assert content_digest(first) != content_digest(second)


_SCRIPT = """
from functools import partial
from portfolio.backtest import FixedWeightsPolicy
from portfolio.backtest.content_digest import content_digest
from portfolio.mean_variance import mean_variance
rule = partial(mean_variance, risk_aversion=5.0)
print(content_digest([FixedWeightsPolicy(weights={"A": 0.5}), rule, {"x", "y", "z"}]))
"""


@pytest.mark.slow
def test_the_same_in_another_process():
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    here = [FixedWeightsPolicy(weights={"A": 0.5}), partial(mean_variance, risk_aversion=5.0), {"x", "y", "z"}]
    assert done.stdout.strip() == content_digest(here)


def test_addresses_are_left_out():
    assert " at 0x" in repr(_rule)
    assert stable_text(_rule) == "<function _rule>"


def test_another_generator_is_not_resumed(panel, tmp_path):
    folds = walk_forward_folds(panel.dates, train=60, test=30)
    settings = BacktestSettings(rebalance=10, costs=None)

    def run(changed):
        values = panel.returns
        values.iloc[3, 1] += changed
        source = BlockBootstrap.fit(type(panel)(values.iloc[:50], kind="simple"), block_length=3)
        policy = ScenarioPolicy(
            source=source, optimise=partial(mean_variance, risk_aversion=5.0), horizon=5, n_scenarios=30
        )
        return walk_forward(panel, {"a": policy}, folds=folds, settings=settings, folder=tmp_path).n_resumed

    assert run(0.0) == 0
    assert run(0.0) == 1
    assert run(1e-6) == 0
