"""The kept half of the historical mean: exact formulas on samples with exact moments, and its limits."""

import numpy as np
import pytest

from tsgen.whitening.shrunk_mean import shrunk_mean


def _with_moments(means, deviations, n_dates=1600):
    """Panel with exactly these sample means and standard deviations; a standard error is a fortieth of a deviation."""
    noise = np.random.default_rng(1).standard_normal((n_dates, len(means)))
    return np.asarray(means) + (noise - noise.mean(axis=0)) / noise.std(axis=0, ddof=1) * np.asarray(deviations)


def test_mean_is_half_of_the_shrunk_one():
    assert shrunk_mean(_with_moments([0.001] * 4, [0.03] * 4)) == pytest.approx(0.0005, rel=1e-9)
    two = _with_moments([0.002, -0.001], [0.03] * 2)  # too few to shrink to each other
    assert shrunk_mean(two) == pytest.approx([0.001, -0.0005], rel=1e-9)
    # variance of a mean 1/160,000, spread 4 x 1.25e-5: kept 1 - 2 / 160,000 / 5e-5 = .75
    four = _with_moments([0.001, 0.0, -0.003, 0.006], [0.1] * 4)
    kept = 1.0 - 2.0 * 0.1**2 / 1600 / np.square([0.0, -0.001, -0.004, 0.005]).sum()
    assert shrunk_mean(four) == pytest.approx(0.5 * (0.001 + kept * np.array([0.0, -0.001, -0.004, 0.005])), rel=1e-9)


def test_no_mean_is_shrunk_by_more_than_three_of_its_standard_errors():
    """A currency peg keeps its drift of none beside stocks, stocks theirs beside basis points."""
    peg = shrunk_mean(_with_moments([0.001] * 4 + [0.0], [0.03] * 4 + [0.0003]))
    assert peg[4] == pytest.approx(0.5 * 3.0 * 0.0003 / 40.0, rel=1e-9)
    points = shrunk_mean(_with_moments([0.001] * 4 + [0.2], [0.03] * 4 + [5.0]))
    assert points[:4] == pytest.approx(0.5 * (0.001 + 3.0 * 0.03 / 40.0), rel=1e-9)
