"""The steered chain: the reference to the bit without control, adapted with it, and with exact density ratios."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.garch_mixture import garch_mixture
from tests.support.gaussian_reference import gaussian_reference
from tsgen import ScenarioSet
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.block_fan_out import sample_paths
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.steering import PathMean, TerminalReturn, control_policy, controlled_chain
from tsgen.steering.bound_statistic import BoundedMean
from tsgen.steering.control_policy import ControlPolicy
from tsgen.steering.controlled_chain import ControlledChain, simulate_block
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.value_network import ValueNetwork

HORIZON, STEPS = 4, 6
N_NODES = STEPS + 1


def statistic(unit=0.02):
    return BoundedMean(title="", relation="==", level=-unit, centre=0.0, unit=unit, lower=-5 * unit, upper=5 * unit)


def chain_of(reference, *, block_size=64, functional=None, n_candidates=1):
    functional = TerminalReturn(reference.assets[0]) if functional is None else functional
    book = PortfolioBook.of([functional], reference.assets)
    return ControlledChain(
        reference=reference,
        book=book,
        horizon=HORIZON,
        n_steps=STEPS,
        block_size=block_size,
        n_candidates=n_candidates,
    )


def policy_of(chain, *, multiplier=-1.0, curved=False):
    tape = simulate_block(chain, None, n_periods=HORIZON, seed=9, purpose="features", block=0, record=True)
    network = ValueNetwork.initialised(tape.features.flatten(0, 1), 8, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # any value function will do: weights must be exact for all of them
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return ControlPolicy(
        statistics=(statistic(),),
        multipliers=(multiplier,),
        network=network.requires_grad_(False),
        level_gains=torch.ones(N_NODES),
        gains=(1.0,),
        curved=curved,
    )


def run(chain, policy, *, n_periods=HORIZON, block=0, seed=0, **more):
    return simulate_block(chain, policy, n_periods=n_periods, seed=seed, purpose="scenarios", block=block, **more)


@pytest.mark.parametrize("evaluate_start", [False, True])
def test_without_control_the_paths_are_the_generators_to_the_bit(evaluate_start):
    reference = replace(garch_mixture(), evaluate_start=evaluate_start)
    sampler = ConditionalSampler(
        head=reference.head,
        whitening=reference.whitening,
        config=SamplerConfig(scheme="stochastic", n_steps=STEPS, block_size=64),
        last_share=reference.last_share,
        evaluate_start=evaluate_start,
    )
    expected = sample_paths(sampler, reference.origin, 100, HORIZON, seed=3)
    tape = simulate_paths(chain_of(reference), None, 100, n_periods=HORIZON, seed=3, purpose="scenarios")
    assert torch.equal(tape.returns, expected)
    assert float(tape.log_ratio.abs().max()) == 0.0


def test_a_control_of_zero_costs_nothing_and_weighs_nothing():
    """A6: weights 1 and divergence 0, exactly; the paths are the reference's up to rounding."""
    chain = chain_of(garch_mixture())
    policy = policy_of(chain, multiplier=0.0)
    still = replace(policy, level_gains=torch.zeros(N_NODES))
    steered, plain = run(chain, still), run(chain, None)
    assert float(steered.log_ratio.abs().max()) == 0.0
    assert float(steered.spent.max()) == 0.0
    torch.testing.assert_close(steered.returns, plain.returns, rtol=0, atol=1e-7)
    assert float(run(chain, policy).spent.min()) > 0.0


@pytest.mark.parametrize(("bent", "agrees"), [(False, True), (True, False)])
def test_kept_slopes_are_exact_for_a_linear_value_of_gaussian_paths(monkeypatch, bent, agrees):
    """There the slope stays as the period begins and the estimate moves by the cosine: what kept slopes assume."""
    chain = replace(chain_of(gaussian_reference(2)), n_steps=12)
    policy = replace(policy_of(chain), level_gains=torch.ones(13))
    if not bent:
        with torch.no_grad():
            for parameter in policy.network.parameters():
                parameter.zero_()
    quick = run(chain, policy)
    monkeypatch.setattr(control_policy, "_finds_slope", lambda cosine, left: True)
    slow = run(chain, policy)
    # single precision and difference quotients with a relative error of 1e-4 on shifts that sum to about 2
    assert (float((quick.log_ratio - slow.log_ratio).abs().max()) < 2e-3) == agrees


