"""Running statistics against the functionals, forecasts against the whitening, slopes against automatic gradients."""

import numpy as np
import pytest
import torch

from tests.support.garch_mixture import garch_mixture
from tests.support.gaussian_reference import gaussian_reference
from tsgen import ScenarioSet
from tsgen.steering import (
    BarrierHit,
    DrawdownBeyond,
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    PathMean,
    RealisedVolatility,
    TerminalLoss,
    TerminalReturn,
)
from tsgen.steering.bound_statistic import BoundedMean, EventIndicator, TailExcess
from tsgen.steering.control_policy import ControlPolicy, Transition
from tsgen.steering.look_ahead import foresee
from tsgen.steering.path_state import after_day, day_of, path_state_at_start
from tsgen.steering.period_outlook import deviation_after, following_period, portfolio_forecast
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.running_statistics import grown, realised, statistics_at_start
from tsgen.steering.value_network import ValueNetwork
from tsgen.steering.value_slope import value_slope
from tsgen.whitening import volatility
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import as_dtype

HORIZON = 4


@pytest.mark.parametrize("kind", ["simple", "log"])
def test_running_statistics_end_where_the_functionals_do(kind):
    rng = np.random.default_rng(0)
    returns = 0.05 * rng.standard_normal((200, 9, 3))
    weights = [0.5, -0.2, 0.4]
    scenarios = ScenarioSet(returns, assets=["A", "B", "C"], kind=kind)
    running, growth = statistics_at_start(200, 1), torch.ones(200, 3)
    w = torch.tensor([weights], dtype=torch.float32)
    for t in range(9):
        growth = grown(growth, torch.tensor(returns[:, t], dtype=torch.float32), kind)
        running = realised(running, growth, w)
    pairs = [
        (running.wealth[:, 0] - 1, TerminalReturn(weights)),
        (running.drawdown[:, 0], MaxDrawdown(weights)),
        ((running.squares[:, 0] / 9).sqrt(), RealisedVolatility(weights)),
    ]
    for got, functional in pairs:  # single precision, nine additions of numbers near one
        np.testing.assert_allclose(got.numpy(), functional(scenarios), atol=3e-6)


def test_the_forecast_is_the_law_of_the_next_portfolio_return():
    reference = gaussian_reference(3, mean=0.002, deviation=np.array([0.01, 0.02, 0.03]))
    book = PortfolioBook.of([TerminalReturn([0.5, -0.2, 0.4])], reference.assets)
    paths = path_state_at_start(reference, book, 2)
    day = day_of(paths, reference, book, period=0, horizon=HORIZON, unit=None, foreseen=True)
    assert float(day.forecast.location[0, 0]) == pytest.approx(0.7 * 0.002, rel=1e-5)
    assert float(day.forecast.deviation[0, 0]) == pytest.approx(np.sqrt(0.005**2 + 0.004**2 + 0.012**2), rel=1e-5)


def test_the_volatility_after_a_shock_follows_the_filter():
    reference = garch_mixture()
    whitening = reference.whitening
    state = (torch.tensor([[0.3, 1.2]], dtype=torch.float32).expand(6, 2).clone(),)
    prediction = whitening.predict(state)
    one = torch.ones(6, 1)
    outlook = following_period(whitening, state, prediction, one, one, weights=one[:1])
    shocks = torch.tensor([[-2.0], [2.0], [-3.0], [3.0], [-1.0], [1.0]])
    after = whitening.predict(whitening.imagine(state, prediction.location + prediction.scale * shocks))
    exact = portfolio_forecast(after, one, one, one[:1]).deviation
    got = deviation_after(outlook, shocks, sine=0.0)
    # where it is fitted; the two sides share one level, which costs a thousandth when they differ
    torch.testing.assert_close(got[:2], exact[:2], rtol=2e-3, atol=0)
    assert float((got / exact - 1).abs().max()) < 0.05  # a parabola under a root, seen as two straight lines
    still = deviation_after(outlook, torch.zeros(6, 1), sine=0.0)
    assert float((still / exact[:1] - 1).abs().min()) > 0.05  # the test would see a forecast that ignores the shock


def test_the_look_ahead_takes_the_correlation_as_it_is_today(monkeypatch):
    rng = np.random.default_rng(0)
    whitening = fit_volatility(0.01 * (rng.standard_normal((400, 1)) + rng.standard_normal((400, 4))))
    state = as_dtype(whitening.hold(whitening.start(1), 3), torch.float32)
    prediction, growth, wealth = whitening.predict(state), torch.ones(3, 4), torch.ones(3, 1)
    moving = following_period(whitening, state, prediction, growth, wealth, weights=growth[:1] / 4)
    after = whitening.imagine(state, prediction.location + 2.0 * prediction.scale)
    assert float((after[-2] - state[-2]).min()) > 0.1  # variance along the direction would move
    monkeypatch.setattr(volatility, "DIRECTION_DECAY", 1.0)
    monkeypatch.setattr(volatility, "DISPERSION_DECAY", 1.0)
    held = following_period(whitening, state, prediction, growth, wealth, weights=growth[:1] / 4)
    for one, two in zip(moving, held, strict=True):
        torch.testing.assert_close(one, two)


