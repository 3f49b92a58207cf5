"""Evaluation: how good a generator is, compared with what, and whether the difference is more than noise."""

from tsgen.evaluation.adapted_wasserstein import (
    SamplingFloor,
    fitted_adapted_wasserstein,
    gaussian_adapted_wasserstein,
    gaussian_wasserstein,
    sampling_floor,
)

__all__ = [
    "SamplingFloor",
    "fitted_adapted_wasserstein",
    "gaussian_adapted_wasserstein",
    "gaussian_wasserstein",
    "sampling_floor",
]
