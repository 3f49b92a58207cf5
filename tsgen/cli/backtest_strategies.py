"""From names in a configuration to policies; generators are fitted once per training date and kept on disk."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from tsgen.cli.backtest_config import EQUAL, HISTORICAL, OWN, SHRUNK, BacktestConfig, BacktestPortfolio
from tsgen.cli.baseline_choice import BASELINES
from tsgen.cli.generator_settings import generator_config
from tsgen.cli.run_config import GeneratorSection
from tsgen.errors import CheckpointError

if TYPE_CHECKING:
    import pandas as pd

    from portfolio import Allocation, HorizonMoments, LinearCost
    from portfolio.backtest import Policy
    from portfolio.constraints import Constraint
    from tsgen.marketdata import ReturnPanel
    from tsgen.scenario_set import ScenarioSet


@final
@dataclass(frozen=True, kw_only=True, repr=False)
class StoredFit:
    """Fits a generator by name, or reads the one that was fitted to the same returns before.

    Parameters
    ----------
    name : str
        "tsgen" or a baseline.
    generator : GeneratorSection
        Settings of "tsgen"; baselines do not use them.
    _folder : Path
        Where fitted generators are kept. Private, because a strategy is the same one in another place.
    """

    name: str
    generator: GeneratorSection
    _folder: Path

    def __call__(self, panel: "ReturnPanel") -> Any:
        """The generator for a training panel."""
        settings = self.generator.model_dump_json() if self.name == OWN else ""
        digest = hashlib.sha256((panel.fingerprint() + settings).encode()).hexdigest()[:12]
        place = self._folder / f"{self.name}-{panel.dates[-1].date()}-{digest}"
        load = _loader(self.name)
        try:
            return load(place)
        except CheckpointError:  # not there yet, or damaged: fitted, and replaced as a whole
            self._fitted(panel).save(place)
        return load(place)

    def __repr__(self) -> str:
        # stored with the results, which must not tell where they were made
        return f"StoredFit({self.name})"

    def _fitted(self, panel: "ReturnPanel") -> Any:
        if self.name == OWN:
            from tsgen.generator import fit_generator

            section = self.generator
            return fit_generator(panel, generator_config(section), seed=section.seed, device=section.device)
        from tsgen import baselines

        attribute, options = BASELINES[self.name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fits that needed a guard say so in their notes, which are stored
            return getattr(baselines, attribute).fit(panel, **options)


def _loader(name: str) -> Callable[[Path], Any]:
    if name == OWN:
        from tsgen.generator import load_generator

        return load_generator
    from tsgen.baselines import load_baseline

    return load_baseline


def policies(config: BacktestConfig, panel: "ReturnPanel", folder: Path) -> "dict[str, Policy]":
    """The strategies of a configuration by name: ``equal-weight``, ``tsgen, mean-cvar`` and so on.

    Parameters
    ----------
    config : BacktestConfig
    panel : ReturnPanel
        Only its dates are read.
    folder : Path
        For fitted generators.

    Raises
    ------
    ConfigError, DataError
        If settings do not make sense together, or no date is left to decide on.
    """
    from portfolio import EqualWeightPolicy, HistoricalMomentsPolicy, historical_moments

    wanted = config.backtest
    variance = partial(_mean_variance, section=config.portfolio)
    chosen: dict[str, Policy] = {}
    for name in wanted.strategies:
        if name == EQUAL:
            chosen[name] = EqualWeightPolicy()
        elif name in (HISTORICAL, SHRUNK):
            chosen[f"{name}, mean-variance"] = HistoricalMomentsPolicy(
                optimise=variance, horizon=wanted.horizon, estimate=_shrunk if name == SHRUNK else historical_moments
            )
        else:
            for objective in wanted.objectives:
                rule = variance if objective == "mean-variance" else partial(_mean_cvar, section=config.portfolio)
                chosen[f"{name}, {objective}"] = _scenario_policy(config, panel, folder, name, rule)
    return chosen


def _scenario_policy(
    config: BacktestConfig, panel: "ReturnPanel", folder: Path, name: str, rule: Callable[..., Any]
) -> "Policy":
    from portfolio import ScenarioPolicy

    wanted = config.backtest
    section = config.generator if name == OWN else GeneratorSection()
    fit = StoredFit(name=name, generator=section, _folder=folder)
    first = panel.dates[min(int(panel.dates.searchsorted(_stamp(wanted.start))), panel.n_dates - 1)]
    return ScenarioPolicy(
        fit=fit,
        optimise=rule,
        horizon=wanted.horizon,
        n_scenarios=wanted.n_scenarios,
        retrain=[first] if wanted.retrain == "never" else wanted.retrain,
    )


def _stamp(day: Any) -> "pd.Timestamp":
    import pandas as pd

    return pd.Timestamp(day.isoformat())


def trading_costs(section: BacktestPortfolio) -> "LinearCost | None":
    """The cost object of the section; ``None`` where trading is free."""
    from portfolio import LinearCost

    return LinearCost(section.cost_bps / 10_000.0) if section.cost_bps else None


def _limits(section: BacktestPortfolio, previous: "pd.Series") -> "list[Constraint]":
    from portfolio import Bounds, TurnoverLimit

    limits: list[Constraint] = [Bounds(section.min_weight, section.max_weight)]
    # the first purchase is no turnover that could be limited: full investment needs it
    if section.max_turnover is not None and bool((previous != 0).any()):
        limits.append(TurnoverLimit(section.max_turnover))
    return limits


def _mean_variance(
    outlook: "ScenarioSet | HorizonMoments", *, previous: "pd.Series", section: BacktestPortfolio
) -> "Allocation":
    from portfolio import mean_variance

    return mean_variance(
        outlook,
        risk_aversion=section.risk_aversion,
        constraints=_limits(section, previous),
        costs=trading_costs(section),
        previous=previous,
    )


def _mean_cvar(scenarios: "ScenarioSet", *, previous: "pd.Series", section: BacktestPortfolio) -> "Allocation":
    from portfolio import mean_cvar

    return mean_cvar(
        scenarios,
        risk_aversion=section.cvar_aversion,
        level=section.cvar_level,
        constraints=_limits(section, previous),
        costs=trading_costs(section),
        previous=previous,
    )


def _shrunk(panel: "ReturnPanel", *, horizon: int) -> "HorizonMoments":
    from portfolio import historical_moments
    from portfolio.shrinkage import ledoit_wolf_intensity, shrunk_moments

    return shrunk_moments(historical_moments(panel, horizon=horizon), intensity=ledoit_wolf_intensity(panel))
