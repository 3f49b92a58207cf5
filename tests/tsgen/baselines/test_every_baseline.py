"""What every baseline must satisfy, whatever its model: the promises of `ScenarioGenerator`."""

import subprocess
import sys
from functools import cache

import numpy as np
import pandas as pd
import pytest

from tsgen import ReturnPanel, ScenarioSet
from tsgen.baselines import (
    Arma,
    BlockBootstrap,
    FilteredHistoricalSimulation,
    GarchCcc,
    GaussianProcess,
    IidGaussian,
    Regurgitation,
    ScenarioGenerator,
    StationaryBootstrap,
    StudentTCopula,
    VectorAutoregression,
    load_baseline,
)
from tsgen.baselines.addressed_draws import AddressedDraws
from tsgen.baselines.fitted_baseline import LOWEST_SIMPLE_RETURN
from tsgen.errors import ConfigError, DataError

FITS = {
    "arma": Arma.fit,
    "arma_bootstrap": lambda d: Arma.fit(d, innovations="bootstrap"),
    "block": lambda d: BlockBootstrap.fit(d, block_length=5),
    "moving_block": lambda d: BlockBootstrap.fit(d, circular=False),
    "fhs_ewma": lambda d: FilteredHistoricalSimulation.fit(d, filter="ewma"),
    "fhs_garch": FilteredHistoricalSimulation.fit,
    "fhs_gjr": lambda d: FilteredHistoricalSimulation.fit(d, filter="gjr"),
    "garch_ccc": GarchCcc.fit,
    "garch_dcc": lambda d: GarchCcc.fit(d, correlation="dynamic"),
    "gaussian_process": lambda d: GaussianProcess.fit(d, lags=3),
    "iid_gaussian": IidGaussian.fit,
    "regurgitation": lambda d: Regurgitation.fit(d, max_horizon=50),
    "stationary": StationaryBootstrap.fit,
    "copula": StudentTCopula.fit,
    "copula_empirical": lambda d: StudentTCopula.fit(d, tails="empirical"),
    "var": lambda d: VectorAutoregression.fit(d, order=2),
    "var_bootstrap": lambda d: VectorAutoregression.fit(d, residuals="bootstrap"),
}
ON_PATHS = {
    "arma": Arma.fit,
    "arma_bootstrap": lambda d: Arma.fit(d, innovations="bootstrap"),
    "gaussian_paths": GaussianProcess.fit,
    "gaussian_sample": lambda d: GaussianProcess.fit(d, covariance="sample"),
    "gaussian_stationary": lambda d: GaussianProcess.fit(d, covariance="stationary"),
    "iid_gaussian": IidGaussian.fit,
    "regurgitation": Regurgitation.fit,
    "var": VectorAutoregression.fit,
    "var_bootstrap": lambda d: VectorAutoregression.fit(d, residuals="bootstrap"),
}
CONDITIONAL = {n for n in FITS if n.startswith(("arma", "fhs", "garch", "gaussian", "var"))}
every = pytest.mark.parametrize("name", list(FITS))
every_on_paths = pytest.mark.parametrize("name", list(ON_PATHS))


@pytest.fixture(scope="session")
def fitted(panel):
    return cache(lambda name: FITS[name](panel))


@pytest.fixture(scope="session")
def fitted_on_paths(paths):
    return cache(lambda name: ON_PATHS[name](paths))


def with_last_rows(panel, rows):
    values = panel.returns
    values.iloc[-len(rows) :] = rows
    return ReturnPanel(values, kind=panel.kind)


@every
def test_shapes_names_dates_and_the_protocol(name, fitted, panel):
    baseline = fitted(name)
    scenarios = baseline.sample(7, 4, seed=1)
    assert isinstance(baseline, ScenarioGenerator)
    assert scenarios.returns.shape == (7, 4, 3)
    assert (scenarios.assets, scenarios.kind) == (panel.assets, "log")
    assert scenarios.asof == baseline.training_cutoff == panel.dates[-1]
    assert scenarios.provenance["training_fingerprint"] == panel.fingerprint()
    assert baseline.record.n_observations == panel.n_dates
    assert f"{type(baseline).__name__}(3 assets, log returns, trained to" in repr(baseline)


