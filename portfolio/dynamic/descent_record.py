"""How to descend, and the record of a descent. Below `gradient_descent`."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, final, get_args

import numpy as np
from numpy.typing import NDArray

from portfolio.constraints import finite_number
from tsgen.errors import ConfigError
from tsgen.whole_numbers import whole_number

Array = NDArray[np.float64]
GradientKind = Literal["pathwise", "zeroth_order"]
DescentStatus = Literal["converged", "iterations", "no_progress"]

# an objective is a sum of thousands of products: differences below this share of it are rounding
ROUNDING = 1e-13


@final
@dataclass(frozen=True, kw_only=True)
class DescentSettings:
    """How to descend.

    Parameters
    ----------
    gradient : {"pathwise", "zeroth_order"}
        Exact, or from costs alone (needs nothing but a simulator).
    preconditioned : bool
        Steps in the metric of the problem; otherwise plain gradient steps.
    max_iterations : int
    tolerance : float
        Stop when a step moves the gains by less than this, relative to 1 + their norm.
    stability_limit : float
        Largest discounted closed-loop radius allowed; steps beyond it are shortened.
    n_directions : int, optional
        Antithetic pairs per estimate; by default as many as there are gains (a full orthogonal frame).
    radius : float
        Size of the perturbations of the estimate, relative.

    Raises
    ------
    ConfigError
        If a setting is outside its range.

    Examples
    --------
    >>> DescentSettings().gradient
    'pathwise'
    """

    gradient: GradientKind = "pathwise"
    preconditioned: bool = True
    max_iterations: int = 200
    tolerance: float = 1e-9
    stability_limit: float = 1.0 - 1e-6
    n_directions: int | None = None
    radius: float = 1e-4

    def __post_init__(self) -> None:
        if self.gradient not in get_args(GradientKind):
            raise ConfigError(f"gradient must be 'pathwise' or 'zeroth_order': got {self.gradient!r}.")
        whole_number(self.max_iterations, "max_iterations", least=0)
        if self.n_directions is not None:
            whole_number(self.n_directions, "n_directions")
        for name, top in (("tolerance", 1.0), ("stability_limit", 1.0), ("radius", 1.0)):
            if not 0.0 < finite_number(getattr(self, name), name) <= top:
                raise ConfigError(f"{name} must be positive and at most {top:g}: got {getattr(self, name)!r}.")


class DescentStep(NamedTuple):
    """State of the descent before a step."""

    gains: Array
    cost: float
    slope: float
    """Predicted decrease per unit step length, ``<gradient, direction>``."""
    step: float
    """Step length accepted; 0 at the end."""
    refused: int
    """Trial steps refused by the line search."""
    unstable: int
    """Those of them that would have left the stable region."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class DescentResult:
    """Where the descent ended and how it came there.

    Parameters
    ----------
    gains : ndarray of shape (control, state + feature)
    cost : float
    status : {"converged", "iterations", "no_progress"}
        ``"no_progress"``: no step along the direction lowers the cost.
    steps : tuple of DescentStep
        One per iteration, the end included.
    """

    gains: Array
    cost: float
    status: DescentStatus
    steps: tuple[DescentStep, ...]

    def contraction(self, optimum: float) -> float:
        """Geometric mean factor by which the gap of the cost to ``optimum`` shrinks per iteration.

        Gaps that rounding hides are left out. NaN if fewer than two remain.
        """
        gaps = np.array([step.cost - optimum for step in self.steps])
        gaps = gaps[gaps > 10 * ROUNDING * max(1.0, abs(optimum))]
        return float((gaps[-1] / gaps[0]) ** (1.0 / (len(gaps) - 1))) if len(gaps) > 1 else float("nan")
