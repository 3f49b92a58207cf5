"""`steer` from end to end on laws whose tilts are known, its refusals, its folder and its resumption."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
import torch

from tests.support.garch_mixture import garch_mixture
from tests.support.gaussian_reference import gaussian_reference
from tsgen import ScenarioSet
from tsgen.errors import CheckpointError, ConfigError, DataError, StorageError
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.block_fan_out import sample_paths
from tsgen.steering import (
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    PathMean,
    RealisedVolatility,
    RiskConstraint,
    SteeringConfig,
    SteeringError,
    SteeringWarning,
    TerminalLoss,
    TerminalReturn,
    load_steered,
    steer,
)

HORIZON = 3
QUICK = SteeringConfig(
    n_steps=4,
    n_paths=1000,
    n_iterations=4,
    n_fit_steps=60,
    batch_rows=2048,
    n_certificate_paths=2000,
    block_size=1000,
)
TOTAL = PathMean(lambda returns: returns[:, :, 0].sum(dim=1))
DEVIATION = 0.01 * np.sqrt(HORIZON)


@pytest.fixture(scope="module")
def gaussian():
    return gaussian_reference(1, deviation=0.01)


@pytest.fixture(scope="module")
def steered(gaussian):
    return steer(gaussian, RiskConstraint(TOTAL, "==", -1.5 * DEVIATION), horizon=HORIZON, config=QUICK)


@pytest.fixture(scope="module")
def stored():
    """A steered generator that can be saved."""
    constraint = RiskConstraint(TerminalReturn("x"), "==", -0.02)
    return steer(garch_mixture(), constraint, horizon=HORIZON, config=QUICK)


def test_a_gaussian_mean_is_steered_to_its_exact_tilt(steered):
    """Tilt of N(0, sd^2): multiplier -1.5 per sd, KL* = 1.125 nats, log Z = 1.125 - 2.25; the bound of 5 sd is far."""
    c = steered.certificate
    (row,) = c.constraints
    assert c.verdict == "ok"
    assert row.multiplier_standardised == pytest.approx(-1.5, abs=0.1)  # 4,000 weighted paths of the last four tapes
    assert row.multiplier == pytest.approx(row.multiplier_standardised / row.unit)
    assert abs(row.unweighted_bias) < 0.1
    assert abs(row.weighted_bias) < 0.1
    assert c.gap < 0.03
    assert c.path_divergence == pytest.approx(1.125, abs=0.15)
    assert c.log_partition == pytest.approx(-1.125, abs=0.1)
    assert c.effective_share > 0.9
    assert c.plain_effective_share < 0.35  # e^(-1.5^2) = 0.11, larger on 1,000 paths


def test_scenarios_carry_probabilities_towards_the_exact_law(steered):
    scenarios = steered.sample(2000, seed=5)
    assert scenarios.horizon == HORIZON
    total = scenarios.returns.sum(axis=(1, 2))
    assert scenarios.weights @ total == pytest.approx(-1.5 * DEVIATION, abs=0.12 * DEVIATION)
    assert scenarios.provenance["verdict"] == "ok"
    assert scenarios.provenance["reference_digest"] == steered.reference.digest()


def test_steered_and_unsteered_share_their_noise(steered):
    reference = steered.reference
    sampler = ConditionalSampler(
        head=reference.head,
        whitening=reference.whitening,
        config=steered.sampler,
        last_share=reference.last_share,
        evaluate_start=reference.evaluate_start,
    )
    plain = sample_paths(sampler, reference.origin, 500, HORIZON, seed=5).double().numpy()
    moved = steered.sample(500, seed=5).returns
    other = steered.sample(500, seed=6).returns
    assert np.corrcoef(plain.ravel(), moved.ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(plain.ravel(), other.ravel())[0, 1]) < 0.15


def test_horizons_prefixes_and_blocks(steered):
    base = steered.sample(30, seed=1)
    assert (steered.sample(20, seed=1).returns == base.returns[:20]).all()
    short, long = steered.sample(30, HORIZON - 1, seed=1), steered.sample(30, HORIZON + 2, seed=1)
    assert (short.returns == base.returns[:, :-1]).all()
    assert (long.returns[:, :HORIZON] == base.returns).all()
    assert (short.weights == base.weights).all()
    assert (long.weights == base.weights).all()


def test_the_same_seed_gives_the_same_steering(gaussian, steered):
    again = steer(gaussian, RiskConstraint(TOTAL, "==", -1.5 * DEVIATION), horizon=HORIZON, config=QUICK)
    assert again.certificate == steered.certificate
    assert (again.sample(10, seed=0).returns == steered.sample(10, seed=0).returns).all()


def test_a_reward_fixes_the_multiplier(gaussian):
    """max E[S] - T KL tilts by 1 / T: the mean moves by variance / T."""
    temperature = DEVIATION
    got = steer(
        gaussian,
        reward=lambda returns: returns[:, :, 0].sum(dim=1),
        temperature=temperature,
        horizon=HORIZON,
        config=QUICK,
    )
    (row,) = got.certificate.constraints
    assert row.multiplier == pytest.approx(1 / temperature)
    assert row.unweighted == pytest.approx(DEVIATION**2 / temperature, abs=0.12 * DEVIATION)
    assert row.unweighted_bias == 0.0
    other = steer(gaussian, reward=TerminalReturn("A0"), temperature=temperature, horizon=HORIZON, config=QUICK)
    assert other.certificate.constraints[0].unweighted == pytest.approx(row.unweighted, rel=0.2)


def test_constraints_the_reference_meets_leave_it_alone(gaussian):
    constraints = [RiskConstraint(TOTAL, ">=", -DEVIATION), RiskConstraint(MaxDrawdown("A0"), "<=", 0.05)]
    got = steer(gaussian, constraints, horizon=HORIZON, config=QUICK)
    assert got.certificate.verdict == "ok"
    assert got.certificate.path_divergence == 0.0
    assert got.policy is None
    assert got.sample(10, seed=0).probabilities is None


@pytest.mark.parametrize(
    ("functional", "relation", "level"),
    [
        (EventProbability(TerminalLoss(of="x", loss=0.03)), "==", 0.4),
        (ExpectedShortfall("x", 0.9), ">=", 0.045),
        pytest.param(ExpectedShortfall("x", 0.9), "<=", 0.025, marks=pytest.mark.slow),
        pytest.param(MaxDrawdown("x"), "==", 0.03, marks=pytest.mark.slow),
        (RealisedVolatility("x"), "<=", 0.007),
        pytest.param(RealisedVolatility("x"), "==", 0.014, marks=pytest.mark.slow),
    ],
)
def test_every_functional_is_met_by_the_weighted_paths(functional, relation, level):
    got = steer(garch_mixture(), RiskConstraint(functional, relation, level), horizon=HORIZON, config=QUICK)
    (row,) = got.certificate.constraints
    assert abs(row.weighted_bias) < 0.2 + 3 * row.weighted_error / row.unit
    assert abs(row.reference - level) > 2 * abs(row.weighted - level)  # the reference is further away
    assert got.certificate.effective_share > got.certificate.plain_effective_share
    own = got.sample(2000, seed=3)
    if not isinstance(functional, ExpectedShortfall):
        assert functional(own) @ own.weights == pytest.approx(level, abs=0.3 * row.unit)


@pytest.mark.parametrize(
    "more",
    [
        {"n_candidates": 3},
        pytest.param({"covariance_correction": True}, marks=pytest.mark.slow),
        pytest.param({"evaluation": "mean_square"}, marks=pytest.mark.slow),
    ],
)
def test_options_keep_the_weights_exact(more):
    config = dataclasses.replace(QUICK, gain_band=None, **more)
    got = steer(garch_mixture(), RiskConstraint(MaxDrawdown("x"), "==", 0.03), horizon=HORIZON, config=config)
    (row,) = got.certificate.constraints
    assert abs(row.weighted_bias) < 0.2 + 3 * row.weighted_error / row.unit
    assert got.certificate.effective_share > 0.4


def test_unbounded_statistics_are_warned_about():
    config = dataclasses.replace(QUICK, bound_deviations=None)
    with pytest.warns(SteeringWarning, match="not bounded"):
        steer(garch_mixture(), RiskConstraint(TerminalReturn("x"), "==", -0.03), horizon=HORIZON, config=config)


def test_what_cannot_be_reached_ends_in_an_error_or_a_failed_verdict(gaussian):
    with pytest.raises(SteeringError, match="cannot be reached"):
        steer(gaussian, RiskConstraint(TOTAL, "==", 1.0), horizon=HORIZON, config=QUICK)
    both = [RiskConstraint(TOTAL, "==", -2 * DEVIATION), RiskConstraint(TerminalReturn("A0"), "==", 2 * DEVIATION)]
    with pytest.warns(SteeringWarning, match="verdict 'failed'"):
        got = steer(gaussian, both, horizon=HORIZON, config=QUICK)
    assert got.certificate.verdict == "failed"
    assert np.isfinite(got.certificate.path_divergence)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to steer to"),
        ({"reward": TOTAL}, "a reward needs a positive temperature"),
        ({"reward": TOTAL, "temperature": -1.0}, "a reward needs a positive temperature"),
        ({"constraints": [RiskConstraint(TOTAL, "==", 0.01)], "reward": TOTAL}, "but not both"),
        ({"constraints": [RiskConstraint(TOTAL, "==", 0.01)], "temperature": 1.0}, "but not both"),
        ({"reward": ExpectedShortfall("A0"), "temperature": 1.0}, "cannot be a reward"),
        ({"constraints": [RiskConstraint(TOTAL, "==", 0.01)], "horizon": 0}, "horizon must be a positive integer"),
        ({"constraints": [RiskConstraint(TOTAL, "==", 0.01)], "seed": -1}, "seed must be a non-negative integer"),
        ({"constraints": [RiskConstraint(TOTAL, "==", 0.01)], "config": {}}, "config must be a SteeringConfig"),
    ],
)
def test_unusable_arguments_are_refused(gaussian, arguments, message):
    with pytest.raises(ConfigError, match=message):
        steer(gaussian, **{"horizon": HORIZON, **arguments})


def test_other_scenario_sources_are_refused(gaussian, steered):
    constraint = RiskConstraint(TOTAL, "==", 0.01)
    with pytest.raises(ConfigError, match="steer needs a generator"):
        steer(object(), constraint, horizon=HORIZON)
    with pytest.raises(ConfigError, match="leave history out"):
        steer(gaussian, constraint, horizon=HORIZON, history=object())
    with pytest.raises(DataError, match="unknown assets"):
        steer(gaussian, RiskConstraint(TerminalReturn("Z"), "==", 0.01), horizon=HORIZON)
    with pytest.raises(ConfigError, match="was steered for the state at"):
        steered.sample(3, seed=0, history=object())
    with pytest.raises(ConfigError, match="n_scenarios must be a positive integer"):
        steered.sample(0, seed=0)
    with pytest.raises(ConfigError, match="horizon must be a positive integer"):
        steered.sample(3, 0, seed=0)


def test_laws_known_for_some_periods_only_limit_the_horizon(gaussian):
    reference = dataclasses.replace(gaussian, elapsed=2)
    object.__setattr__(reference, "whitening", _LimitedWhitening(gaussian.whitening))
    with pytest.raises(ConfigError, match=r"knows its law for 4 periods only: asked for 2 \+ 3"):
        steer(reference, RiskConstraint(TOTAL, "==", 0.01), horizon=HORIZON)


class _LimitedWhitening:
    max_periods = 4

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)


def test_saved_and_loaded_generators_sample_alike(stored, tmp_path):
    stored.save(tmp_path / "s")
    again = load_steered(tmp_path / "s", stored.reference)
    a, b = stored.sample(50, seed=2), again.sample(50, seed=2)
    assert (a.returns == b.returns).all()
    assert (a.weights == b.weights).all()
    assert again.certificate == stored.certificate
    assert again.config == stored.config
    stored.save(tmp_path / "s")  # replaces its own kind


def test_another_reference_and_damage_are_refused(stored, tmp_path):
    folder = tmp_path / "s"
    stored.save(folder)
    other = dataclasses.replace(stored.reference, last_share=0.9)
    with pytest.raises(CheckpointError, match="steers another reference"):
        load_steered(folder, other)
    with pytest.raises(CheckpointError, match=r"steering\.json is missing"):
        load_steered(tmp_path, stored.reference)
    weights = folder / "control.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="does not match its digest"):
        load_steered(folder, stored.reference)
    description = json.loads((folder / "steering.json").read_text())
    (folder / "steering.json").write_text(json.dumps(description | {"schema_version": 99}))
    with pytest.raises(CheckpointError, match="schema version 99"):
        load_steered(folder, stored.reference)
    (folder / "steering.json").write_text("{")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_steered(folder, stored.reference)


def test_saving_keeps_foreign_files_and_refuses_functions(stored, steered, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(StorageError, match=r"mine\.txt"):
        stored.save(tmp_path)
    with pytest.raises(ConfigError, match="cannot be stored"):
        steered.save(tmp_path / "s")


def test_an_interrupted_call_goes_on_with_the_same_result(stored, tmp_path):
    constraint = RiskConstraint(TerminalReturn("x"), "==", -0.02)

    class Interrupted(Exception):
        pass

    def interrupt(event):
        if event.stage == "steering" and event.done == 3:
            raise Interrupted

    folder = tmp_path / "progress"
    with pytest.raises(Interrupted):
        steer(garch_mixture(), constraint, horizon=HORIZON, config=QUICK, resume=folder, progress=interrupt)
    notes = []
    again = steer(garch_mixture(), constraint, horizon=HORIZON, config=QUICK, resume=folder, progress=notes.append)
    steps = [e.done for e in notes if e.stage == "steering"]
    assert min(steps) == 3
    assert "ESS" in notes[0].note
    assert again.certificate == stored.certificate
    assert (again.sample(5, seed=0).returns == stored.sample(5, seed=0).returns).all()
    with pytest.raises(ConfigError, match=r"another steering task \(.*seed.* differ"):
        steer(garch_mixture(), constraint, horizon=HORIZON, config=QUICK, seed=1, resume=folder)
    (folder / "iteration.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is damaged"):
        steer(garch_mixture(), constraint, horizon=HORIZON, config=QUICK, resume=folder)


def test_representations(steered):
    assert "verdict ok" in repr(steered)
    assert "verdict: ok" in steered._repr_html_()
    assert steered.assets == ("A0",)
    assert steered.kind == "simple"
    assert steered.training_cutoff is None


def test_a_function_with_the_wrong_shape_is_refused(gaussian):
    wrong = RiskConstraint(PathMean(lambda r: torch.stack([r.sum(), r.sum()])), "==", 0.1)
    with warnings.catch_warnings(), pytest.raises(DataError, match="must give one number per path"):
        steer(gaussian, wrong, horizon=HORIZON, config=QUICK)


def test_no_path_is_touched_by_saving_probabilities(stored, tmp_path):
    scenarios = stored.sample(40, seed=1)
    scenarios.save(tmp_path / "s.parquet")
    assert (ScenarioSet.load(tmp_path / "s.parquet").weights == scenarios.weights).all()