def policies():
    mean = {"title": "", "relation": "==", "level": 0.02, "centre": 0.0, "unit": 0.05, "lower": -0.3, "upper": 0.3}
    event = {"title": "", "relation": "==", "level": 0.3}
    tail = {
        "title": "", "relation": ">=", "level": 0.05, "confidence": 0.9, "unit": 0.05, "lower": -0.3, "upper": 0.3,
        "threshold": 0.02, "raising": True,
    }  # fmt: skip
    weights = {"A0": 0.6, "A1": 0.6}
    return [
        (TerminalReturn(weights), BoundedMean(**mean)),
        (RealisedVolatility(weights), BoundedMean(**mean)),
        (MaxDrawdown("A1"), BoundedMean(**mean)),
        (ExpectedShortfall(weights, 0.9), TailExcess(**tail)),
        (EventProbability(TerminalLoss(of=weights, loss=0.02)), EventIndicator(**event)),
        (EventProbability(BarrierHit(of="A0", barrier=-0.03)), EventIndicator(**event)),
        (EventProbability(BarrierHit(of="A0", barrier=0.03)), EventIndicator(**event)),
        (EventProbability(DrawdownBeyond(of="A0", depth=0.04)), EventIndicator(**event)),
        (PathMean(lambda r: (r[:, :, 0] * r[:, :, 1]).sum(dim=1) + r.mean(dim=(1, 2))), BoundedMean(**mean)),
    ]


@pytest.mark.parametrize("cosine", [0.0, 0.6, 1.0])
def test_the_slope_of_the_value_is_its_gradient(cosine):
    """Closed-form slopes against automatic differentiation through every feature, all functionals at once."""
    reference = gaussian_reference(2, deviation=np.array([0.01, 0.03]), kind="log")
    functionals, statistics = zip(*policies(), strict=True)
    book = PortfolioBook.of(functionals, reference.assets)
    generator = torch.Generator().manual_seed(0)
    paths = path_state_at_start(reference, book, 64)
    day = day_of(paths, reference, book, period=0, horizon=HORIZON, unit=None, foreseen=True)
    unit = day.unit
    paths, _ = after_day(paths, day, torch.randn(64, 2, generator=generator), reference, book)
    day = day_of(paths, reference, book, period=1, horizon=HORIZON, unit=unit, foreseen=True)
    clean = torch.randn(64, 2, generator=generator)
    sine = (1.0 - cosine**2) ** 0.5
    features = foresee(clean, day, book, cosine=cosine, sine=sine, share=0.5).features
    network = ValueNetwork.initialised(features, 8, seed=0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    policy = ControlPolicy(
        statistics=statistics,
        multipliers=tuple(0.3 + 0.1 * j for j in range(len(statistics))),
        network=network.requires_grad_(False),
        level_gains=torch.ones(3),
        gains=(1.0,) * len(statistics),
    )
    at = Transition(1, cosine, sine, 0.5, -0.3, 0.1, 0.8, 0.7, 0, False, 0)
    found = value_slope(policy, book, day, clean, at, 0.5)
    leaf = clean.clone().requires_grad_(True)
    value = policy.value(foresee(leaf, day, book, cosine=cosine, sine=sine, share=0.5))
    (expected,) = torch.autograd.grad(value.sum(), leaf)
    torch.testing.assert_close(found.clean, expected, rtol=2e-4, atol=2e-5)  # single precision, sums of 30 terms


@pytest.mark.parametrize("event", [BarrierHit(of="A0", barrier=-0.03), DrawdownBeyond(of="A0", depth=0.03)])
def test_features_of_an_event_go_on_smoothly_to_where_it_happens(event):
    """Up to the barrier the slope stays that of the distance; log odds of the probability itself would run away."""
    reference = gaussian_reference(1)
    book = PortfolioBook.of([EventProbability(event)], reference.assets)
    paths = path_state_at_start(reference, book, 400)
    day = day_of(paths, reference, book, period=0, horizon=HORIZON, unit=None, foreseen=True)
    clean = torch.linspace(-2.99, -2.0, 400)[:, None]  # one per cent a unit: from just above the barrier upwards
    location = foresee(clean, day, book, cosine=1.0, sine=0.0, share=1.0).location
    assert 0.99 < float(location[0, 0]) < 1.0

    def largest_slope(feature):
        return float((feature.diff(dim=0) / clean.diff(dim=0)).abs().max())

    assert largest_slope(book.features(location)) < 2.0  # 0.8 per deviation of the rest
    assert largest_slope(torch.logit(location, eps=1e-4)) > 20.0
    (pull,) = book.feature_pulls(location, torch.ones(400, 1))
    assert pull is not None
    ends = location[:, 0] / 2.0  # logit(p / 2) has slope 1 / (2 q (1 - q)) with q = p / 2
    torch.testing.assert_close(pull, 1.0 / (2.0 * ends * (1.0 - ends)))


def test_events_are_certain_once_they_have_happened():
    reference = gaussian_reference(1)
    events = [
        BarrierHit(of="A0", barrier=-0.03),
        BarrierHit(of="A0", barrier=0.03),
        DrawdownBeyond(of="A0", depth=0.05),
    ]
    book = PortfolioBook.of([EventProbability(e) for e in events], reference.assets)
    paths = path_state_at_start(reference, book, 2)
    day = day_of(paths, reference, book, period=0, horizon=3, unit=None, foreseen=True)
    for z in (torch.tensor([[-4.0], [4.0]]), torch.tensor([[-4.0], [-4.0]])):  # down and up by 4 %, then down by 4 %
        paths, _ = after_day(paths, day, z, reference, book)
        day = day_of(paths, reference, book, period=1, horizon=3, unit=day.unit, foreseen=True)
    probability = foresee(torch.zeros(2, 1), day, book, cosine=0.0, sine=1.0, share=0.0).location
    assert probability[0].tolist()[0] == 1.0
    assert probability[1].tolist()[1] == 1.0
    assert probability[0].tolist()[2] == 1.0
    assert 0.0 < float(probability[1, 2]) < 1.0
