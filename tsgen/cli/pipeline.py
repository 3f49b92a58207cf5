"""The whole job in stages: load, fit, sample, optimise, report, manifest.

Each stage reads the files of the stages before it, never what happens to be in memory; so a resumed run does exactly
what an uninterrupted one does and its files are the same to the byte.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

import pandas as pd

from tsgen.cli.folder_lock import folder_lock
from tsgen.cli.panel_loading import SplitPanel, load_panel, span_facts
from tsgen.cli.pipeline_stages import RunFolder, fit_stage, optimise_stage, report_stage, sample_stage
from tsgen.cli.run_config import RunConfig
from tsgen.cli.run_manifest import write_manifest
from tsgen.cli.stage_ledger import StageEntry, StageLedger
from tsgen.cli.weights_file import read_weights
from tsgen.complete_files import sha256_of
from tsgen.progress import Progress, ProgressEvent


@final
@dataclass(frozen=True, kw_only=True)
class PipelineResult:
    """Where the results are, and the manifest's content."""

    folder: Path
    manifest: dict[str, Any]


def identity_facts(config: RunConfig) -> dict[str, Any]:
    """The configuration without what cannot change results (the number of workers)."""
    content = config.facts()
    del content["scenarios"]["workers"]
    return content


def run_pipeline(config: RunConfig, folder: Path, *, force: bool, progress: Progress) -> PipelineResult:
    """Run every stage that is not finished yet.

    Parameters
    ----------
    config : RunConfig
    folder : Path
        The run folder; made if needed.
    force : bool
        Take over a folder of another configuration.
    progress : callable
        Receives `tsgen.progress.ProgressEvent`.

    Returns
    -------
    PipelineResult

    Raises
    ------
    TsgenError
        Of the stage that failed; finished stages stay and are not repeated next time.
    """
    started, began = datetime.now(UTC), time.perf_counter()
    from tsgen.cli.generator_settings import generator_config

    generator_config(config.generator)  # a bad setting is reported before anything is loaded
    progress(ProgressEvent("load", 0, 1, config.data.source))
    panels = load_panel(config.data)
    previous, previous_digest = _previous(config)
    progress(ProgressEvent("load", 1, 1, repr(panels.train)))
    load_seconds = round(time.perf_counter() - began, 3)
    with folder_lock(folder):
        ledger = StageLedger(folder)
        data = {"train": span_facts(panels.train), "test": None if panels.test is None else span_facts(panels.test)}
        identity = {"config": identity_facts(config), "data": data, "previous": previous_digest}
        ledger.open(identity, outputs=RunFolder.OUTPUTS, force=force)
        entries = _stages(config, RunFolder(folder), panels, previous, identity, ledger, progress)
        manifest = write_manifest(
            RunFolder(folder),
            config,
            panels,
            entries,
            seconds={"load": load_seconds, "total": round(time.perf_counter() - began, 3)},
            started=started,
        )
    return PipelineResult(folder=folder, manifest=manifest)


def _previous(config: RunConfig) -> tuple[pd.Series | None, str | None]:
    if config.portfolio.previous is None:
        return None, None
    path = Path(config.portfolio.previous)
    return read_weights(path, column=config.portfolio.previous_column), sha256_of(path)


def _stages(
    config: RunConfig,
    folder: RunFolder,
    panels: SplitPanel,
    previous: pd.Series | None,
    identity: dict[str, Any],
    ledger: StageLedger,
    progress: Progress,
) -> dict[str, StageEntry]:
    facts, data = identity["config"], identity["data"]
    entries: dict[str, StageEntry] = {}

    def stage(name: str, inputs: dict[str, Any], output: str, work: Callable[[], dict[str, Any]]) -> StageEntry:
        entry = ledger.stage(name, inputs, [output], work, clock=time.perf_counter)
        if entry.resumed:
            progress(ProgressEvent(name, 1, 1, "already complete"))
        entries[name] = entry
        return entry

    fit = stage(
        "fit",
        {"data": data["train"], "generator": facts["generator"]},
        RunFolder.GENERATOR,
        lambda: fit_stage(config, folder, panels.train, progress),
    )
    sample = stage(
        "sample",
        {"generator": fit.outputs, "device": config.generator.device, "scenarios": facts["scenarios"]},
        RunFolder.SCENARIOS,
        lambda: sample_stage(config, folder, progress),
    )
    chosen = stage(
        "optimise",
        {
            "scenarios": sample.outputs,
            "data": data["train"],
            "portfolio": facts["portfolio"],
            "previous": identity["previous"],
        },
        RunFolder.WEIGHTS,
        lambda: optimise_stage(config, folder, panels.train, previous, progress),
    )
    stage(
        "report",
        {"identity": identity, **{e: entries[e].outputs for e in ("fit", "sample", "optimise")}},
        RunFolder.REPORT,
        lambda: report_stage(facts, folder, panels, chosen, progress),
    )
    return entries
