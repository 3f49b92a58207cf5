"""`AdaptedDiffusionGenerator`: a fitted generator of return scenarios."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError
from tsgen.generator.generator_config import GeneratorConfig
from tsgen.marketdata import ReturnPanel
from tsgen.networks.score_head import ScoreHead
from tsgen.progress import Progress, silent
from tsgen.random_streams import check_seed, dated_seed
from tsgen.return_kind import ReturnKind
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.block_fan_out import sample_paths
from tsgen.sampling.origin import Origin, origins_at
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.scenario_set import ScenarioSet
from tsgen.single_thread import single_thread
from tsgen.training.training_config import is_count, require
from tsgen.whitening.whitening_protocol import Whitening


@dataclass(frozen=True, kw_only=True)
class FitRecord:
    """What a reader of a stored generator needs to know about its making."""

    assets: tuple[str, ...]
    kind: ReturnKind
    trained_on: str
    """``"panel"`` (one long history) or ``"paths"`` (independent paths from their start)."""
    frequency: str
    training_start: pd.Timestamp | None
    training_cutoff: pd.Timestamp | None
    n_observations: int
    fingerprint: str
    seed: int
    last_share: float
    comparisons: list[dict[str, Any]]
    """Held-out record of every candidate head: what was accepted, and by how much."""
    versions: dict[str, str]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptedDiffusionGenerator:
    """Adapted sequential diffusion generator, as returned by `tsgen.fit_generator`.

    Attributes
    ----------
    config : GeneratorConfig
    record : FitRecord
        Assets, units, training span, data fingerprint, accepted refinements.
    whitening : Whitening
        Closed-form conditional location and scale.
    head : ScoreHead
        Velocity of the innovations: anchor and, if it earned its place, network.
    origin : Origin
        Where unconditioned calls of `sample` start: the end of the training panel, or the start of a path.
    """

    config: GeneratorConfig
    record: FitRecord
    whitening: Whitening
    head: ScoreHead
    origin: Origin

    @property
    def assets(self) -> tuple[str, ...]:
        """Asset names in the order of the last axis."""
        return self.record.assets

    @property
    def kind(self) -> ReturnKind:
        """Return convention of the scenarios."""
        return self.record.kind

    @property
    def training_cutoff(self) -> pd.Timestamp | None:
        """Last date seen in training; ``None`` for paths without dates."""
        return self.record.training_cutoff

    def sample(
        self,
        n_scenarios: int,
        horizon: int,
        *,
        history: ReturnPanel | None = None,
        seed: int,
        sampler: SamplerConfig | None = None,
        n_workers: int = 1,
        device: str = "cpu",
        progress: Progress = silent,
    ) -> ScenarioSet:
        """Generate scenarios of the next ``horizon`` periods.

        Parameters
        ----------
        n_scenarios, horizon : int
            At least 1 each.
        history : ReturnPanel, optional
            Returns up to and including the as-of date, same assets and kind as in training. Default: the end of
            the training panel, or the start of a path if the generator was trained on paths. The longer, the better
            the volatility and correlation filters are warmed up (60 dates or more).
        seed : int
            Same seed, same scenarios, whatever the horizon, the number of scenarios or of workers.
        sampler : SamplerConfig, optional
            Another scheme or number of steps than configured.
        n_workers : int
            Worker processes.
        device : str
            ``"cpu"`` or ``"cuda"``.
        progress : callable
            Receives `tsgen.progress.ProgressEvent`.

        Returns
        -------
        ScenarioSet
            Returns of shape (n_scenarios, horizon, asset). Its as-of date is the last date that was seen in any way:
            the end of the history or of the training data, whichever is later. A history that ends before the training
            cut-off
            is useful for calibration in sample, and the later date then keeps it out of honest backtests.

        Raises
        ------
        ConfigError
            If a count is not positive, or the horizon exceeds what the training paths support.
        DataError
            If the history does not match the training data.
        """
        require(is_count(n_scenarios, at_least=1), f"n_scenarios must be a positive integer: got {n_scenarios!r}.")
        require(is_count(horizon, at_least=1), f"horizon must be a positive integer of periods: got {horizon!r}.")
        require(is_count(n_workers, at_least=1), f"n_workers must be a positive integer: got {n_workers!r}.")
        check_seed(seed)
        check_device(device)
        if history is not None:
            self._check_history(history)
        origin = self.origin if history is None else self._origins(history, [history.n_dates])[0]
        self._check_horizon(horizon, 0 if history is None else history.n_dates)
        used = self.config.sampler if sampler is None else sampler
        require(isinstance(used, SamplerConfig), f"sampler must be a SamplerConfig: got {type(used).__name__}.")
        paths = sample_paths(
            self._sampler(used),
            origin,
            n_scenarios,
            horizon,
            seed=seed,
            n_workers=n_workers,
            device=device,
            progress=progress,
        )
        cutoff = self.record.training_cutoff
        seen = [stamp for stamp in (cutoff, None if history is None else history.dates[-1]) if stamp is not None]
        facts = {
            "generator": "adapted diffusion",
            "seed": int(seed),
            "scheme": used.scheme,
            "n_steps": used.n_steps,
            "block_size": used.block_size,
            "training_fingerprint": self.record.fingerprint,
            "history_end": None if history is None else history.dates[-1].isoformat(),
            "training_cutoff": None if cutoff is None else cutoff.isoformat(),
        }
        return ScenarioSet.from_tensor(
            paths, assets=self.assets, kind=self.kind, asof=max(seen, default=None), provenance=facts
        )

    def _check_horizon(self, horizon: int, elapsed: int) -> None:
        limit = self.whitening.max_periods
        if limit is not None and elapsed + horizon > limit:
            raise ConfigError(
                f"this generator was trained on paths of {limit} periods whose law it knows only up to there: asked "
                "for "
                f"{elapsed} + {horizon}. Ask for at most {limit - elapsed}, or train on longer paths."
            )

    def sample_at(
        self, panel: ReturnPanel, dates: Sequence[pd.Timestamp], n_scenarios: int, horizon: int, *, seed: int
    ) -> Iterator[NDArray[np.float64]]:
        """Scenarios as of many dates of one panel, in a single pass over it (re-conditioning without re-training).

        Parameters
        ----------
        panel : ReturnPanel
            Recorded returns; only those up to each date are used for it.
        dates : sequence of Timestamp
            Increasing as-of dates, all in the panel.
        n_scenarios, horizon : int
        seed : int
            Each date has its own noise, from `tsgen.random_streams.dated_seed`.

        Yields
        ------
        ndarray of shape (n_scenarios, horizon, asset), float64
            Equal to ``sample(..., history=panel.until(date), seed=dated_seed(seed, date.isoformat())).returns``.

        Raises
        ------
        DataError
            If a date is not in the panel, or the dates do not increase.
        """
        require(is_count(n_scenarios, at_least=1), f"n_scenarios must be a positive integer: got {n_scenarios!r}.")
        require(is_count(horizon, at_least=1), f"horizon must be a positive integer of periods: got {horizon!r}.")
        if len(dates) == 0:
            raise DataError("no as-of dates were given: pass at least one date of panel.dates.")
        stamps = pd.DatetimeIndex(list(dates))
        observed = panel.dates.get_indexer(stamps) + 1
        if (observed == 0).any() or not stamps.is_monotonic_increasing:
            raise DataError("as-of dates must increase and be dates of the panel: use a subset of panel.dates.")
        self._check_horizon(horizon, int(observed.max(initial=0)))
        sampler = self._sampler(self.config.sampler)
        for stamp, origin in zip(stamps, self._origins(panel, observed.tolist()), strict=True):
            own = dated_seed(seed, stamp.isoformat())
            yield sample_paths(sampler, origin, n_scenarios, horizon, seed=own).numpy().astype(np.float64)

    def _sampler(self, config: SamplerConfig) -> ConditionalSampler:
        return ConditionalSampler(
            head=self.head,
            whitening=self.whitening,
            config=config,
            last_share=self.record.last_share,
            evaluate_start=self.config.whitening == "identity",
        )

    def _origins(self, history: ReturnPanel, observed: list[int]) -> list[Origin]:
        """States after parts of a recorded history, from its first date on."""
        self._check_history(history)
        returns = torch.from_numpy(history.values.copy())
        with single_thread():
            return origins_at(self.whitening, returns, observed, self.config.head.lookback)

    def _check_history(self, history: ReturnPanel) -> None:
        if not isinstance(history, ReturnPanel):
            raise ConfigError(
                f"history must be a ReturnPanel: got {type(history).__name__}. Use tsgen.load_returns for prices or "
                "ReturnPanel(returns, kind=...) for returns."
            )
        if history.assets != self.assets:
            missing = [a for a in self.assets if a not in history.assets]
            raise DataError(
                f"history must have the assets of the training data in their order: expected {list(self.assets)}, got "
                f"{list(history.assets)}{f' (missing {missing})' if missing else ''}. "
                "Use history.select(generator.assets)."
            )
        if history.kind != self.kind:
            raise DataError(
                f"history has {history.kind} returns, the generator was trained on {self.kind} returns. "
                f"Use history.to_kind({self.kind!r})."
            )

    def save(self, folder: str | Path) -> None:
        """Write the generator as a folder of safetensors and JSON, complete or not at all.

        Raises
        ------
        StorageError
            If the operating system refuses; an earlier folder of that name is then untouched.
        """
        from tsgen.generator.storage import save_generator

        save_generator(self, folder)

    def __repr__(self) -> str:
        cutoff = self.record.training_cutoff
        until = "" if cutoff is None else f", trained to {cutoff.date()}"
        return (
            f"AdaptedDiffusionGenerator({len(self.assets)} assets, {self.kind} returns, {self.record.frequency}, "
            f"{self.whitening.kind} whitening, {describe_head(self.head)}{until})"
        )

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self.record.comparisons)
        return (
            f"<p><b>{repr(self).replace('<', '&lt;')}</b></p>{table.to_html(index=False, float_format='{:.5f}'.format)}"
        )


def describe_head(head: ScoreHead) -> str:
    """Anchor and network in words."""
    anchor = "standard normal anchor" if head.anchor is None else f"mixture anchor ({head.shape.n_components})"
    return f"{anchor} + network ({head.shape.context} context)" if head.shape.learned else anchor


def check_device(device: str) -> None:
    """Raise `ConfigError` unless ``device`` is the CPU or an available CUDA device."""
    if not isinstance(device, str) or (
        device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available())
    ):
        raise ConfigError(
            f"device {device!r} is not available here (torch {torch.__version__}). Use device='cpu', or install a "
            "torch "
            "build for your GPU as the README describes."
        )