@every
def test_seeds_horizons_and_numbers_of_scenarios(name, fitted):
    """Same seed, same numbers; a longer or larger set begins with the shorter or smaller one, to the bit."""
    baseline = fitted(name)
    base = baseline.sample(300, 6, seed=1).returns
    assert (base == baseline.sample(300, 6, seed=1).returns).all()
    assert (base == baseline.sample(300, 11, seed=1).returns[:, :6]).all()
    assert (base == baseline.sample(900, 6, seed=1).returns[:300]).all()
    assert (base[:1] == baseline.sample(1, 6, seed=1).returns).all()
    other = baseline.sample(300, 6, seed=2).returns
    assert (base == other).mean() < 0.2
    # blocks of 256 scenarios are not copies of each other
    assert not np.array_equal(base[:44], base[256:])


@every
def test_numbers_of_a_later_period_never_reach_an_earlier_one(name, fitted, monkeypatch):
    baseline = fitted(name)
    usual = baseline.sample(20, 8, seed=3).returns
    draw = AddressedDraws._draw

    def changed(self, purpose, period, make):
        values = draw(self, purpose, period, make)
        return values[::-1].copy() if period >= 4 else values

    monkeypatch.setattr(AddressedDraws, "_draw", changed)
    moved = baseline.sample(20, 8, seed=3).returns
    assert (usual[:, :4] == moved[:, :4]).all()
    # copying and block resampling decide everything at the start of a block
    if not name.startswith(("regurgitation", "moving_block")):
        assert not (usual[:, 4:] == moved[:, 4:]).all()


@every
def test_history_moves_what_has_memory_and_only_the_date_of_the_rest(name, fitted, panel):
    baseline = fitted(name)
    default = baseline.sample(50, 3, seed=5)
    same = baseline.sample(50, 3, history=panel, seed=5)
    # a filter run again over the same rows
    np.testing.assert_allclose(default.returns, same.returns, rtol=1e-9, atol=1e-15)
    stressed = baseline.sample(50, 3, history=with_last_rows(panel, [[-0.08, -0.09, -0.07]] * 2), seed=5)
    assert (not np.allclose(default.returns, stressed.returns)) == (name in CONDITIONAL)
    early = baseline.sample(50, 3, history=panel.until("2011-01-03"), seed=5)
    assert early.asof == pd.Timestamp("2011-01-03")
    assert (not np.allclose(default.returns, early.returns)) == (name in CONDITIONAL)


@every
def test_the_future_of_the_panel_changes_nothing_before_it(name, panel, fitted):
    """Neither fitting up to a date nor conditioning on a history up to it sees what comes after."""
    date = "2011-06-30"
    values = panel.returns
    values.loc[values.index > date] *= -5.0
    changed = ReturnPanel(values, kind="log")
    a, b = (FITS[name](p.until(date)).sample(20, 3, seed=0).returns for p in (panel, changed))
    assert (a == b).all()
    baseline = fitted(name)
    a, b = (baseline.sample(20, 3, history=p.until(date), seed=0).returns for p in (panel, changed))
    assert (a == b).all()
    # the test can fail: fitted to everything, the change is seen
    assert not (FITS[name](changed).sample(20, 3, seed=0).returns == baseline.sample(20, 3, seed=0).returns).all()


@every
def test_a_stored_baseline_samples_the_same_bits(name, fitted, panel, tmp_path):
    baseline = fitted(name)
    baseline.save(tmp_path / "it")
    loaded = load_baseline(tmp_path / "it")
    assert type(loaded) is type(baseline)
    assert loaded.record == baseline.record
    for history in (None, panel.until("2011-01-03")):
        a, b = (g.sample(30, 5, history=history, seed=9) for g in (baseline, loaded))
        assert (a.returns == b.returns).all()
        assert a.asof == b.asof