@pytest.mark.parametrize("n_candidates", [1, 3])
def test_later_noise_cannot_move_earlier_periods(monkeypatch, n_candidates):
    """A5, bit for bit, also of the weights' increments."""
    chain = chain_of(garch_mixture(), n_candidates=n_candidates)
    policy = policy_of(chain)
    before = run(chain, policy)
    genuine = controlled_chain.addressed_normals

    def disturbed(key, *, block, period, shape):
        return genuine(key, block=block, period=period, shape=shape) + (100.0 if period >= 2 else 0.0)

    monkeypatch.setattr(controlled_chain, "addressed_normals", disturbed)
    after = run(chain, policy)
    assert torch.equal(before.returns[:, :2], after.returns[:, :2])
    assert not torch.equal(before.returns[:, 2:], after.returns[:, 2:])


def test_blocks_prefixes_and_workers_do_not_matter():
    chain = chain_of(garch_mixture())
    policy = policy_of(chain)

    def paths(n, **more):
        return simulate_paths(chain, policy, n, n_periods=more.pop("n_periods", HORIZON), seed=1, purpose="s", **more)

    full = paths(150)
    assert torch.equal(paths(20).returns, full.returns[:20])
    alone = simulate_block(chain, policy, n_periods=HORIZON, seed=1, purpose="s", block=1)
    assert torch.equal(alone.returns, full.returns[64:128])
    longer = paths(20, n_periods=HORIZON + 2)
    assert torch.equal(longer.returns[:, :HORIZON], full.returns[:20])
    assert torch.equal(longer.log_ratio, full.log_ratio[:20])  # no control beyond the horizon


@pytest.mark.slow
def test_workers_make_the_same_paths():
    chain = chain_of(garch_mixture())
    policy = policy_of(chain)
    one, two = (simulate_paths(chain, policy, 150, n_periods=HORIZON, seed=1, purpose="s", n_workers=n) for n in (1, 2))
    assert torch.equal(one.returns, two.returns)


@pytest.mark.parametrize(("curved", "n_candidates"), [(False, 1), (True, 1), (False, 3)])
def test_density_ratios_bring_the_reference_back(curved, n_candidates):
    """E_u[dp/dq] = 1 and E_u[g dp/dq] = E_p[g], for a control that is far from any optimum."""
    chain = chain_of(garch_mixture(), block_size=20_000, n_candidates=n_candidates)
    policy = policy_of(chain, curved=curved)
    steered, plain = run(chain, policy, seed=1), run(chain, None, seed=2)
    functional = TerminalReturn("x")
    values, reference = (
        functional(ScenarioSet.from_tensor(t.returns, assets=["x"], kind="log")) for t in (steered, plain)
    )
    ratio = np.exp(steered.log_ratio.numpy())
    n = len(ratio)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(n)
    error = np.hypot((ratio * values).std(), reference.std()) / np.sqrt(n)
    assert abs((ratio * values).mean() - reference.mean()) < 4 * error
    assert abs(values.mean() - reference.mean()) > 8 * error  # without the ratios the test fails


