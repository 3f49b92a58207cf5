"""Settings of steering in one frozen, validated object."""

import math
from dataclasses import dataclass
from typing import Literal

from tsgen.errors import ConfigError
from tsgen.whole_numbers import settle_whole_numbers


def _number(value: float, name: str, lowest: float, highest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise ConfigError(f"{name} must be a number in [{lowest:g}, {highest:g}]: got {value!r}.")


@dataclass(frozen=True, kw_only=True)
class SteeringConfig:
    """How hard steering tries.

    Parameters
    ----------
    n_steps : int
        Diffusion steps per period. 16; 32 where the unweighted law matters (half the bias, twice the time); 8 for
        drafts.
    n_paths : int
        Paths simulated in each policy iteration.
    n_iterations : int
        Largest number of policy iterations; fewer if nothing moves any more.
    n_fit_steps, batch_rows, learning_rate, width
        Gradient steps per iteration, rows per step, initial rate and layer width of the value network.
    n_replayed : int
        Last tapes of paths that the value network and the multipliers are fitted to.
    n_certificate_paths : int
        Fresh paths the certificate is measured on.
    bound_deviations : float or None
        Statistics are winsorised at their reference mean plus and minus so many standard deviations. With fat tails
        the exponential tilt of an unbounded statistic does not exist. ``None``: no bound, at your own risk.
    smallest_effective_share : float
        Trust region: multipliers move at most so far that this share of the weighted paths stays effective.
    control_limit : float
        Largest norm of the noise shift in one step, in standard deviations.
    gain_band : (float, float) or None
        Range of the gains (one per constraint) that remove what is left of the unweighted bias; ``None``: no gains.
    evaluation : {"logistic", "mean_square"}
        Soft policy evaluation (relative error of ``E exp``), or the regression of the published method.
    n_candidates : int
        Candidates per period of which one is kept by its value: more effective paths for proportionally more time.
    covariance_correction : bool
        Widen or narrow the noise along the control by the curvature of the value (variance-like constraints).
    block_size : int
        Paths computed together; part of the seed contract. Large blocks are cheaper per path.
    n_workers : int
        Processes that simulate blocks; the result does not depend on it.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    Examples
    --------
    >>> SteeringConfig(n_steps=32).bound_deviations
    5.0
    """

    n_steps: int = 16
    n_paths: int = 2000
    n_iterations: int = 6
    n_fit_steps: int = 150
    batch_rows: int = 8192
    learning_rate: float = 5e-3
    width: int = 32
    n_replayed: int = 4
    n_certificate_paths: int = 4000
    bound_deviations: float | None = 5.0
    smallest_effective_share: float = 0.1
    control_limit: float = 3.0
    gain_band: tuple[float, float] | None = (0.85, 1.4)
    evaluation: Literal["logistic", "mean_square"] = "logistic"
    n_candidates: int = 1
    covariance_correction: bool = False
    block_size: int = 2000
    n_workers: int = 1

    def __post_init__(self) -> None:
        counts = {
            "n_steps": 2,
            "n_paths": 100,
            "n_iterations": 1,
            "n_fit_steps": 1,
            "batch_rows": 16,
            "width": 1,
            "n_replayed": 1,
            "n_certificate_paths": 100,
            "n_candidates": 1,
            "block_size": 2,
            "n_workers": 1,
        }
        settle_whole_numbers(self, counts)
        _number(self.learning_rate, "learning_rate", 1e-8, 1.0)
        _number(self.smallest_effective_share, "smallest_effective_share", 1e-3, 0.9)
        _number(self.control_limit, "control_limit", 1e-3, 100.0)
        if self.bound_deviations is not None:
            _number(self.bound_deviations, "bound_deviations", 1.0, 100.0)
        if self.evaluation not in ("logistic", "mean_square"):
            raise ConfigError(f"evaluation must be 'logistic' or 'mean_square': got {self.evaluation!r}.")
        if not isinstance(self.covariance_correction, bool):
            raise ConfigError(f"covariance_correction must be True or False: got {self.covariance_correction!r}.")
        _check_band(self.gain_band)


def _check_band(band: tuple[float, float] | None) -> None:
    if band is None:
        return
    proper = isinstance(band, (tuple, list)) and len(band) == 2 and all(isinstance(x, (int, float)) for x in band)
    if not proper or not 0.5 <= band[0] <= 1.0 <= band[1] <= 1.5 or not math.isfinite(band[1]):
        raise ConfigError(
            f"gain_band must be two numbers around 1 within [0.5, 1.5], or None: got {band!r}. Far from 1 the law "
            "moves away from the optimum faster than the bias falls."
        )
