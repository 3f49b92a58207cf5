"""The hand-off type: validation, conversions, storage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsgen import ScenarioSet
from tsgen.errors import ConfigError, DataError, ShapeError, StorageError
from tsgen.return_kind import check_kind, convert_returns


def make(n=6, horizon=4, n_assets=2, **fields):
    values = 0.05 * np.random.default_rng(0).normal(size=(n, horizon, n_assets))
    return ScenarioSet(returns=values, assets=["A", "B", "C"][:n_assets], kind=fields.pop("kind", "log"), **fields)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"returns": np.zeros((3, 2))}, ShapeError, r"axes \(scenario, time, asset\)"),
        ({"returns": np.zeros((0, 2, 1))}, ShapeError, "none of them empty"),
        ({"returns": [[[np.nan]], [[0.0]]]}, DataError, "scenario 0, time 0, asset 0"),
        ({"returns": [[[np.inf]], [[0.0]]]}, DataError, "must be finite: 1 values"),
        ({"assets": ["A", "B"]}, ShapeError, "expected 1 names, got 2"),
        ({"returns": np.zeros((2, 1, 2)), "assets": ["A", "A"]}, DataError, r"\['A'\] occur more than once"),
        ({"kind": "percent"}, ConfigError, "kind must be 'simple' or 'log'"),
        ({"probabilities": [0.5]}, ShapeError, "one entry per scenario"),
        ({"probabilities": [0.5, 0.6]}, DataError, "must sum to 1: got 1.1"),
        ({"probabilities": [1.5, -0.5]}, DataError, "non-negative"),
        ({"probabilities": [np.nan, 1.0]}, DataError, "1 are not finite"),
    ],
)
def test_bad_input_is_refused(fields, error, message):
    with pytest.raises(error, match=message):
        ScenarioSet(**{"returns": [[[0.0]], [[0.1]]], "assets": ["A"], "kind": "log", **fields})


def test_values_cannot_be_changed_from_outside():
    values = np.zeros((2, 1, 1))
    scenarios = ScenarioSet(returns=values, assets=["A"], kind="log")
    values[0] = 1.0
    assert scenarios.returns[0, 0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        scenarios.returns[0] = 1.0


def test_growth_agrees_between_kinds():
    log = make()
    simple = log.to_kind("simple")
    np.testing.assert_allclose(simple.growth(), log.growth(), rtol=1e-13)
    np.testing.assert_allclose(simple.to_kind("log").returns, log.returns, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(log.horizon_returns(), np.exp(log.returns.sum(axis=1)) - 1, rtol=1e-12)


def test_a_total_loss_has_no_logarithm():
    with pytest.raises(DataError, match="above -1"):
        convert_returns(np.array([-1.0]), from_kind="simple", to_kind="log")
    assert check_kind("log") == "log"


def test_effective_number_of_scenarios():
    assert make().effective_number == pytest.approx(6)
    assert make(probabilities=[0.5, 0.5, 0, 0, 0, 0]).effective_number == pytest.approx(2)
    assert make(probabilities=[1.0, 0, 0, 0, 0, 0]).with_probabilities(None).probabilities is None


def test_quantile_paths_use_probabilities():
    one = ScenarioSet([[[0.0]], [[0.1]], [[0.2]]], ["A"], "simple", probabilities=[0.1, 0.1, 0.8])
    assert one.quantile_paths([0.5]).iloc[0, 0] == pytest.approx(0.2)
    assert one.with_probabilities(None).quantile_paths([0.5], asset="A").iloc[0, 0] == pytest.approx(0.1)
    with pytest.raises(DataError, match="unknown asset 'Z'"):
        one.quantile_paths([0.5], asset="Z")


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_storage_round_trip_is_exact(tmp_path_factory, n, horizon, n_assets, weighted, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, horizon, n_assets)) * 10.0 ** rng.integers(-12, 3)
    p = rng.random(n) + 0.1
    original = ScenarioSet(
        values,
        [f"a<{i}>" for i in range(n_assets)],
        "simple",
        probabilities=p / p.sum() if weighted else None,
        asof="2020-01-02",
        provenance={"seed": seed},
    )
    path = tmp_path_factory.mktemp("s") / "scenarios.parquet"
    original.save(path)
    loaded = ScenarioSet.load(path)
    np.testing.assert_array_equal(loaded.returns, original.returns)
    assert (loaded.assets, loaded.kind, loaded.asof, loaded.provenance) == (
        original.assets,
        original.kind,
        original.asof,
        original.provenance,
    )
    if weighted:
        np.testing.assert_array_equal(loaded.probabilities, original.probabilities)
    else:
        assert loaded.probabilities is None


def test_damaged_files_are_refused(tmp_path):
    make(n=200).save(tmp_path / "s.parquet")
    content = bytearray((tmp_path / "s.parquet").read_bytes())
    (tmp_path / "short.parquet").write_bytes(content[: len(content) // 2])
    content[len(content) // 3] ^= 0xFF
    (tmp_path / "flipped.parquet").write_bytes(content)
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "foreign.parquet")
    for name in ("short", "flipped", "foreign", "missing"):
        with pytest.raises(StorageError, match="not a complete scenario file"):
            ScenarioSet.load(tmp_path / f"{name}.parquet")


def test_asset_names_cannot_inject_html():
    scenarios = ScenarioSet([[[0.0]], [[0.1]]], ["<script>"], "log", asof="2020-01-01")
    assert "<script>" not in scenarios._repr_html_()
    assert "as of 2020-01-01" in repr(scenarios)
    assert "effective number 1" in repr(scenarios.with_probabilities([1.0, 0.0]))
    assert scenarios.to_frame().index.names == ["scenario", "period"]
