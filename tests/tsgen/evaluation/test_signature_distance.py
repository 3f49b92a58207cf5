"""Signature MMD: the estimator against pysiglib's own, scaling, refusals."""

import builtins

import numpy as np
import pytest

from tests.support.volatile_windows import right_pairs, wrong_pairs
from tsgen.errors import ConfigError, DataError
from tsgen.evaluation import PairedWindows, signature_distance
from tsgen.evaluation.signature_distance import cumulated_paths

pysiglib = pytest.importorskip("pysiglib")


def test_agrees_with_the_library():
    pairs = right_pairs(20, 3, 6, 2, seed=0)
    result = signature_distance(pairs, seed=0)
    # equal subset: 20 units and 3 scenarios fit
    paths = cumulated_paths(pairs.scaled_members).reshape(20, 4, 7, 2)
    expected = pysiglib.sig_mmd(
        np.ascontiguousarray(paths[:, 0]),
        np.ascontiguousarray(paths[:, 1:].reshape(60, 7, 2)),
        dyadic_order=0,
        static_kernel=pysiglib.RBFKernel(1.0),
        time_aug=True,
    )
    assert result.value == pytest.approx(float(np.asarray(expected).item()), rel=1e-9)
    assert result.verdict == "at floor"
    # unbiased: zero within the spread of a few
    assert abs(result.floor) < 3 * result.floor_deviation


def test_scale_free():
    pairs = right_pairs(12, 3, 4, 1, seed=0)
    large = PairedWindows(
        realised=100 * pairs.realised, generated=100 * pairs.generated, assets=("A",), kind="log", dates=pairs.dates
    )
    assert signature_distance(large, seed=0).value == pytest.approx(signature_distance(pairs, seed=0).value, rel=1e-9)


def test_broken_correlation_is_seen():
    assert signature_distance(wrong_pairs("broken correlation", 100, 4, 8, 2, seed=1), seed=0).verdict == "above floor"


def test_subset_is_named():
    result = signature_distance(right_pairs(20, 3, 4, 1, seed=0), seed=0, most_paths=40)
    assert result.note == "10 units with 3 scenarios each"
    assert result.n == 10


def test_refusals(monkeypatch):
    pairs = right_pairs(10, 3, 4, 1, seed=0)
    with pytest.raises(ConfigError, match="most_paths must be at least 16"):
        signature_distance(pairs, seed=0, most_paths=8)
    with pytest.raises(DataError, match="a signature distance needs windows of at least 2 periods"):
        signature_distance(right_pairs(10, 3, 1, 1, seed=0), seed=0)
    original = builtins.__import__

    def without(name, *rest, **named):
        if name == "pysiglib":
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match="needs the optional package pysiglib"):
        signature_distance(pairs, seed=0)
