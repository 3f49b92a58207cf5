"""The log mean tilt of a winsorised normal against quadrature, its limits, and automatic gradients."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from tsgen.steering.bound_statistic import BoundedMean
from tsgen.steering.clipped_normal import clipped_tilt


def by_quadrature(slope, m, s, low, high):
    inner, _ = quad(lambda x: math.exp(slope * x) * norm.pdf(x, m, s), low, high, epsabs=0, epsrel=1e-12, limit=400)
    ends = math.exp(slope * low) * norm.cdf((low - m) / s) + math.exp(slope * high) * norm.sf((high - m) / s)
    return math.log(inner + ends)


@pytest.mark.parametrize("slope", [-2.0, 0.3, 4.0])
@pytest.mark.parametrize(("m", "s"), [(0.0, 1.0), (-4.9, 0.3), (-7.0, 2.5), (6.0, 0.8), (1.0, 5.0)])
def test_the_tilt_is_the_integral(slope, m, s):
    found = clipped_tilt(
        slope, torch.tensor([m], dtype=torch.float64), torch.tensor([s], dtype=torch.float64), -5.0, 5.0
    )
    # double precision; quadrature asked for 1e-12, exponents of up to 20 magnify rounding
    assert float(found.value) == pytest.approx(by_quadrature(slope, m, s, -5.0, 5.0), abs=1e-9)


@pytest.mark.parametrize("slope", [-2.0, 0.3])
def test_slopes_are_derivatives(slope):
    m = torch.linspace(-8.0, 8.0, 41, dtype=torch.float64)
    s = torch.linspace(0.05, 4.0, 41, dtype=torch.float64).flip(0)
    found, h = clipped_tilt(slope, m, s, -5.0, 5.0), 1e-5

    def value(dm, ds):
        return clipped_tilt(slope, m + dm, s + ds, -5.0, 5.0).value

    # central differences: h^2 times third derivatives of up to 1e4 where s is 0.05, and rounding of 1e-16 / h
    torch.testing.assert_close(found.by_location, (value(h, 0.0) - value(-h, 0.0)) / (2 * h), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.by_spread, (value(0.0, h) - value(0.0, -h)) / (2 * h), rtol=1e-5, atol=1e-6)


def test_without_spread_it_is_the_tilt_itself_and_with_far_bounds_the_gaussian_one():
    m = torch.tensor([-9.0, -5.1, -4.9, 0.0, 4.0, 7.0])
    still = clipped_tilt(-1.5, m, torch.zeros(6), -5.0, 5.0)
    torch.testing.assert_close(still.value, -1.5 * m.clamp(-5.0, 5.0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(still.by_location, -1.5 * (m.abs() < 5.0))
    assert not still.by_spread.any()
    free = clipped_tilt(-1.5, m, torch.full((6,), 0.5), -40.0, 40.0)
    torch.testing.assert_close(free.value, -1.5 * m + 0.5 * 0.75**2)


def test_extreme_arguments_stay_finite():
    m = torch.tensor([-60.0, 60.0, 0.0, 0.0])
    s = torch.tensor([0.0, 1e-3, 10.0, 1e-9])
    for slope in (-8.0, 1e-6, 8.0):
        for bound in (5.0, 500.0):
            for part in clipped_tilt(slope, m, s, -bound, bound):
                assert np.isfinite(part.numpy()).all()


def test_an_unbounded_statistic_has_no_use_for_the_spread():
    """Its mean tilt does not exist with fat tails; the normal one would reward volatility without end."""
    free = BoundedMean(title="", relation="==", level=0.1, centre=0.0, unit=0.05, lower=-math.inf, upper=math.inf)
    bounded = replace(free, lower=-0.25, upper=0.25)
    location, spread = torch.tensor([-0.2, 0.0, 0.3]), torch.full((3,), 0.1)
    torch.testing.assert_close(free.base(-1.5, location, spread), -1.5 * (location / 0.05 - 2.0))
    assert not free.base_slopes(-1.5, location, spread)[1].any()
    assert bounded.base_slopes(-1.5, location, spread)[1].all()