@pytest.mark.parametrize("curved", [False, True])
def test_observed_paths_are_the_references_with_the_other_side_of_the_ratio(curved):
    """E_p[dq/dp] = 1, and E_p[g dq/dp] = E_q[g], on paths of the reference to the bit."""
    chain = chain_of(garch_mixture(), block_size=20_000)
    policy = policy_of(chain, curved=curved)
    observed, plain, steered = run(chain, policy, seed=1, observed=True), run(chain, None, seed=1), run(chain, policy)
    torch.testing.assert_close(observed.returns, plain.returns, rtol=0, atol=1e-7)
    assert float(observed.spent.max()) == 0.0
    functional = TerminalReturn("x")
    values, drawn = (
        functional(ScenarioSet.from_tensor(t.returns, assets=["x"], kind="log")) for t in (observed, steered)
    )
    ratio = np.exp(-observed.log_ratio.numpy())
    n = len(ratio)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(n)
    error = np.hypot((ratio * values).std(), drawn.std()) / np.sqrt(n)
    assert abs((ratio * values).mean() - drawn.mean()) < 4 * error
    assert abs(values.mean() - drawn.mean()) > 8 * error  # without the ratios the test fails


def test_observation_ignores_candidates():
    chain = chain_of(garch_mixture())
    policy = policy_of(chain)
    several = replace(chain, n_candidates=3)
    assert torch.equal(run(several, policy, observed=True).log_ratio, run(chain, policy, observed=True).log_ratio)


def test_the_divergence_is_the_mean_of_the_log_ratio():
    chain = chain_of(garch_mixture(), block_size=20_000)
    for curved in (False, True):
        tape = run(chain, policy_of(chain, curved=curved), seed=4)
        difference = (tape.spent + tape.log_ratio).numpy()
        assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))
        assert float(tape.spent.mean()) > 0.05


def test_a_linear_reward_of_a_gaussian_law_is_steered_exactly_by_the_base_alone():
    """V is linear, so the control is constant and the steered law is the tilt: mean shift, divergence, weights."""
    reference = gaussian_reference(1, deviation=0.01)
    functional = PathMean(lambda r: r[:, :, 0].sum(dim=1))
    chain = chain_of(reference, functional=functional, block_size=4000)
    tape = simulate_block(chain, None, n_periods=HORIZON, seed=0, purpose="f", block=0, record=True)
    network = ValueNetwork.initialised(tape.features.flatten(0, 1), 4, seed=0).requires_grad_(False)
    unit = 0.02  # exactly the deviation of the sum of four
    far = BoundedMean(title="", relation="==", level=0.0, centre=0.0, unit=unit, lower=-10.0, upper=10.0)
    policy = ControlPolicy(
        statistics=(far,), multipliers=(-1.5,), network=network, level_gains=torch.ones(N_NODES), gains=(1.0,)
    )
    steered = run(chain, policy)
    total = steered.returns.double().sum(dim=(1, 2)).numpy()
    # tilt of N(0, unit^2) by -1.5 standardised units: mean -1.5 units, KL 1.125, weights constant
    np.testing.assert_allclose(steered.spent.numpy(), 1.125, rtol=1e-3)  # single precision; slopes by differences
    assert abs(total.mean() + 1.5 * unit) < 4 * unit / np.sqrt(4000)
    log_weight = steered.log_ratio.numpy() - 1.5 * total / unit
    assert log_weight.std() < 3e-3
    assert log_weight.mean() == pytest.approx(1.125, abs=3e-3)


def test_shifts_are_limited_and_counted():
    chain = chain_of(garch_mixture())
    policy = replace(policy_of(chain, multiplier=-5.0), limit=0.05)
    tape = run(chain, policy)
    assert float(tape.largest_shift.max()) == pytest.approx(0.05, rel=1e-4)
    assert float(tape.clipped.mean()) > 0.1
    assert float(run(chain, replace(policy, limit=50.0)).clipped.max()) == 0.0


def test_the_record_adds_up():
    chain = chain_of(garch_mixture())
    tape = run(chain, policy_of(chain), record=True)
    assert tape.features.shape[:2] == (64, HORIZON * N_NODES)
    torch.testing.assert_close(tape.increments.double().sum(dim=1), tape.log_ratio, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(0.5 * tape.shift_square.double().sum(dim=1), tape.spent, rtol=1e-5, atol=1e-6)
