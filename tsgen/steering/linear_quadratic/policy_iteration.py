"""Policy iteration: evaluate, improve, repeat; ends in a settled control or in an error that says what to do."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tsgen.errors import ConfigError
from tsgen.steering.linear_quadratic.convergence_theory import balanced_step, reference_ratio
from tsgen.steering.linear_quadratic.errors import PolicyIterationError
from tsgen.steering.linear_quadratic.linear_chain import LinearControl
from tsgen.steering.linear_quadratic.policy_evaluation import QuadraticValue, evaluate_policy
from tsgen.steering.linear_quadratic.policy_update import ExplicitUpdate, PolicyUpdate, with_optimal_covariance
from tsgen.steering.linear_quadratic.steering_problem import SteeringProblem

# its square overflows in the next evaluation
_RUN_AWAY = 1e150


class PolicyIterate(NamedTuple):
    """A control, its value, and how far it is from the control before."""

    control: LinearControl
    value: QuadraticValue
    change: float


class PolicyIteration(NamedTuple):
    """Where policy iteration settled.

    ``changes`` has the largest change of the control in each iteration.
    """

    control: LinearControl
    value: QuadraticValue
    changes: tuple[float, ...]

    @property
    def iterations(self) -> int:
        """Number of iterations made."""
        return len(self.changes)


def policy_iterates(
    problem: SteeringProblem,
    update: PolicyUpdate,
    *,
    start: LinearControl | None = None,
    correct_covariance: bool = False,
) -> Iterator[PolicyIterate]:
    """The controls of policy iteration, one after the other, for ever; `iterate_policy` decides when to stop.

    Parameters
    ----------
    problem : SteeringProblem
    update : ExplicitUpdate or ImplicitUpdate
    start : LinearControl, optional
        By default the reference.
    correct_covariance : bool, default False
        Whether the covariance of the kernel is improved beside its mean.

    Yields
    ------
    PolicyIterate
        The first one is after one update.

    Raises
    ------
    PolicyIterationError
        If a control leaves the range of floating-point numbers.
    """
    control = LinearControl.none(problem.chain) if start is None else start
    with np.errstate(over="ignore", invalid="ignore"):
        value = evaluate_policy(problem, control)
    changes: list[float] = []
    while True:
        with np.errstate(over="ignore", invalid="ignore"):
            improved = update.improve(problem, control, value)
            changes.append(improved.distance(control))
            if not improved.size < _RUN_AWAY:
                raise _run_away(problem, update, changes)
            if correct_covariance:
                corrected = with_optimal_covariance(problem, improved, value)
                if corrected is None:
                    raise _run_away(problem, update, changes)
                improved = corrected
            control, value = improved, evaluate_policy(problem, improved)
        yield PolicyIterate(control, value, changes[-1])


def iterate_policy(
    problem: SteeringProblem,
    update: PolicyUpdate,
    *,
    start: LinearControl | None = None,
    correct_covariance: bool = False,
    tolerance: float = 1e-13,
    max_iterations: int = 500,
) -> PolicyIteration:
    """Iterate until the control does not change any more.

    Parameters
    ----------
    problem : SteeringProblem
    update : ExplicitUpdate or ImplicitUpdate
    start : LinearControl, optional
        By default the reference.
    correct_covariance : bool, default False
        Whether the covariance of the kernel is improved beside its mean: then the end is the exact tilt at any
        number of steps, otherwise only in the limit of many.
    tolerance : float
        Largest change of the control, relative to one plus its size.
    max_iterations : int

    Raises
    ------
    PolicyIterationError
        If the iteration runs away, or has not settled in time; the message names a step size or update that works.
    ConfigError
        If the tolerance or the number of iterations is not positive.

    References
    ----------
    Han, Razaviyayn and Xu (2024), arXiv 2412.18164.

    Examples
    --------
    >>> from tsgen.steering.linear_quadratic import QuadraticReward, angle_chain, conditionals, uniform_angles
    >>> chain = angle_chain(conditionals([0.0], [[1.0]]), uniform_angles(10))
    >>> problem = SteeringProblem(chain=chain, reward=QuadraticReward.linear([1.0]), temperature=1.0)
    >>> iterate_policy(problem, ExplicitUpdate()).iterations
    2
    """
    if tolerance <= 0 or max_iterations < 1:
        raise ConfigError(f"tolerance and max_iterations must be positive: got {tolerance!r} and {max_iterations!r}.")
    changes: list[float] = []
    for iterate in policy_iterates(problem, update, start=start, correct_covariance=correct_covariance):
        changes.append(iterate.change)
        if iterate.change <= tolerance * (1.0 + iterate.control.size):
            return PolicyIteration(iterate.control, iterate.value, tuple(changes))
        if len(changes) == max_iterations:
            break
    raise PolicyIterationError(
        f"policy iteration has not settled: after {max_iterations} iterations the control still changes by "
        f"{changes[-1]:.3g}. {_advice(problem, update)}",
        changes,
    )


def _run_away(problem: SteeringProblem, update: PolicyUpdate, changes: Sequence[float]) -> PolicyIterationError:
    return PolicyIterationError(
        f"policy iteration ran away after {len(changes)} iterations. {_advice(problem, update)}", changes
    )


def _advice(problem: SteeringProblem, update: PolicyUpdate) -> str:
    if not isinstance(update, ExplicitUpdate):
        return "Begin at a higher temperature with continue_in_temperature, or start from the reference."
    ratio = reference_ratio(problem)
    return (
        f"An explicit step of size {update.step_size:g} needs step_size * (1 + ratio) < 2, here the ratio is "
        f"{ratio:.3g}: use ExplicitUpdate(step_size={balanced_step(problem):.2g}), ImplicitUpdate(), or approach the "
        "temperature from above with continue_in_temperature."
    )
