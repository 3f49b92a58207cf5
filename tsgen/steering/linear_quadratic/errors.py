"""Errors of the exact layer: a tilt that does not exist, an iteration that runs away.

Both carry their facts as attributes and survive pickling.
"""

from collections.abc import Sequence

from tsgen.steering.errors import SteeringError


class IllPosedTiltError(SteeringError):
    """The tilted law does not exist: the exponential moment of the reward is infinite.

    Parameters
    ----------
    message : str
    smallest_temperature : float
        The tilt exists for temperatures above it; ``nan`` if it was not looked for.

    Examples
    --------
    >>> IllPosedTiltError("too cold", smallest_temperature=0.5).smallest_temperature
    0.5
    """

    def __init__(self, message: str, smallest_temperature: float = float("nan")) -> None:
        super().__init__(message)
        self.smallest_temperature = smallest_temperature


class PolicyIterationError(SteeringError):
    """Policy iteration ran away, or did not settle within its number of iterations.

    Parameters
    ----------
    message : str
    changes : sequence of float
        Largest change of the control in each iteration made.

    Examples
    --------
    >>> PolicyIterationError("ran away", [1.0, 3.0]).changes
    (1.0, 3.0)
    """

    def __init__(self, message: str, changes: Sequence[float] = ()) -> None:
        super().__init__(message)
        self.changes = tuple(changes)
