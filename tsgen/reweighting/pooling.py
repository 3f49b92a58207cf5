r"""Entropy pooling: the closest probabilities on given scenarios that satisfy views.

.. math:: \min_q KL(q|p) \quad\text{subject to}\quad \text{statistic}_j(q) \;\{=, \le, \ge\}\; \text{target}_j

Facade of `tsgen.reweighting`: scenarios and views in, the same scenarios with posterior probabilities out. Knows no
generator and needs no torch.
"""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from tsgen.errors import ConfigError
from tsgen.reweighting.linear_pooling import SolverSettings
from tsgen.reweighting.pooling_report import PoolingReport
from tsgen.reweighting.relation import check_positive
from tsgen.reweighting.stages import StagedLaw, pool_in_stages
from tsgen.reweighting.subject import Outcomes
from tsgen.reweighting.view_protocol import View
from tsgen.reweighting.weighted_moments import effective_number
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number

_PROVENANCE_KEY = "entropy_pooling"


def entropy_pooling(
    scenarios: ScenarioSet,
    views: Iterable[View],
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 200,
    warm_start: PoolingReport | None = None,
) -> ScenarioSet:
    r"""The same scenarios with the probabilities closest to theirs that satisfy all views.

    Parameters
    ----------
    scenarios : ScenarioSet
        Their probabilities are the prior; scenarios of probability zero stay at zero.
    views : iterable of View
        `MeanView`, `VarianceView`, `VolatilityView`, `CorrelationView`, `SkewView`, `KurtosisView`, `VaRView`,
        `CVaRView`, `EventProbabilityView`, `FunctionalView`, each ``==``, ``<=`` or ``>=`` a target. Assets and
        portfolios mean **simple buy-and-hold returns over the whole horizon**; no views leave the prior.
    tolerance : float
        Largest residual of a view, in prior standard deviations of its feature.
    max_iterations : int
        Newton steps per solve.
    warm_start : PoolingReport, optional
        Of a similar problem: its multipliers are the first guess. Changes the time, not the result.

    Returns
    -------
    ScenarioSet
        Posterior ``probabilities``; diagnostics in ``provenance["entropy_pooling"]``, a list with one entry per
        pooling. For the diagnostics as an object use `entropy_pooling_report`.

    Raises
    ------
    ViewConflictError
        If the views contradict each other or the scenarios; names the views and what would be attainable.
    PoolingConvergenceError
        If the solver stops before its tolerance.
    ConfigError, DataError, ShapeError
        If an argument is unusable; the message says which and what to do.

    Notes
    -----
    Linear views (mean, VaR, event, functional) and raised CVaRs give the exact minimum. Variance, skew, kurtosis
    and correlation are imposed in stages, with the moments below them held at the preceding stage's values.
    Lowered CVaRs are a search over the quantile, exact for one view up to the resolution of the grid.
    Re-weighting cannot create outcomes: watch the effective number of scenarios.

    References
    ----------
    Meucci (2008), "Fully flexible views: theory and practice".
    Vorobets (2021), "Sequential entropy pooling heuristics".

    Examples
    --------
    >>> from tsgen.reweighting import EventProbabilityView, TerminalLoss
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.2]], [[0.0]], [[0.3]]], assets=["A"], kind="simple")
    >>> view = EventProbabilityView(event=TerminalLoss(of="A", loss=0.1), target=0.4)
    >>> entropy_pooling(s, [view]).weights.round(6).tolist()
    [0.2, 0.4, 0.2, 0.2]
    """
    return entropy_pooling_report(
        scenarios, views, tolerance=tolerance, max_iterations=max_iterations, warm_start=warm_start
    ).posterior


def entropy_pooling_report(
    scenarios: ScenarioSet,
    views: Iterable[View],
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 200,
    warm_start: PoolingReport | None = None,
) -> PoolingReport:
    """`entropy_pooling` with its diagnostics: multipliers, divergence, residuals, effective number of scenarios.

    Parameters
    ----------
    scenarios, views, tolerance, max_iterations, warm_start
        See `entropy_pooling`.

    Returns
    -------
    PoolingReport
        ``posterior`` is the re-weighted `ScenarioSet`.

    Raises
    ------
    ViewConflictError, PoolingConvergenceError, ConfigError, DataError, ShapeError
        See `entropy_pooling`.

    Examples
    --------
    >>> from tsgen.reweighting import MeanView
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> entropy_pooling_report(s, [MeanView(of="A", target=0.0)])
    PoolingReport(1 views, KL 0 nats, effective number 2 of 2, 0 Newton steps)
    """
    listed = _checked_views(views)
    settings = _checked_settings(tolerance, max_iterations)
    outcomes = Outcomes(scenarios)
    start = {} if warm_start is None else warm_start.multipliers
    law = pool_in_stages(outcomes, listed, start=start, settings=settings)
    report = PoolingReport(
        posterior=scenarios,
        views=_view_table(outcomes, listed, law),
        held=_held_table(law),
        divergence=law.divergence,
        prior_effective_number=scenarios.effective_number,
        effective_number=effective_number(law.probabilities),
        iterations=law.iterations,
        tolerance=settings.tolerance,
        multipliers=law.start,
    )
    facts = dict(scenarios.provenance)
    facts[_PROVENANCE_KEY] = [*facts.get(_PROVENANCE_KEY, []), report.to_dict()]
    # one copy of the returns, not one per field that changes
    return replace(report, posterior=replace(scenarios, probabilities=law.probabilities, provenance=facts))


def _checked_views(views: Iterable[View]) -> list[View]:
    if not isinstance(views, Iterable):
        raise ConfigError(f"views must be a list of view objects: got {views!r}. Pass a single one as a list too.")
    listed = list(views)
    for view in listed:
        if not all(hasattr(view, part) for part in ("stage", "rows", "held_rows", "statistic", "target", "relation")):
            raise ConfigError(f"views must be view objects such as MeanView(of='A', target=0.01): got {view!r}.")
    return listed


def _checked_settings(tolerance: float, max_iterations: int) -> SolverSettings:
    accuracy = check_positive(tolerance, "tolerance")
    return SolverSettings(accuracy, whole_number(max_iterations, "max_iterations"))


def _view_table(outcomes: Outcomes, views: list[View], law: StagedLaw) -> pd.DataFrame:
    records = []
    for view, multiplier, slope in zip(views, law.multipliers, law.slopes, strict=True):
        after = view.statistic(outcomes, law.probabilities)
        records.append(
            {
                "relation": view.relation,
                "target": view.target,
                "prior": view.statistic(outcomes, outcomes.prior),
                "posterior": after,
                "residual": after - view.target,
                "multiplier": multiplier,
                "sensitivity": slope,
                "binding": multiplier != 0,
            }
        )
    columns = ["relation", "target", "prior", "posterior", "residual", "multiplier", "sensitivity", "binding"]
    return pd.DataFrame(records, index=pd.Index([view.title for view in views], name="view"), columns=columns)


def _held_table(law: StagedLaw) -> pd.DataFrame:
    records = [{"target": row.target, "multiplier": value, "for": row.held_for} for row, value in law.held]
    index = pd.Index([row.name for row, _ in law.held], name="moment")
    return pd.DataFrame(records, index=index, columns=["target", "multiplier", "for"])