@every
def test_simple_returns_stay_above_a_total_loss(name, panel):
    simple = FITS[name](panel.to_kind("simple"))
    scenarios = simple.sample(50, 5, seed=0)
    assert scenarios.kind == "simple"
    assert scenarios.returns.min() > -1.0
    assert "n_returns_bounded_at_total_loss" in scenarios.provenance
    with pytest.raises(DataError, match=r"history has log returns, the baseline was trained on simple returns"):
        simple.sample(5, 2, history=panel, seed=0)


def test_the_bound_at_a_total_loss_binds_and_is_counted(panel):
    wild = panel.returns * 40.0
    baseline = IidGaussian.fit(ReturnPanel(wild.clip(lower=-0.99), kind="simple"))
    scenarios = baseline.sample(200, 5, seed=0)
    count = scenarios.provenance["n_returns_bounded_at_total_loss"]
    assert count == (scenarios.returns == LOWEST_SIMPLE_RETURN).sum() > 0
    # paths that are no prices are left as they are
    numbers = ScenarioSet(returns=np.random.default_rng(0).normal(size=(40, 5, 1)), assets=["A"], kind="simple")
    assert IidGaussian.fit(numbers).sample(500, 2, seed=0).returns.min() < -1.0


@every
def test_one_asset(name, panel):
    single = panel.select("A")
    scenarios = FITS[name](single).sample(5, 3, seed=0)
    assert scenarios.returns.shape == (5, 3, 1)


@every
def test_one_row_is_refused(name, panel):
    with pytest.raises(DataError, match=r"at least \d+ dates are needed to .*: got 1"):
        FITS[name](panel.until(panel.dates[0]))


@every
def test_bad_requests(name, fitted, panel):
    baseline = fitted(name)
    for n, h in ((0, 3), (3, 0), (3, -1), (2.5, 3), (True, 3)):
        with pytest.raises(ConfigError, match=r"(n_scenarios|horizon) must be a positive integer"):
            baseline.sample(n, h, seed=0)
    with pytest.raises(ConfigError, match="seed must be a non-negative integer"):
        baseline.sample(3, 3, seed=-1)
    with pytest.raises(DataError, match=r"expected \['A', 'B', 'C'\], got \['A', 'B'\] \(missing \['C'\]\)"):
        baseline.sample(3, 3, history=panel.select(["A", "B"]), seed=0)
    with pytest.raises(DataError, match="assets of the training data in their order"):
        baseline.sample(3, 3, history=panel.select(["B", "A", "C"]), seed=0)
    with pytest.raises(DataError, match="history has simple returns"):
        baseline.sample(3, 3, history=panel.to_kind("simple"), seed=0)
    with pytest.raises(ConfigError, match="history must be a ReturnPanel ending at the as-of date: got DataFrame"):
        baseline.sample(3, 3, history=panel.returns, seed=0)


@every
def test_other_training_data_is_refused(name, panel, paths):
    with pytest.raises(ConfigError, match="got DataFrame"):
        FITS[name](panel.returns)
    if name not in {
        "arma",
        "arma_bootstrap",
        "gaussian_process",
        "iid_gaussian",
        "regurgitation",
        "var",
        "var_bootstrap",
    }:
        with pytest.raises(ConfigError, match="expected a ReturnPanel, got ScenarioSet"):
            FITS[name](paths)


@every
def test_notes_and_arrays_cannot_be_changed(name, fitted):
    baseline = fitted(name)
    assert all(isinstance(note, str) and note for note in baseline.notes)
    arrays = [v for v in vars(baseline).values() if isinstance(v, np.ndarray)]
    assert arrays or name.startswith("copula")
    assert not any(a.flags.writeable for a in arrays)


