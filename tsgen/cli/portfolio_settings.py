"""From the portfolio section of a configuration to constraints and costs."""

from typing import TYPE_CHECKING

import pandas as pd

from tsgen.cli.run_config import PortfolioSection

if TYPE_CHECKING:
    from portfolio import Allocation, HorizonMoments
    from portfolio.constraints import Constraint
    from tsgen.scenario_set import ScenarioSet


def constraints_of(section: PortfolioSection) -> "list[Constraint]":
    """Constraints named in the section; the budget of 1 is the optimiser's default."""
    from portfolio import Bounds, GroupLimit, TurnoverLimit

    limits: list[Constraint] = [Bounds(section.min_weight, section.max_weight)]
    limits += [GroupLimit(g.members, lower=g.lower, upper=g.upper, name=g.name) for g in section.groups]
    if section.max_turnover is not None:
        limits.append(TurnoverLimit(section.max_turnover))
    return limits


def optimise(
    scenarios: "ScenarioSet | HorizonMoments", section: PortfolioSection, *, previous: pd.Series | None
) -> "Allocation":
    """Mean-variance weights as the section demands.

    Raises
    ------
    ConfigError, DataError, InfeasibleError, SolverError, UnboundedError
        As `portfolio.mean_variance`.
    """
    from portfolio import LinearCost, mean_variance

    return mean_variance(
        scenarios,
        risk_aversion=section.risk_aversion,
        constraints=constraints_of(section),
        costs=LinearCost(section.cost_bps / 10_000.0) if section.cost_bps else None,
        previous=previous,
    )
