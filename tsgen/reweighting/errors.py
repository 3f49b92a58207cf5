"""Errors of scenario re-weighting; each carries its facts as attributes, not only as text.

Bottom of `tsgen.reweighting`. Both errors survive pickling, so they arrive intact from a worker process.
"""

from collections.abc import Iterable, Mapping

from tsgen.errors import TsgenError


class ViewConflictError(TsgenError, ValueError):
    """No probabilities on these scenarios satisfy all views.

    Parameters
    ----------
    message : str
        What was wrong and what to do.
    views : iterable of str
        Names of a conflicting set: together they contradict. Where it could be located it is minimal:
        without any one of them the others do not contradict.
    attainable : mapping of str to (float, float), optional
        For each of these views, the lowest and the highest target that the scenarios allow together with
        the other views of the set.

    Examples
    --------
    >>> ViewConflictError("too far", views=["mean of A"], attainable={"mean of A": (-0.1, 0.1)}).attainable
    {'mean of A': (-0.1, 0.1)}
    """

    def __init__(
        self,
        message: str,
        views: Iterable[str] = (),
        attainable: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        super().__init__(message)
        self.views = tuple(views)
        self.attainable = dict(attainable or {})


class PoolingConvergenceError(TsgenError, RuntimeError):
    """The views do not contradict visibly, but the solver did not reach its tolerance.

    Parameters
    ----------
    message : str
        What was reached and what to do.
    residual : float
        Largest view residual reached, in prior standard deviations of the view's feature.

    Examples
    --------
    >>> PoolingConvergenceError("stopped", residual=1e-3).residual
    0.001
    """

    def __init__(self, message: str, residual: float = float("nan")) -> None:
        super().__init__(message)
        self.residual = residual
