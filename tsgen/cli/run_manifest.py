"""The manifest of a run: what went in, what came out, and in a section of its own how it went."""

from datetime import UTC, datetime
from typing import Any

from tsgen.cli.panel_loading import SplitPanel, panel_facts
from tsgen.cli.peak_memory import peak_memory_mb
from tsgen.cli.pipeline_stages import RunFolder
from tsgen.cli.program_versions import host_facts, program_versions
from tsgen.cli.run_config import RunConfig
from tsgen.cli.stage_ledger import StageEntry
from tsgen.complete_files import write_json

SCHEMA_VERSION = 1


def _peak(entries: dict[str, StageEntry]) -> float | None:
    peaks = [peak_memory_mb(), *(e.peak_memory_mb for e in entries.values())]
    known = [p for p in peaks if p is not None]
    return max(known) if known else None


def write_manifest(
    folder: RunFolder,
    config: RunConfig,
    panels: SplitPanel,
    entries: dict[str, StageEntry],
    *,
    seconds: dict[str, float],
    started: datetime,
) -> dict[str, Any]:
    """Write manifest.json and return its content.

    Everything outside ``"run"`` is the same for an uninterrupted and a resumed run. Durations in seconds; a stage
    that was resumed has the duration of when it was done, ``total`` is that of the last start.
    """
    files = {path: digest for e in entries.values() for path, digest in e.outputs.items()}
    content = {
        "schema_version": SCHEMA_VERSION,
        "config": config.facts(),
        "seeds": {"generator": config.generator.seed, "scenarios": config.scenarios.seed},
        "versions": program_versions(),
        "data": panel_facts(panels.train, panels.test),
        "files": {
            path: {"sha256": digest, "bytes": folder.path(path).stat().st_size} for path, digest in files.items()
        },
        "results": {
            "generator": entries["fit"].facts["generator"],
            "scenarios": entries["sample"].facts["scenarios"],
            "policies": entries["optimise"].facts,
            "realised": entries["report"].facts["realised"],
        },
        "run": {
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": {**seconds, **{name: e.seconds for name, e in entries.items()}},
            "peak_memory_mb": _peak(entries),
            "resumed_stages": [name for name, e in entries.items() if e.resumed],
            "host": host_facts(),
        },
    }
    write_json(folder.path(RunFolder.MANIFEST), content)
    return content