@every_on_paths
def test_training_on_paths(name, fitted_on_paths, paths, tmp_path):
    baseline = fitted_on_paths(name)
    base = baseline.sample(300, 6, seed=1)
    assert base.returns.shape == (300, 6, 2)
    assert base.asof is None
    assert baseline.record.trained_on == "paths"
    assert (base.returns == baseline.sample(600, 9, seed=1).returns[:300, :6]).all()
    baseline.save(tmp_path / "it")
    assert (load_baseline(tmp_path / "it").sample(300, 6, seed=1).returns == base.returns).all()
    history = ReturnPanel(
        pd.DataFrame(paths.returns[0, :5], columns=["A", "B"], index=pd.bdate_range("2020-01-01", periods=5)),
        kind="log",
    )
    assert baseline.sample(10, 3, history=history, seed=0).asof == history.dates[-1]


@every_on_paths
def test_first_period_of_paths_has_the_law_of_the_training_paths(name, fitted_on_paths, paths):
    """Mean and standard deviation of periods 1 and 6; z below 5 of both Monte Carlo errors."""
    sampled = fitted_on_paths(name).sample(4000, 6, seed=2).returns[:, [0, 5]]
    real = paths.returns[:, [0, 5]]
    z = (sampled.mean(0) - real.mean(0)) / np.sqrt(sampled.var(0) / 4000 + real.var(0) / 300)
    assert np.abs(z).max() < 5.0
    # relative standard error of a Gaussian variance: sqrt(2 / n)
    z = np.log(sampled.var(0) / real.var(0)) / np.sqrt(2 / 4000 + 2 / 300)
    assert np.abs(z).max() < 5.0


def test_orders_of_zero(panel, paths):
    for data in (panel, paths):
        baseline = Arma.fit(data, max_p=0, max_q=0)
        np.testing.assert_allclose(baseline.covariance, IidGaussian.fit(data).covariance, rtol=0.1, atol=1e-6)
        assert baseline.sample(5, 3, seed=0).horizon == 3
        assert VectorAutoregression.fit(data, order=0).sample(5, 3, seed=0).horizon == 3
    assert GaussianProcess.fit(panel, lags=1).sample(5, 3, history=panel.until(panel.dates[0]), seed=0).horizon == 3


def test_bad_paths(paths):
    weighted = paths.with_probabilities(np.arange(1, 301) / np.arange(1, 301).sum())
    with pytest.raises(ConfigError, match="training paths must be equally likely"):
        IidGaussian.fit(weighted)
    with pytest.raises(ConfigError, match=r"must be a ReturnPanel .* or a ScenarioSet"):
        IidGaussian.fit(paths.returns)
    small = ScenarioSet(returns=paths.returns[:1, :2], assets=["A", "B"], kind="log")
    with pytest.raises(DataError, match=r"at least 4 rows \(paths times periods\) .* got 2"):
        IidGaussian.fit(small)
    still = paths.returns.copy()
    still[:, :, 1] = 0.01
    with pytest.raises(DataError, match=r"every asset must move .* B is constant"):
        IidGaussian.fit(ScenarioSet(returns=still, assets=["A", "B"], kind="log"))


@pytest.mark.parametrize("name", ["garch_ccc", "var", "gaussian_process"])
def test_identical_assets_are_named(name, panel):
    values = panel.returns
    values["C"] = values["A"]
    with pytest.raises(DataError, match=r"most alike are A and C \(correlation 1\.000000\)"):
        FITS[name](ReturnPanel(values, kind="log"))


def test_a_settings_array_that_is_not_finite_is_refused(fitted):
    baseline = fitted("iid_gaussian")
    with pytest.raises(DataError, match="mean of a baseline must be finite: 3 entries are not"):
        IidGaussian(record=baseline.record, mean=np.full(3, np.nan), covariance=baseline.covariance)


def test_import_without_torch():
    code = "import sys, tsgen.baselines; sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
