"""The families of metrics that `evaluate` computes, and what becomes of those that cannot be computed.

A family that does not apply (one asset, too few windows, a package that is not installed) is left out with its
reason on the card; it never counts as good or bad silently.
"""

from collections.abc import Callable, Iterable

from tsgen.errors import ConfigError, DataError
from tsgen.evaluation.classifier_two_sample import classifier_test
from tsgen.evaluation.dependence import dependence
from tsgen.evaluation.effective_windows import effective_windows
from tsgen.evaluation.forecast_calibration import horizon_calibration_metrics
from tsgen.evaluation.marginal_law import marginal_law
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.path_functionals import path_functionals
from tsgen.evaluation.proper_scores import proper_scores
from tsgen.evaluation.scorecard import SkippedMetrics
from tsgen.evaluation.sensitivity import sensitivity
from tsgen.evaluation.signature_distance import signature_distance
from tsgen.evaluation.temporal_law import lagged_cross_correlation, temporal_law
from tsgen.evaluation.world_comparison import ComparisonEffort
from tsgen.random_streams import numpy_stream

Family = tuple[str, Callable[[], "MetricResult | Iterable[MetricResult]"]]


def window_families(windows: PairedWindows, *, seed: int, effort: ComparisonEffort, dated: bool) -> tuple[Family, ...]:
    """Families that compare realised with generated windows, each as a name and a computation.

    Parameters
    ----------
    windows : PairedWindows
    seed : int
    effort : ComparisonEffort
    dated : bool
        Whether scenarios are conditional on the history of their window; unconditional paths have no sensitivity.

    Returns
    -------
    tuple of (str, callable)
    """
    # with several assets a part of the temporal law; with one it is missing, and the card must say so
    across: tuple[Family, ...] = (
        ("lagged cross-correlations", lambda: lagged_cross_correlation(windows, seed=seed, effort=effort)),
    )
    law: tuple[Family, ...] = (
        ("marginal law", lambda: marginal_law(windows, seed=seed, effort=effort)),
        ("dependence", lambda: dependence(windows, seed=seed, effort=effort)),
        ("temporal law", lambda: temporal_law(windows, seed=seed, effort=effort)),
        *(across if windows.n_assets == 1 else ()),
        ("path functionals", lambda: path_functionals(windows, seed=seed, effort=effort)),
        ("signature", lambda: signature_distance(windows, seed=seed, effort=effort)),
        ("proper scores", lambda: proper_scores(windows, seed=seed, effort=effort)),
        ("classifier", lambda: classifier_test(windows, seed=seed, effort=effort)),
    )
    if not dated:
        return law
    rng = numpy_stream(seed, "horizon calibration")
    return (
        *law,
        ("sensitivity", lambda: sensitivity(windows, seed=seed, effort=effort)),
        ("effective windows", lambda: effective_windows(windows)),
        ("horizon calibration", lambda: horizon_calibration_metrics(windows, rng=rng)),
    )


def compute_families(families: Iterable[Family]) -> tuple[list[MetricResult], list[SkippedMetrics]]:
    """Compute families one by one; those that do not apply are returned as skipped, with the reason.

    Examples
    --------
    >>> def one_asset():
    ...     raise DataError("needs two assets: got 1.")
    >>> compute_families([("dependence", one_asset)])
    ([], [SkippedMetrics(family='dependence', reason='needs two assets: got 1.')])
    """
    results: list[MetricResult] = []
    skipped: list[SkippedMetrics] = []
    for name, compute in families:
        try:
            made = compute()
        except (DataError, ConfigError) as error:
            skipped.append(SkippedMetrics(name, str(error)))
            continue
        results += [made] if isinstance(made, MetricResult) else list(made)
    return results, skipped
