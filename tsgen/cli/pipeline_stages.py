"""The work of every stage: files in, one file or folder out, facts for the ledger returned."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import pandas as pd

from tsgen.cli.generator_settings import generator_config
from tsgen.cli.panel_loading import SplitPanel
from tsgen.cli.portfolio_settings import optimise
from tsgen.cli.program_versions import program_versions
from tsgen.cli.run_config import RunConfig
from tsgen.cli.stage_ledger import StageEntry
from tsgen.cli.weights_file import read_weight_table, write_weights
from tsgen.errors import DataError
from tsgen.marketdata import ReturnPanel
from tsgen.progress import Progress, ProgressEvent
from tsgen.scenario_set import ScenarioSet

if TYPE_CHECKING:
    from portfolio import Allocation
    from tsgen.report import Policy

OWN, HISTORICAL, EQUAL = "tsgen scenarios", "historical moments", "equal weight"
_FEWEST_LATER_DATES = 20


@final
class RunFolder:
    """Names in a run folder."""

    GENERATOR, SCENARIOS, WEIGHTS, REPORT, MANIFEST = (
        "generator",
        "scenarios.parquet",
        "weights.csv",
        "report.html",
        "manifest.json",
    )
    OUTPUTS = (GENERATOR, SCENARIOS, WEIGHTS, REPORT, MANIFEST)

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Full path of one of the names."""
        return self.root / name


def column_of(policy: str) -> str:
    """Column of a policy in weights.csv.

    Examples
    --------
    >>> column_of("equal weight")
    'equal_weight'
    """
    return policy.replace(" ", "_")


def fit_stage(config: RunConfig, folder: RunFolder, train: ReturnPanel, progress: Progress) -> dict[str, Any]:
    """Fit the generator to the training panel and save it."""
    from tsgen.generator import fit_generator

    generator = fit_generator(
        train,
        generator_config(config.generator),
        seed=config.generator.seed,
        device=config.generator.device,
        progress=progress,
    )
    generator.save(folder.path(RunFolder.GENERATOR))
    return {"generator": repr(generator)}


def sample_stage(config: RunConfig, folder: RunFolder, progress: Progress) -> dict[str, Any]:
    """Sample from the saved generator, starting at the end of its training panel."""
    from tsgen.generator import load_generator

    wanted = config.scenarios
    scenarios = load_generator(folder.path(RunFolder.GENERATOR)).sample(
        wanted.n,
        wanted.horizon,
        seed=wanted.seed,
        n_workers=wanted.workers,
        device=config.generator.device,
        progress=progress,
    )
    scenarios.save(folder.path(RunFolder.SCENARIOS))
    return {"scenarios": repr(scenarios)}


def optimise_stage(
    config: RunConfig, folder: RunFolder, train: ReturnPanel, previous: pd.Series | None, progress: Progress
) -> dict[str, Any]:
    """Weights of the three policies, in one file."""
    progress(ProgressEvent("optimise", 0, 3, OWN))
    from portfolio import equal_weight, historical_moments

    scenarios = ScenarioSet.load(folder.path(RunFolder.SCENARIOS))
    allocations: dict[str, Allocation] = {OWN: optimise(scenarios, config.portfolio, previous=previous)}
    progress(ProgressEvent("optimise", 1, 3, HISTORICAL))
    past = historical_moments(train, horizon=scenarios.horizon)
    allocations[HISTORICAL] = optimise(past, config.portfolio, previous=previous)
    allocations[EQUAL] = equal_weight(scenarios.assets)
    table = pd.DataFrame({column_of(name): a.weights for name, a in allocations.items()})
    write_weights(table, folder.path(RunFolder.WEIGHTS))
    progress(ProgressEvent("optimise", 3, 3, EQUAL))
    return {
        name: {"status": a.status, "objective": a.objective, "diagnostics": a.diagnostics}
        for name, a in allocations.items()
    }


