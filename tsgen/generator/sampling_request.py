"""What a call of `sample` asks for: checked arguments, the state to start from, the facts that travel with it."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from tsgen.errors import ConfigError
from tsgen.generator.fit_record import FitRecord
from tsgen.marketdata import ReturnPanel
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.origin import Origin
from tsgen.sampling.partitioned_sampling import PartTask, model_digest, scenarios_per_part
from tsgen.scenario_parts import PartsHeader
from tsgen.whole_numbers import whole_number


class SamplingRequest(NamedTuple):
    """A checked request."""

    sampler: ConditionalSampler
    origin: Origin
    asof: pd.Timestamp | None
    """Last date that was seen in any way: the end of the history or of the training data, whichever is later."""
    provenance: dict[str, Any]


def checked_counts(n_scenarios: int, horizon: int, n_workers: int = 1) -> tuple[int, int, int]:
    """The three as Python integers; raise `ConfigError` unless they are positive."""
    return (
        whole_number(n_scenarios, "n_scenarios"),
        whole_number(horizon, "horizon", of="periods"),
        whole_number(n_workers, "n_workers"),
    )


def check_horizon(limit: int | None, horizon: int, elapsed: int) -> None:
    """Raise `ConfigError` if the law is not known for ``horizon`` periods after ``elapsed`` ones."""
    if limit is not None and elapsed + horizon > limit:
        raise ConfigError(
            f"this generator was trained on paths of {limit} periods whose law it knows only up to there: asked for "
            f"{elapsed} + {horizon}. "
            + (f"Ask for at most {limit - elapsed}, or train" if limit > elapsed else "Shorten the history, or train")
            + " on longer paths."
        )


def check_device(device: str) -> None:
    """Raise `ConfigError` unless ``device`` is the CPU or an available CUDA device."""
    if not isinstance(device, str) or (
        device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available())
    ):
        raise ConfigError(
            f"device {device!r} is not available here (torch {torch.__version__}). Use device='cpu', or install a "
            "torch build for your GPU as the README describes."
        )


def sampling_request(
    record: FitRecord, sampler: ConditionalSampler, origin: Origin, history: ReturnPanel | str | None, seed: int
) -> SamplingRequest:
    """Put a checked request together with its as-of date and provenance."""
    cutoff = record.training_cutoff
    end = history.dates[-1] if isinstance(history, ReturnPanel) else None
    seen = [stamp for stamp in (cutoff, end) if stamp is not None]
    facts = {
        "generator": "adapted diffusion",
        "seed": int(seed),
        "scheme": sampler.config.scheme,
        "n_steps": sampler.config.n_steps,
        "block_size": sampler.config.block_size,
        "training_fingerprint": record.fingerprint,
        "start": history if isinstance(history, str) else "as-of date",
        "history_end": None if end is None else end.isoformat(),
        "training_cutoff": None if cutoff is None else cutoff.isoformat(),
    }
    return SamplingRequest(sampler, origin, max(seen, default=None), facts)


def parts_task(
    asked: SamplingRequest,
    record: FitRecord,
    folder: str | Path,
    n_scenarios: int,
    horizon: int,
    *,
    seed: int,
    device: str,
) -> PartTask:
    """The request as a folder of parts; its provenance holds everything that determines the numbers."""
    header = PartsHeader(
        assets=record.assets,
        kind=record.kind,
        asof=None if asked.asof is None else asked.asof.isoformat(),
        n_scenarios=n_scenarios,
        horizon=horizon,
        scenarios_per_part=scenarios_per_part(asked.sampler.config.block_size, horizon, len(record.assets)),
        provenance={
            **asked.provenance,
            "model_sha256": model_digest(asked.sampler, asked.origin),
            "device": device,
            "torch": torch.__version__,
        },
    )
    return PartTask(asked.sampler, asked.origin, header, seed, device, Path(folder))
