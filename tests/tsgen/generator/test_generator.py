"""Fit, sample, save, load: the public life of a generator."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError

import tsgen
from tsgen.diffusion.mixture_velocity import GaussianMixture
from tsgen.errors import CheckpointError, ConfigError, DataError, StorageError
from tsgen.generator import GeneratorConfig
from tsgen.generator.held_out_choice import choose_on_held_out
from tsgen.generator.storage import description_digest
from tsgen.generator.training_data import training_data
from tsgen.generator.whitened_data import fit_whitening, whitened_rows
from tsgen.marketdata import ReturnPanel
from tsgen.progress import silent
from tsgen.random_streams import dated_seed
from tsgen.sampling.origin import origins_at
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.training.head_selection import HeadConfig, refit_head
from tsgen.training.training_config import TrainingConfig
from tsgen.whitening.whitening_protocol import whiten_paths

FAST = GeneratorConfig.preset("fast")
SMALL = GeneratorConfig(
    head=HeadConfig(n_components=2, contexts=("window",), lookback=4, width=16, n_blocks=1, anchor_is_floor=False),
    training=TrainingConfig(max_steps=60, batch_rows=128, evaluate_every=30),
    sampler=SamplerConfig(n_steps=4, block_size=64),
)


def make_panel(n_dates=420, n_assets=3, seed=0, kind="log"):
    rng = np.random.default_rng(seed)
    values = 0.01 * (rng.standard_t(5, size=(n_dates, n_assets)) + 0.5 * rng.standard_t(5, size=(n_dates, 1)))
    dates = pd.bdate_range("2015-01-01", periods=n_dates)
    return ReturnPanel(pd.DataFrame(values, index=dates, columns=list("ABCDEFG")[:n_assets]), kind=kind)


@pytest.fixture(scope="module")
def panel():
    return make_panel()


@pytest.fixture(scope="module")
def generator(panel):
    return tsgen.fit_generator(panel, SMALL, seed=3)


@pytest.fixture(scope="module")
def path_generator():
    rng = np.random.default_rng(0)
    paths = tsgen.ScenarioSet(np.cumsum(rng.normal(size=(300, 6, 2)), axis=1), assets=["X", "Y"], kind="log")
    return tsgen.fit_generator(paths, FAST)


def test_scenarios_have_the_right_shape_units_and_date(generator, panel):
    scenarios = generator.sample(70, 5, seed=1)
    assert scenarios.returns.shape == (70, 5, 3)
    assert (scenarios.assets, scenarios.kind, scenarios.asof) == (panel.assets, "log", panel.dates[-1])
    assert scenarios.provenance["training_cutoff"] == panel.dates[-1].isoformat()
    # trained on all of the panel: a scenario from the middle of it has seen the end, and says so
    middle = generator.sample(5, 5, seed=1, history=panel.until(panel.dates[300]))
    assert middle.asof == panel.dates[-1]
    assert middle.provenance["history_end"] == panel.dates[300].isoformat()
    early = tsgen.fit_generator(panel.until(panel.dates[299]), FAST)
    assert early.sample(5, 5, seed=1, history=panel.until(panel.dates[300])).asof == panel.dates[300]


def test_same_seed_same_scenarios_whatever_the_number_or_horizon(generator):
    long = generator.sample(130, 7, seed=9).returns
    np.testing.assert_array_equal(generator.sample(3, 7, seed=9).returns, long[:3])
    np.testing.assert_array_equal(generator.sample(130, 2, seed=9).returns, long[:, :2])
    assert not np.array_equal(generator.sample(130, 7, seed=10).returns, long)


def test_same_seed_same_generator(panel, generator):
    again = tsgen.fit_generator(panel, SMALL, seed=3)
    np.testing.assert_array_equal(again.sample(10, 3, seed=0).returns, generator.sample(10, 3, seed=0).returns)


def test_the_default_history_is_the_end_of_the_training_panel(generator, panel):
    np.testing.assert_array_equal(
        generator.sample(10, 3, seed=0).returns, generator.sample(10, 3, seed=0, history=panel).returns
    )


def test_training_data_after_the_cut_change_nothing(panel):
    early = panel.until(panel.dates[350])
    disturbed = panel.returns
    disturbed.iloc[351:] = 0.5 * np.random.default_rng(1).standard_normal(disturbed.iloc[351:].shape)
    other = ReturnPanel(disturbed, kind="log").until(panel.dates[350])
    one, two = tsgen.fit_generator(early, SMALL), tsgen.fit_generator(other, SMALL)
    np.testing.assert_array_equal(one.sample(8, 3, seed=0).returns, two.sample(8, 3, seed=0).returns)


def test_scenarios_as_of_a_date_see_only_the_past(generator, panel):
    date = panel.dates[200]
    disturbed = panel.returns
    disturbed.iloc[201:] *= 50
    other = ReturnPanel(disturbed, kind="log")
    dates = [date]
    (one,) = generator.sample_at(panel, dates, 8, 3, seed=0)
    (two,) = generator.sample_at(other, dates, 8, 3, seed=0)
    np.testing.assert_array_equal(one, two)


def test_one_pass_over_many_dates_equals_separate_calls(generator, panel):
    dates = [panel.dates[i] for i in (0, 3, 100, 101, 419)]
    together = list(generator.sample_at(panel, dates, 6, 2, seed=4))
    for date, paths in zip(dates, together, strict=True):
        seed = dated_seed(4, date.isoformat())
        alone = generator.sample(6, 2, history=panel.until(date), seed=seed).returns
        np.testing.assert_array_equal(paths, alone)


def test_unconditional_paths_start_where_the_training_data_were(generator, panel):
    """First-day volatilities of unconditional paths have the mean and spread of those on training dates."""
    paths = generator.sample(2_000, 1, history="stationary", seed=0)
    later = generator.sample(2_000, 5, history="stationary", seed=0)
    np.testing.assert_array_equal(paths.returns, later.returns[:, :1])
    assert paths.provenance["start"] == "stationary"
    assert paths.asof == panel.dates[-1]
    realised = panel.values[60:].std(axis=0)
    # 2,000 heavy-tailed draws and 360 dates: about 5 % error of a standard deviation each
    np.testing.assert_allclose(paths.returns[:, 0].std(axis=0), realised, rtol=0.25)
    again = generator.sample(700, 1, history="stationary", seed=0)
    np.testing.assert_array_equal(again.returns, paths.returns[:700])
    latest = generator.sample(2_000, 1, seed=0)
    assert not np.array_equal(latest.returns, paths.returns)


def test_paths_trained_from_their_start_have_no_stationary_start(path_generator, generator):
    with pytest.raises(ConfigError, match="no stationary starting state"):
        path_generator.sample(10, 2, history="stationary", seed=0)
    with pytest.raises(ConfigError, match="must be a ReturnPanel or 'stationary'"):
        generator.sample(10, 2, history="latest", seed=0)


def test_history_moves_the_scenarios(generator, panel):
    calm, wild = panel.returns, panel.returns
    calm.iloc[-60:] *= 0.2
    wild.iloc[-60:] *= 3.0
    spread = [generator.sample(200, 5, seed=0, history=ReturnPanel(x, kind="log")).returns.std() for x in (calm, wild)]
    assert spread[1] > 3 * spread[0]


def test_a_path_generator_continues_a_path(path_generator):
    index = pd.bdate_range("2020-01-01", periods=3)
    values = np.array([[5.0, -5.0], [5.1, -5.0], [5.0, -4.9]])
    start = ReturnPanel(pd.DataFrame(values, index=index, columns=["X", "Y"]), kind="log")
    continued = path_generator.sample(2000, 3, history=start, seed=0).returns
    # a random walk stays near its last value: five standard errors of a mean over 2,000 paths, and the fit's own error
    assert continued[:, 0].mean(axis=0) == pytest.approx(start.values[-1], abs=0.4)


def test_asking_beyond_the_training_paths_is_an_error():
    rng = np.random.default_rng(0)
    spreads = np.array([3.0, 1.0, 2.0, 0.5])[None, :, None]  # no law for a fifth period can be inferred
    paths = tsgen.ScenarioSet(np.cumsum(rng.normal(size=(500, 4, 1)) * spreads, axis=1), assets=["X"], kind="log")
    fitted = tsgen.fit_generator(paths, FAST)
    assert fitted.sample(2, 4, seed=0).horizon == 4
    with pytest.raises(ConfigError, match="trained on paths of 4 periods"):
        fitted.sample(2, 5, seed=0)


@pytest.mark.parametrize("which", ["generator", "path_generator"])
def test_a_reloaded_generator_samples_identically(which, request, tmp_path):
    fitted = request.getfixturevalue(which)
    fitted.save(tmp_path / "g")
    loaded = tsgen.load_generator(tmp_path / "g")
    np.testing.assert_array_equal(loaded.sample(70, 4, seed=2).returns, fitted.sample(70, 4, seed=2).returns)
    assert loaded.record == fitted.record
    assert loaded.config == fitted.config
    stochastic = SamplerConfig(scheme="stochastic", n_steps=4, block_size=32)
    np.testing.assert_array_equal(
        loaded.sample(3, 4, seed=2, sampler=stochastic).returns, fitted.sample(3, 4, seed=2, sampler=stochastic).returns
    )


def test_saving_twice_gives_the_same_bytes(generator, tmp_path):
    for name in ("a", "b"):
        generator.save(tmp_path / name)
    for file in ("weights.safetensors", "generator.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def _truncate(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _flip(folder):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF
    path.write_bytes(bytes(content))


def _edit(change, *, sealed=True):
    def damage(folder):
        path = folder / "generator.json"
        description = json.loads(path.read_text())
        change(description)
        if sealed:
            description["description_sha256"] = description_digest(description)
        path.write_text(json.dumps(description))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "does not match the digest"),
        (_flip, "does not match the digest"),
        (lambda f: (f / "weights.safetensors").unlink(), "is incomplete"),
        (lambda f: (f / "generator.json").unlink(), "is not a generator folder"),
        (lambda f: (f / "generator.json").write_text("{"), "is damaged"),
        (_edit(lambda d: d.update(schema_version=99)), "schema version 99"),
        (_edit(lambda d: d["tensors"].pop("head.anchor_means")), "declared or stored, but not both"),
        (_edit(lambda d: d["tensors"]["head.anchor_means"].update(shape=[9])), "has shape"),
        (_edit(lambda d: d["config"]["training"].update(surprise=1)), "does not describe a generator"),
        (_edit(lambda d: d["record"].update(assets=["A"])), "names 1 assets"),
        (_edit(lambda d: d["whitening"].update(kind="pickle")), "does not describe a generator"),
        (_edit(lambda d: d["whitening"]["facts"].update(level_pull=0.1)), "fitted with the settings"),
        (_edit(lambda d: d.pop("weights_sha256")), "does not describe a generator"),
        (_edit(lambda d: d["record"].update(kind="simple"), sealed=False), "does not match its own digest"),
        (_edit(lambda d: d["record"].update(last_share=0.5), sealed=False), "does not match its own digest"),
    ],
)
def test_damaged_folders_are_refused(generator, tmp_path, damage, message):
    generator.save(tmp_path / "g")
    damage(tmp_path / "g")
    with pytest.raises(CheckpointError, match=message):
        tsgen.load_generator(tmp_path / "g")


def test_weights_that_are_not_finite_are_refused(generator, tmp_path):
    from safetensors.torch import load_file, save_file

    from tsgen.complete_files import sha256_of

    generator.save(tmp_path / "g")
    path = tmp_path / "g" / "weights.safetensors"
    tensors = load_file(path)
    tensors["whitening.mean"] = tensors["whitening.mean"] * float("nan")
    save_file(tensors, path)
    _edit(lambda d: d.update(weights_sha256=sha256_of(path)))(tmp_path / "g")
    with pytest.raises(CheckpointError, match="not finite"):
        tsgen.load_generator(tmp_path / "g")


def test_a_full_disk_leaves_the_old_folder(generator, path_generator, tmp_path, monkeypatch):
    generator.save(tmp_path / "g")
    before = (tmp_path / "g" / "generator.json").read_bytes()

    def full(*_args, **_kwargs):
        raise SafetensorError("I/O error: No space left on device (os error 28)")  # what a full disk looks like

    monkeypatch.setattr("tsgen.generator.storage.save_file", full)
    with pytest.raises(StorageError, match="No space left on device"):
        path_generator.save(tmp_path / "g")
    assert (tmp_path / "g" / "generator.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["g"]


def test_saving_never_deletes_other_files(generator, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(StorageError, match=r"not a generator's \(thesis.txt\)"):
        generator.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    generator.save(".")
    assert tsgen.load_generator(tmp_path / "empty").assets == generator.assets


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_scenarios": 0}, "n_scenarios must be a positive integer"),
        ({"horizon": 0}, "horizon must be a positive integer"),
        ({"horizon": 2.0}, "horizon must be a positive integer"),
        ({"seed": -1}, "seed must be a non-negative integer"),
        ({"seed": True}, "seed must be a non-negative integer"),
        ({"n_workers": 0}, "n_workers must be a positive integer"),
        ({"device": None}, "device None is not available"),
        ({"sampler": "stochastic"}, "sampler must be a SamplerConfig"),
        ({"history": 3}, "history must be a ReturnPanel"),
        ({"device": "tpu"}, "device 'tpu' is not available"),
    ],
)
def test_bad_requests_are_refused(generator, arguments, message):
    with pytest.raises(ConfigError, match=message):
        generator.sample(**{"n_scenarios": 2, "horizon": 2, "seed": 0, **arguments})


def test_a_history_that_does_not_fit_is_refused(generator, panel):
    with pytest.raises(DataError, match="history must have the assets"):
        generator.sample(2, 2, seed=0, history=panel.select(["A", "B"]))
    with pytest.raises(DataError, match="simple returns, the generator was trained on log"):
        generator.sample(2, 2, seed=0, history=panel.to_kind("simple"))
    with pytest.raises(DataError, match="as-of dates must increase"):
        list(generator.sample_at(panel, [panel.dates[5], panel.dates[2]], 2, 2, seed=0))
    with pytest.raises(DataError, match="as-of dates must increase"):
        list(generator.sample_at(panel, [pd.Timestamp("1900-01-01")], 2, 2, seed=0))


def test_bad_training_data_are_refused(panel):
    with pytest.raises(DataError, match="200"):
        tsgen.fit_generator(panel.until(panel.dates[150]), FAST)
    with pytest.raises(ConfigError, match="config must be a GeneratorConfig: got str"):
        tsgen.fit_generator(panel, "fast")
    with pytest.raises(ConfigError, match="data must be a ReturnPanel"):
        tsgen.fit_generator(panel.returns, FAST)
    rng = np.random.default_rng(0)
    paths = tsgen.ScenarioSet(rng.normal(size=(150, 3, 1)), assets=["X"], kind="log")
    with pytest.raises(DataError, match="at least 100 of them: got 50"):
        tsgen.fit_generator(tsgen.ScenarioSet(paths.returns[:50], assets=["X"], kind="log"), FAST)
    with pytest.raises(DataError, match="equally likely"):
        tsgen.fit_generator(paths.with_probabilities(np.full(150, 1 / 150)), FAST)
    constant_in_time = np.repeat(rng.normal(size=(500, 1, 1)), 4, axis=1)
    with pytest.raises(DataError, match="period 2 of asset 1 is determined by what came before"):
        tsgen.fit_generator(tsgen.ScenarioSet(constant_in_time, assets=["X"], kind="log"), FAST)
    with pytest.raises(DataError, match="never move"):
        tsgen.fit_generator(tsgen.ScenarioSet(np.zeros((150, 3, 1)), assets=["X"], kind="log"), FAST)


def test_an_asset_that_starts_to_move_late_is_named(panel):
    late = panel.returns
    late.iloc[:380, 1] = 0.0
    with pytest.raises(DataError, match=r"\['B'\] do not move in the first part"):
        tsgen.fit_generator(ReturnPanel(late, kind="log"), FAST)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GeneratorConfig.preset("best"), "unknown preset 'best'"),
        (lambda: GeneratorConfig(whitening="zca"), "whitening must be"),
        (lambda: GeneratorConfig(head={"width": 3}), "head must be a HeadConfig"),
        (lambda: GeneratorConfig(head=HeadConfig(lookback=0)), "lookback must be"),
        (lambda: GeneratorConfig(head=HeadConfig(contexts=("future",))), "contexts must be among"),
        (lambda: GeneratorConfig(head=HeadConfig(contexts=(), anchor_is_floor=False)), "name at least one"),
        (lambda: SamplerConfig(scheme="ddim"), "scheme must be"),
        (lambda: SamplerConfig(n_steps=1), "n_steps must be"),
    ],
)
def test_bad_configs_are_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


@pytest.mark.parametrize("kind", ["simple", "log"])
def test_one_asset_and_both_return_kinds_work(kind):
    fitted = tsgen.fit_generator(make_panel(n_assets=1, kind=kind), FAST)
    assert fitted.sample(4, 3, seed=0).kind == kind
    assert "AdaptedDiffusionGenerator(1 assets" in repr(fitted)
    assert "candidate" in fitted._repr_html_()


def test_paper_preset_is_the_published_model():
    config = GeneratorConfig.preset("paper")
    assert (config.whitening, config.head.activation, config.head.anchor_is_floor) == ("identity", "relu", False)
    assert config.head.n_components == 0
    rng = np.random.default_rng(0)
    paths = tsgen.ScenarioSet(rng.normal(size=(200, 5, 1)), assets=["X"], kind="log")
    small = GeneratorConfig(
        whitening="identity",
        head=HeadConfig(
            n_components=0, contexts=("window",), lookback=2, width=8, activation="relu", anchor_is_floor=False
        ),
        training=TrainingConfig(max_steps=20, evaluate_every=10, batch_rows=64),
    )
    fitted = tsgen.fit_generator(paths, small)
    assert fitted.head.shape.learned
    # its look-back is truncated: the far past has no effect on the next period
    index = pd.bdate_range("2020-01-01", periods=4)
    histories = [
        ReturnPanel(pd.DataFrame([[a], [0.3], [0.1], [0.2]], index=index, columns=["X"]), kind="log")
        for a in (0.0, 9.0)
    ]
    one, two = (fitted.sample(3, 2, seed=0, history=h).returns for h in histories)
    np.testing.assert_array_equal(one, two)


def test_progress_is_reported():
    events = []
    tsgen.fit_generator(make_panel(), SMALL, progress=events.append)
    assert {"whitening", "network, context window", "refit on all data"} <= {e.stage for e in events}
    assert all(0 <= e.done <= e.total for e in events)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_scenarios_to_rounding(generator):
    on_cpu = generator.sample(70, 5, seed=1).returns
    on_gpu = generator.sample(70, 5, seed=1, device="cuda").returns
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "n_dates", [309, 480, 1_200], ids=["without a residual map", "with half of one", "with a whole one"]
)
def test_expected_return_is_the_whitenings_location(n_dates):
    """Half of a drift is shrunk away on purpose: the residual law must not give it back.

    The drift is .3 deviations, so what would come back is .15, thirty standard errors of the mean of 40,000 paths.
    Shocks are skewed, so that the mixture wins: the other anchors have mean zero whatever they are fitted to.
    """
    rng = np.random.default_rng(0)
    shocks = -rng.exponential(size=(n_dates, 3)) - 0.5 * rng.exponential(size=(n_dates, 1))
    shocks = 0.01 * (shocks - shocks.mean(axis=0)) / shocks.std(axis=0) + 0.003
    dates = pd.bdate_range("2015-01-01", periods=n_dates)
    panel = ReturnPanel(pd.DataFrame(shocks, index=dates, columns=list("ABC")), kind="log")
    generator = tsgen.fit_generator(panel, FAST)
    assert isinstance(generator.head.anchor, GaussianMixture)
    assert generator.head.shape.residual == "mixture"
    assert (generator.residual_map is None) == ("residual map" not in repr(generator)) == (n_dates == 309)
    returns = generator.sample(40_000, 1, seed=0).returns[:, 0]
    location = generator.whitening.predict(generator.origin.state).location[0].numpy()
    error = returns.std(axis=0) / 200
    assert (np.abs(returns.mean(axis=0) - location) < 4 * error).all()
    assert (np.abs(returns.mean(axis=0) - 2 * location) > 10 * error).all()


def test_what_competes_has_not_seen_the_validation_part(panel):
    """Whitening, centring and anchor of the contest come from the training part: to the bit, whatever follows it."""
    last = round(0.1 * panel.n_dates)
    disturbed = panel.returns
    disturbed.iloc[-last:] = 1.2 * disturbed.iloc[-last:] + 0.01
    chosen = [
        choose_on_held_out(training_data(p, FAST), FAST, seed=0, device="cpu", progress=silent).selection
        for p in (panel, ReturnPanel(disturbed, kind="log"))
    ]
    one, two = (c.head.state_dict() for c in chosen)
    assert chosen[0].shape == chosen[1].shape
    assert chosen[0].shape.n_components > 0
    assert chosen[0].comparisons != chosen[1].comparisons
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=0)


@pytest.mark.parametrize("copy", [lambda x: x, lambda x: -2.0 * x, lambda x: 0.5 * x + 0.001])
def test_a_series_given_twice_is_refused(panel, copy):
    frame = panel.returns.copy()
    frame["C"] = copy(frame["A"])
    with pytest.raises(DataError, match="A and C are the same series up to scale"):
        tsgen.fit_generator(ReturnPanel(frame, kind="log"), FAST, seed=0)


def test_two_share_classes_are_no_copies_of_each_other(panel):
    frame = panel.returns.copy()
    own = np.random.default_rng(0).standard_normal(len(frame))
    frame["C"] = frame["A"] + 1e-3 * frame["A"].std() * own  # correlation 1 - 5e-7
    assert tsgen.fit_generator(ReturnPanel(frame, kind="log"), FAST, seed=0).assets[-1] == "C"


def test_the_price_spike_of_one_series_is_no_tail_of_the_others(panel):
    values = panel.values.copy()
    values[300, 0] = 1.0
    paths = torch.from_numpy(values)[None]
    whitening = fit_whitening(paths, is_panel=True, config=FAST, family="")
    rows = whitened_rows(whitening, paths, FAST, "cpu").innovations[0, 300].abs()
    mixed = whiten_paths(whitening, paths, whitening.start(1)).innovations[0, 300].abs()
    assert float(mixed[1:].min()) > 6.0  # undoing the correlation hands them a share
    # a share below one half of eight deviations, and what they did themselves
    assert float(rows[1:].max()) < 6.0
    assert float(rows[0]) > 8.0  # it keeps its own
    torch.testing.assert_close(
        whitened_rows(whitening, paths, FAST, "cpu").innovations[0, 301:].double(),
        whiten_paths(whitening, paths, whitening.start(1)).innovations[0, 301:].clamp(-10.0, 10.0),
        rtol=1e-6,
        atol=1e-6,  # rows are stored in single precision
    )


def test_after_a_spike_sampling_sees_the_window_that_training_saw(panel):
    values = panel.values.copy()
    values[300, 0] = 1.0
    paths = torch.from_numpy(values)[None]
    whitening = fit_whitening(paths, is_panel=True, config=SMALL, family="")
    rows = whitened_rows(whitening, paths, SMALL, "cpu")
    lookback = SMALL.head.lookback
    for observed in (301, 303):
        (origin,) = origins_at(whitening, paths[0], [observed], lookback)
        trained = rows.innovations[0, observed - lookback : observed].double()
        torch.testing.assert_close(origin.window[0].clamp(-10.0, 10.0), trained, rtol=1e-6, atol=1e-6)


def test_series_that_are_nearly_the_same_are_two(panel):
    """Two share classes have a correlation of .995, a price rounded to cents one of .999999 with itself."""
    frame = panel.returns.copy()
    frame["C"] = frame["A"] + 0.1 * frame["A"].std() * np.random.default_rng(0).standard_normal(len(frame))
    prices = (100.0 * np.exp(frame["B"].cumsum())).round(2)
    frame["D"] = np.log(prices).diff().fillna(0.0)
    assert training_data(ReturnPanel(frame, kind="log"), FAST).assets == ("A", "B", "C", "D")


def test_the_refit_may_find_another_number_of_features(panel):
    """All dates may confirm one factor more than those before the held-out ones."""
    paths = torch.from_numpy(panel.values.copy())[None]
    rows = whitened_rows(fit_whitening(paths, is_panel=True, config=FAST, family=""), paths, FAST, "cpu")
    everything = torch.arange(60, rows.n_rows)
    chosen = choose_on_held_out(training_data(panel, FAST), FAST, seed=0, device="cpu", progress=silent)
    fewer = chosen.selection._replace(shape=chosen.selection.shape._replace(n_features=1))
    head = refit_head(fewer, rows, everything, FAST.training, seed=0)
    assert head.shape.n_features == rows.features.shape[2] == 3
