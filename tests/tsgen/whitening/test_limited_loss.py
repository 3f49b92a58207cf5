"""The coordinate of simple returns: an exact bijection that leaves ordinary returns alone, wherever it is used."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import tsgen
from tsgen.steering.path_state import after_day, day_of, path_state_at_start
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.steering_reference import reference_of
from tsgen.whitening.limited_loss import LARGEST_LOSS, limited, unlimited
from tsgen.whitening.whitening_protocol import colour

FAST = tsgen.GeneratorConfig.preset("fast")


def test_ordinary_returns_stay_to_the_bit():
    r = torch.tensor([-0.5, -0.1, 0.0, 0.3, 12.0], dtype=torch.float64)
    assert torch.equal(limited(r), r)
    assert torch.equal(unlimited(r), r)


def test_losses_are_half_an_exponential_and_back():
    x = torch.linspace(-6.0, -0.5, 200, dtype=torch.float64)
    r = limited(x)
    torch.testing.assert_close(r, -1.0 + 0.5 * torch.exp(2.0 * x + 1.0), rtol=1e-14, atol=1e-14)
    # 1 + r is known to 1e-16, and is 8e-6 at the far end
    torch.testing.assert_close(unlimited(r), x, rtol=1e-9, atol=0.0)
    assert bool((r.diff() > 0).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_slope_is_continuous_and_nothing_overflows(dtype):
    x = torch.tensor([-1e4, -0.5 - 1e-4, -0.5, -0.4, 1e4], dtype=dtype, requires_grad=True)
    r = limited(x)
    r.sum().backward()
    assert float(r.detach().min()) == -LARGEST_LOSS > -1.0
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), [0.0, 1.0 - 2e-4, 1.0, 1.0, 1.0], atol=2e-6)


def wild_panel(deviation: float = 0.3, *, seed: int = 0) -> tsgen.ReturnPanel:
    """Simple returns of independent log-t(4) prices, 30 % a period: the worst of 600 periods loses 90 %."""
    rng = np.random.default_rng(seed)
    values = np.expm1(deviation / np.sqrt(2.0) * rng.standard_t(4, size=(600, 2)))
    return tsgen.ReturnPanel(
        pd.DataFrame(values, index=pd.bdate_range("2015-01-01", periods=600), columns=["A", "B"]), kind="simple"
    )


@pytest.fixture(scope="module")
def wild() -> tsgen.AdaptedDiffusionGenerator:
    return tsgen.fit_generator(wild_panel(), FAST)


def unbounded(generator):
    """The same numbers, without the bound: what the coordinate is for."""
    return replace(generator, record=replace(generator.record, trained_on="paths"))


def test_no_scenario_loses_everything(wild):
    returns = wild.sample(4_000, 10, seed=1).returns
    without = unbounded(wild).sample(4_000, 10, seed=1).returns
    assert returns.min() > -1.0 > without.min()
    np.testing.assert_array_equal(returns[without >= -0.5], without[without >= -0.5])


def test_the_share_of_large_losses_is_the_data_s(wild):
    recorded, generated = wild_panel().values, wild.sample(4_000, 5, seed=2).returns
    for loss in (0.5, 0.7):
        share = (recorded < -loss).mean()
        # two series of 600 nearly independent periods; clusters of volatility widen it
        assert (generated < -loss).mean() == pytest.approx(share, abs=3.0 * np.sqrt(share / 1_200) * 1.5)


def test_scenarios_are_panels_and_have_moments_to_match(wild):
    scenarios = wild.sample(500, 5, seed=3)
    matched = tsgen.match_moments(scenarios, volatility=0.2)
    assert np.isfinite(matched.returns).all()
    assert matched.returns.min() > -1.0


def test_a_history_is_read_in_the_same_coordinate(wild):
    panel = wild_panel(seed=1)
    last = panel.dates[-1]
    (as_of,) = wild.sample_at(panel, [last], 300, 4, seed=5)
    seed = tsgen.random_streams.dated_seed(5, last.isoformat())
    np.testing.assert_array_equal(as_of, wild.sample(300, 4, history=panel, seed=seed).returns)
    own = wild.sample(300, 4, history=wild_panel(), seed=5).returns
    np.testing.assert_array_equal(own, wild.sample(300, 4, seed=5).returns)  # the end of the training data


def test_panels_without_such_losses_are_as_before():
    panel = wild_panel(0.02)
    generator = tsgen.fit_generator(panel, FAST)
    assert generator.record.limited_losses
    np.testing.assert_array_equal(
        generator.sample(500, 5, seed=1).returns, unbounded(generator).sample(500, 5, seed=1).returns
    )


def test_log_returns_and_paths_of_any_law_have_no_bound():
    logs = wild_panel().to_kind("log")
    assert not tsgen.fit_generator(logs, FAST).record.limited_losses
    draws = tsgen.ScenarioSet(np.random.default_rng(0).normal(size=(300, 4, 1)), assets=["X"], kind="simple")
    generator = tsgen.fit_generator(draws, FAST)
    assert not generator.record.limited_losses
    assert generator.sample(500, 4, seed=0).returns.min() < -1.0


def test_it_survives_storage(wild, tmp_path):
    wild.save(tmp_path / "g")
    again = tsgen.load_generator(tmp_path / "g")
    np.testing.assert_array_equal(again.sample(200, 5, seed=1).returns, wild.sample(200, 5, seed=1).returns)


def test_steering_starts_from_the_same_state_and_feeds_back_the_coordinate(wild):
    reference = reference_of(wild, wild_panel())
    for own, read in zip(wild.origin.state, reference.origin.state, strict=True):
        torch.testing.assert_close(read, own, rtol=0.0, atol=0.0)
    book = PortfolioBook.of([tsgen.TerminalReturn("A")], wild.assets)
    begin = path_state_at_start(reference, book, 1)
    day = day_of(begin, reference, book, period=0, horizon=2, unit=None, foreseen=False)
    crash = torch.full((1, 2), -12.0)
    unbounded_returns = colour(day.prediction, day.corrected(crash))
    assert float(unbounded_returns.max()) < -1.0
    following, returns = after_day(begin, day, crash, reference, book)
    torch.testing.assert_close(returns, limited(unbounded_returns))
    for fed, expected in zip(following.state, wild.whitening.imagine(begin.state, unbounded_returns), strict=True):
        torch.testing.assert_close(fed, expected)


def test_steered_paths_keep_it_too(wild):
    quick = tsgen.SteeringConfig(
        n_steps=4, n_paths=1_000, n_iterations=3, n_fit_steps=60, n_certificate_paths=2_000, block_size=1_000
    )
    weights = {"A": 0.5, "B": 0.5}
    constraint = tsgen.RiskConstraint(tsgen.TerminalReturn(weights), "==", -0.2)
    steered = tsgen.steer(wild, [constraint], horizon=4, seed=0, config=quick, history=wild_panel())
    scenarios = steered.sample(3_000, seed=1)
    assert scenarios.returns.min() > -1.0
    growth = np.prod(1.0 + scenarios.returns, axis=1)
    total = growth @ np.array([0.5, 0.5]) - 1.0
    error = np.sqrt(np.average((total + 0.2) ** 2, weights=scenarios.weights) / 3_000)
    assert np.average(total, weights=scenarios.weights) == pytest.approx(-0.2, abs=6.0 * error)
