"""Every law metric tells right from wrong: level under the true law, power against listed wrong laws.

The full study (200 repetitions) belongs to the slow suite; a small one runs always.
"""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from tests.support.volatile_windows import history_pairs, right_pairs, wrong_pairs
from tsgen.evaluation import (
    ComparisonEffort,
    PairedWindows,
    classifier_test,
    dependence,
    marginal_law,
    memorisation,
    path_functionals,
    proper_scores,
    sensitivity,
    signature_distance,
    temporal_law,
)

# 39 null values: p <= 0.05 has probability exactly 2/40 for exchangeable worlds
EFFORT = ComparisonEffort(null_worlds=39, resamples=10, reference_worlds=1)
SHORT = {"n_units": 40, "n_members": 12, "horizon": 8, "n_assets": 2}


def fast_families(pairs, seed):
    families = (marginal_law, dependence, temporal_law, path_functionals, proper_scores, sensitivity)
    return [result for family in families for result in family(pairs, seed=seed, effort=EFFORT)]


def slow_families(pairs, seed):
    return [
        classifier_test(pairs, seed=seed, effort=EFFORT),
        signature_distance(pairs, seed=seed, effort=EFFORT),
    ]


def rejections(make, families, repetitions, **size):
    counts = Counter()
    for seed in range(repetitions):
        for result in families(make(**(SHORT | size), seed=1000 + seed), seed):
            counts[result.group, result.metric] += result.verdict == "above floor"
    return counts


def check_level(counts, repetitions):
    # two-sided binomial test of each rate, level shared among the metrics: a false alarm in 1000 runs of all
    for name, rejected in counts.items():
        p_value = stats.binomtest(rejected, repetitions, 0.05).pvalue
        assert p_value > 1e-3 / len(counts), f"{name}: {rejected} of {repetitions} rejected under the true law"


@pytest.mark.slow
def test_level_reduced():
    check_level(rejections(right_pairs, fast_families, 40), 40)


@pytest.mark.slow
@pytest.mark.parametrize("make", [right_pairs, history_pairs])
def test_level(make):
    counts = rejections(make, fast_families, 200)
    check_level(counts, 200)
    # all metrics together: rates average to the level; metrics are dependent, so allow for a third of independent ones
    pooled = np.mean([rejected / 200 for rejected in counts.values()])
    assert pooled == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / (200 * len(counts) / 3)) + 0.01)


def unseen_after_training(seed):
    pairs = right_pairs(100, 6, 10, 2, seed=seed)
    unseen = PairedWindows(
        realised=pairs.realised[60:], generated=pairs.generated[60:], assets=pairs.assets, kind="log"
    )
    return memorisation(unseen, pairs.realised[:60].reshape(-1, 2), seed=seed, effort=EFFORT)


@pytest.mark.slow
def test_level_of_memorisation():
    counts = Counter()
    for seed in range(200):
        for result in unseen_after_training(seed):
            counts[result.group, result.metric] += result.verdict == "above floor"
    # no block is ever an exact copy: that metric cannot reject
    assert counts.pop(("memorisation", "exact copies")) == 0
    check_level(counts, 200)


@pytest.mark.slow
def test_level_of_classifier_and_signature():
    check_level(rejections(right_pairs, slow_families, 200), 200)


# fault, metric that must find it, smallest share of 20 repetitions of 150 dates x 15 periods that finds it: the power
# itself is known to 0.1 only
POWER = [
    ("shuffled time", "ACF |r|", 0.7),
    ("thin tail", "KS pooled, in units of the date", 0.9),
    ("thin tail", "tail index lower, in units of the date", 0.5),
    ("broken correlation", "Pearson", 0.95),
    ("broken correlation", "tail dependence lower 5 %", 0.9),
    ("broken correlation", "variogram score", 0.2),
    ("delayed volatility", "slope", 0.5),
    ("frozen volatility", "movement", 0.9),
    ("frozen volatility", "rank of realised volatility, assets", 0.9),
    ("look-ahead", "rank of terminal return, portfolio", 0.95),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted({fault for fault, _, _ in POWER}))
def test_power(fault):
    counts = Counter()
    for seed in range(20):
        pairs = wrong_pairs(fault, n_units=150, n_members=12, horizon=15, n_assets=2, seed=seed)
        for result in fast_families(pairs, seed):
            counts[result.metric] += result.verdict == "above floor"
    for name, metric, power in POWER:
        if name == fault:
            assert counts[metric] >= power * 20, f"{metric} found {fault} in {counts[metric]} of 20 repetitions"


@pytest.mark.parametrize(
    ("fault", "metric"),
    [
        ("broken correlation", "Pearson"),
        ("frozen volatility", "movement"),
        ("thin tail", "KS pooled, in units of the date"),
        ("look-ahead", "rank of terminal return, portfolio"),
    ],
)
def test_power_in_one_case(fault, metric):
    pairs = wrong_pairs(fault, n_units=150, n_members=12, horizon=15, n_assets=2, seed=3)
    verdicts = {result.metric: result.verdict for result in fast_families(pairs, 0)}
    assert verdicts[metric] == "above floor"


def test_look_ahead_is_suspiciously_good():
    pairs = wrong_pairs("look-ahead", seed=0)
    results = {r.metric: r.verdict for r in temporal_law(pairs, seed=0)}
    scores = {r.metric: r.verdict for r in proper_scores(pairs, seed=0)}
    assert results["ACF r"] == "below floor"
    assert scores["energy score"] == "below floor"
