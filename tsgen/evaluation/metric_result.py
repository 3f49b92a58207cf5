"""One number of the scorecard with everything needed to judge it: noise floor, standard error, verdict.

The floor of a distance is what the true law itself would score with samples of the same sizes. A value
inside the spread of such null values is at its floor; above it the law is wrong; far below it the
generator repeats what it should predict, a warning and not a triumph. Bottom of the evaluation folder.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, final, get_args

import numpy as np
from numpy.typing import ArrayLike

from tsgen.errors import ConfigError, DataError

Verdict = Literal["below floor", "at floor", "above floor", "pass", "reject", "report"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_LEVEL = 0.05
_SUSPICIOUS_LEVEL = 0.01
# equal laws give values that differ by rounding only: those are ties
_TIE = 1e-12


@final
@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """One metric of one generator, with its noise.

    Parameters
    ----------
    group : str
        Family, for example ``"marginal law"``.
    metric : str
        Name within the group.
    value : float
        The metric; for distances smaller is better and zero is unreachable, see ``floor``.
    floor : float
        Mean of the metric under the true law at the same sample sizes.
    floor_deviation : float
        Standard deviation of one such null value.
    standard_error : float
        Of ``value``.
    verdict : str
        ``"below floor"`` (suspicious), ``"at floor"``, ``"above floor"``; ``"pass"``, ``"reject"`` for tests without a
        floor; ``"report"`` where nothing is judged.
    p_value : float or None
        Probability of a value at least as bad under the true law; None where there is no test.
    n : int
        Number of independent units (dates or paths) behind the number.
    note : str, default ""
        What a reader must know beside the number.
    two_sided : bool, default False
        Whether values below the floor are as wrong as values above it (a slope, a signed coefficient).

    Raises
    ------
    DataError
        If a number is not finite, or a deviation is negative.
    ConfigError
        If the verdict is unknown, or the p-value or ``n`` is out of range.

    Examples
    --------
    >>> MetricResult(
    ...     group="marginal law", metric="KS", value=0.02, floor=0.018, floor_deviation=0.004,
    ...     standard_error=0.004, verdict="at floor", p_value=0.31, n=100,
    ... ).excess
    0.5
    """

    group: str
    metric: str
    value: float
    floor: float
    floor_deviation: float
    standard_error: float
    verdict: Verdict
    p_value: float | None
    n: int
    note: str = ""
    two_sided: bool = False

    def __post_init__(self) -> None:
        for name in ("value", "floor", "floor_deviation", "standard_error"):
            number = float(getattr(self, name))
            if not math.isfinite(number):
                raise DataError(
                    f"{name} of {self.group} / {self.metric} must be finite: got {number}. A metric that cannot be "
                    "computed must be left out with a reason, never stored as NaN."
                )
            object.__setattr__(self, name, number)
        if self.floor_deviation < 0 or self.standard_error < 0:
            raise DataError(
                f"deviations of {self.group} / {self.metric} must not be negative: got floor_deviation "
                f"{self.floor_deviation} and standard_error {self.standard_error}."
            )
        if self.verdict not in VERDICTS:
            raise ConfigError(f"verdict must be one of {', '.join(VERDICTS)}: got {self.verdict!r}.")
        if self.p_value is not None and not 0.0 <= self.p_value <= 1.0:
            raise ConfigError(f"p_value must be in [0, 1] or None: got {self.p_value!r}.")
        if self.n < 1:
            raise ConfigError(f"n counts independent units and must be positive: got {self.n!r}.")

    @property
    def excess(self) -> float:
        """Distance above the floor (either way if two-sided) in floor deviations; 0 where the floor has no spread."""
        if self.floor_deviation == 0.0:
            return 0.0
        excess = round((self.value - self.floor) / self.floor_deviation, 12)
        return abs(excess) if self.two_sided else excess


class Judgement(NamedTuple):
    """What null values say about one value."""

    verdict: Verdict
    p_value: float
    floor: float
    floor_deviation: float


def judge(value: float, null_values: ArrayLike) -> Judgement:
    """Compare a value with values of the same metric under the true law: the one verdict rule of this folder.

    ``p = (1 + #{null >= value}) / (1 + #null)``. Above the floor if ``p <= 0.05``. Below the floor if
    ``(1 + #{null <= value}) / (1 + #null) <= 0.01``, which takes at least 99 null values, or if value and null values
    are all the same number (scenarios without any variety). Else at the floor.

    Parameters
    ----------
    value : float
        Larger is worse.
    null_values : array of shape (R,)
        At least 19, or no value could ever be above the floor.

    Returns
    -------
    Judgement
        ``(verdict, p_value, floor, floor_deviation)``, floor = mean, deviation with ddof 1.

    Raises
    ------
    DataError
        If there are fewer than 19 null values, or a number is not finite.

    References
    ----------
    Phipson, Smyth (2010), "Permutation p-values should never be zero", equation 2.

    Examples
    --------
    >>> nulls = list(range(-50, 50))
    >>> judge(3.0, nulls).verdict
    'at floor'
    >>> judge(99.0, nulls).verdict, judge(-60.0, nulls).verdict
    ('above floor', 'below floor')
    """
    nulls = np.asarray(null_values, dtype=np.float64)
    if nulls.ndim != 1 or nulls.size < 19:
        raise DataError(
            f"a verdict at the 5 % level needs at least 19 null values in one row: got shape {nulls.shape}. "
            "Raise null_worlds."
        )
    if not (np.isfinite(nulls).all() and math.isfinite(value)):
        raise DataError("value and null values must be finite to be judged: some are not. Check the windows.")
    tie = _TIE * max(abs(value), float(np.abs(nulls).max()))
    p_value = (1 + int((nulls >= value - tie).sum())) / (1 + nulls.size)
    below = (1 + int((nulls <= value + tie).sum())) / (1 + nulls.size)
    verdict: Verdict = "at floor"
    if p_value <= _LEVEL:
        verdict = "above floor"
    elif below <= _SUSPICIOUS_LEVEL or np.abs(nulls - value).max() <= tie:
        verdict = "below floor"
    return Judgement(verdict, p_value, float(nulls.mean()), float(nulls.std(ddof=1)))


def results_by_name(results: Iterable[MetricResult]) -> dict[str, MetricResult]:
    """Index results by metric name.

    Raises
    ------
    DataError
        If a name occurs twice.

    Examples
    --------
    >>> results_by_name([])
    {}
    """
    table: dict[str, MetricResult] = {}
    for result in results:
        if result.metric in table:
            raise DataError(f"metric {result.metric!r} occurs twice: index results of one group at a time.")
        table[result.metric] = result
    return table
