"""Errors and warnings of the optimisers; each carries its facts as attributes, not only as text.

Bottom of `portfolio`: imports only the errors of `tsgen`. All of them survive pickling, so they
arrive intact from a worker process.
"""

from collections.abc import Iterable

from tsgen.errors import TsgenError


class PortfolioError(TsgenError):
    """Root of the errors raised by the optimisers."""


class InfeasibleError(PortfolioError, ValueError):
    """No weights satisfy all constraints.

    Parameters
    ----------
    message : str
        What was wrong and what to do.
    conflict : iterable of str
        Names of a minimal conflicting set: together they contradict, without any one of them they
        do not. Empty if the contradiction is too small to be located (see the message).
    constraints : iterable of str
        Names of all constraints of the problem.

    Examples
    --------
    >>> InfeasibleError("no weights", conflict=["Budget total 1", "Bounds upper 0.2"]).conflict
    ('Budget total 1', 'Bounds upper 0.2')
    """

    def __init__(self, message: str, conflict: Iterable[str] = (), constraints: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.conflict = tuple(conflict)
        self.constraints = tuple(constraints)


class UnboundedError(PortfolioError, ValueError):
    """The objective can be improved for ever: a limit is missing.

    Parameters
    ----------
    message : str
        What was wrong and what to do.
    missing : iterable of str
        Names of the limits that are missing, for example ``"upper bound of A"``.

    Examples
    --------
    >>> UnboundedError("no optimum", missing=["upper bound of A"]).missing
    ('upper bound of A',)
    """

    def __init__(self, message: str, missing: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class SolverError(PortfolioError, RuntimeError):
    """The solver failed or stopped without an answer.

    Parameters
    ----------
    message : str
        What was wrong and what to do.
    status, solver : str
        What the solver said, and its name.

    Examples
    --------
    >>> SolverError("stopped", status="user_limit", solver="CLARABEL").status
    'user_limit'
    """

    def __init__(self, message: str, status: str = "", solver: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.solver = solver


class InaccurateSolutionWarning(UserWarning):
    """The solver reached only a reduced accuracy; the allocation is flagged ``optimal_inaccurate``."""
