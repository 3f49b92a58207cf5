"""The parametric comparison: it climbs to the known optimum of a Gaussian law, and its densities are exact."""

import numpy as np
import pytest

from tests.support.gaussian_reference import gaussian_reference
from tsgen.errors import ConfigError
from tsgen.steering import PathMean, SteeringConfig
from tsgen.steering.bound_statistic import BoundedMean
from tsgen.steering.controlled_chain import ControlledChain
from tsgen.steering.policy_gradient import policy_gradient
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.simulated_paths import simulate_paths

HORIZON, STEPS = 2, 3
CONFIG = SteeringConfig(n_steps=STEPS, n_paths=1000, block_size=1000, width=8)


def chain_of(n_candidates=1):
    reference = gaussian_reference(1, deviation=0.01)
    book = PortfolioBook.of([PathMean(lambda r: r[:, :, 0].sum(dim=1))], reference.assets)
    return ControlledChain(
        reference=reference, book=book, horizon=HORIZON, n_steps=STEPS, block_size=1000, n_candidates=n_candidates
    )


def statistic():
    unit = 0.01 * np.sqrt(HORIZON)
    return BoundedMean(title="", relation=None, level=0.0, centre=0.0, unit=unit, lower=-1.0, upper=1.0)


@pytest.mark.slow
def test_it_climbs_towards_the_known_optimum():
    """max E[l x] - KL over shifts of N(0, 1) is l^2 / 2 = 0.5, reached at a mean of one unit."""
    chain = chain_of()
    policy, steps = policy_gradient(chain, [statistic()], [1.0], n_steps=60, config=CONFIG, seed=0)
    assert steps[0].objective == pytest.approx(0.0, abs=4 / np.sqrt(1000))
    assert np.mean([s.objective for s in steps[-10:]]) > 0.4
    tape = simulate_paths(chain, policy, 4000, n_periods=HORIZON, seed=7, purpose="fresh")
    total = tape.returns.double().sum(dim=(1, 2)).numpy() / statistic().unit
    ratio = np.exp(tape.log_ratio.numpy())
    assert 0.6 < total.mean() < 1.4
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(4000)
    assert abs((ratio * total).mean()) < 4 * (ratio * total).std() / np.sqrt(4000)


def test_several_candidates_are_refused():
    with pytest.raises(ConfigError, match="set n_candidates to 1"):
        policy_gradient(chain_of(2), [statistic()], [1.0], n_steps=1, config=CONFIG, seed=0)