def report_stage(
    facts: dict[str, Any], folder: RunFolder, panels: SplitPanel, chosen: StageEntry, progress: Progress
) -> dict[str, Any]:
    """The report; returns the headline numbers."""
    progress(ProgressEvent("report", 0, 5, "moments"))
    from portfolio import historical_moments, scenario_moments
    from tsgen.generator import load_generator
    from tsgen.report import RunReport, write_report

    scenarios = ScenarioSet.load(folder.path(RunFolder.SCENARIOS))
    generator = load_generator(folder.path(RunFolder.GENERATOR))
    policies, remarks = _policies(folder, panels, chosen, facts["portfolio"], progress)
    views = {
        "the scenarios": scenario_moments(scenarios),
        "history": historical_moments(panels.train, horizon=scenarios.horizon),
    }
    report = RunReport(
        title=f"Scenarios and weights: {panels.train.source}, as of {panels.train.dates[-1].date()}",
        train=panels.train,
        test=panels.test,
        scenarios=scenarios,
        generator=generator,
        policies=policies,
        views=views,
        limits=(*_limits(panels.train, views["the scenarios"]), *remarks),
        facts=_provenance(facts, panels, chosen, generator.record.versions),
    )
    progress(ProgressEvent("report", 4, 5, "charts"))
    write_report(report, folder.path(RunFolder.REPORT))
    progress(ProgressEvent("report", 5, 5))
    return {"realised": {p.name: None if p.realised is None else p.realised.to_dict() for p in policies}}


def _policies(
    folder: RunFolder, panels: SplitPanel, chosen: StageEntry, settings: dict[str, Any], progress: Progress
) -> "tuple[tuple[Policy, ...], list[str]]":
    from portfolio import Allocation
    from tsgen.report import Policy

    table = read_weight_table(folder.path(RunFolder.WEIGHTS))
    rule = f"mean-variance, risk aversion {settings['risk_aversion']:g}"
    basis = {
        OWN: f"{rule}, moments of the scenarios",
        HISTORICAL: f"{rule}, moments of all {panels.train.n_dates:,} training dates",
        EQUAL: "nothing: 1/N",
    }
    policies, remarks = [], []
    for i, (name, text) in enumerate(basis.items()):
        allocation = Allocation(weights=table[column_of(name)], **chosen.facts[name])
        realised, remark = _realised(panels.test, allocation, name)
        policies.append(Policy(name=name, basis=text, allocation=allocation, realised=realised))
        remarks += remark
        progress(ProgressEvent("report", i + 1, 5, f"what happened to {name}"))
    return tuple(policies), remarks


def _realised(test: ReturnPanel | None, allocation: "Allocation", name: str) -> tuple[Any, list[str]]:
    from portfolio import realised_performance

    if test is None or test.n_dates < _FEWEST_LATER_DATES:
        return None, []
    if test.frequency == "irregular":
        return None, [
            f"No realised performance of the policy {name}: the dates are irregular, nothing can be annualised."
        ]
    try:
        return realised_performance(test, allocation), []
    except DataError as error:  # for example bankrupt after the as-of date: worth a line, not the loss of the report
        return None, [f"No realised performance of the policy {name}: {error}"]


def _limits(train: ReturnPanel, moments: Any) -> list[str]:
    limits = []
    biases = train.provenance.get("known_biases")
    if biases:
        limits.append(f"Known biases of these data: {biases}")
    error, mean = moments.mean_standard_error, moments.mean
    if error is not None:
        limits.append(
            f"Expected returns are the weakest input: over the assets they range from {mean.min():+.2%} to "
            f"{mean.max():+.2%} over the horizon, with standard errors of up to {error.max():.2%} from the number of "
            "scenarios alone; the error of having learned them from one history comes on top."
        )
    limits.append(
        "One as-of date is one observation: nothing here shows that one policy is better than another in general."
    )
    return limits


def _provenance(
    facts: dict[str, Any], panels: SplitPanel, chosen: StageEntry, fitted_with: dict[str, str]
) -> dict[str, dict[str, Any]]:
    settings = {
        f"{section}.{key}": value
        for section, content in facts.items()
        for key, value in content.items()
        if value not in (None, [], {})
        and not (isinstance(value, dict) and not any(v is not None for v in value.values()))
    }
    spans = {"training fingerprint (SHA-256)": panels.train.fingerprint()}
    if panels.test is not None:
        spans["later data fingerprint (SHA-256)"] = panels.test.fingerprint()
    return {
        "Configuration": settings,
        "Data": spans,
        "Optimiser": {name: one["status"] for name, one in chosen.facts.items()},
        "Program": program_versions() | {f"fitted with {k}": v for k, v in fitted_with.items()},
    }
