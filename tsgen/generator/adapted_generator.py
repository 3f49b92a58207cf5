"""`AdaptedDiffusionGenerator`: a fitted generator of return scenarios."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError
from tsgen.generator.fit_record import FitRecord
from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.sampling_request import (
    SamplingRequest,
    check_device,
    check_horizon,
    checked_counts,
    parts_task,
    sampling_request,
)
from tsgen.marketdata import ReturnPanel
from tsgen.marketdata.history_check import check_history
from tsgen.networks.score_head import ScoreHead
from tsgen.progress import Progress, silent
from tsgen.random_streams import check_seed, dated_seed
from tsgen.return_kind import ReturnKind
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.block_fan_out import sample_paths
from tsgen.sampling.origin import Origin, origins_at
from tsgen.sampling.partitioned_sampling import sample_parts
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.scenario_parts import ScenarioParts
from tsgen.scenario_set import ScenarioSet
from tsgen.single_thread import single_thread
from tsgen.training.training_config import require
from tsgen.whitening.limited_loss import modelled
from tsgen.whitening.residual_map import ResidualMap
from tsgen.whitening.whitening_protocol import Whitening


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
    residual_map : ResidualMap, optional
        Correction of the innovation law; panels with 250 innovations or more.
    start_states : Origin, optional
        States on training dates, for unconditional paths (panels only).
    """

    config: GeneratorConfig
    record: FitRecord
    whitening: Whitening
    head: ScoreHead
    origin: Origin
    residual_map: ResidualMap | None = None
    start_states: Origin | None = None

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
        history: ReturnPanel | Literal["stationary"] | None = None,
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
        history : ReturnPanel or "stationary", optional
            Returns up to and including the as-of date, same assets and kind as in training. Default: the end of
            the training panel, or the start of a path if the generator was trained on paths. The longer, the better
            the volatility and correlation filters are warmed up (60 dates or more). ``"stationary"``: unconditional
            paths, each from the state of a training date drawn at random.
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
        n_scenarios, horizon, n_workers = checked_counts(n_scenarios, horizon, n_workers)
        asked = self._request(horizon, history, seed, sampler, device)
        paths = sample_paths(
            asked.sampler,
            asked.origin,
            n_scenarios,
            horizon,
            seed=seed,
            n_workers=n_workers,
            device=device,
            progress=progress,
        )
        return ScenarioSet.from_tensor(
            paths, assets=self.assets, kind=self.kind, asof=asked.asof, provenance=asked.provenance
        )

    def sample_to_parquet(
        self,
        folder: str | Path,
        n_scenarios: int,
        horizon: int,
        *,
        history: ReturnPanel | Literal["stationary"] | None = None,
        seed: int,
        sampler: SamplerConfig | None = None,
        n_workers: int = 1,
        device: str = "cpu",
        progress: Progress = silent,
    ) -> ScenarioParts:
        """Generate scenarios into a folder of Parquet parts: as many as the disk holds, in constant memory.

        Parameters
        ----------
        folder : str or Path
            New, empty, or left by an interrupted call with the same arguments, which is then finished.
        n_scenarios, horizon, history, seed, sampler, n_workers, device, progress
            As in `sample`; the bytes of every part are the same for any ``n_workers``.

        Returns
        -------
        ScenarioParts
            The scenarios of `sample` with the same arguments, read part by part. Parts hold float32, which is what
            is generated: nothing is rounded.

        Raises
        ------
        ConfigError, DataError
            As `sample`.
        StorageError
            If the folder holds other files or the scenarios of another request, or cannot be written.
        """
        n_scenarios, horizon, n_workers = checked_counts(n_scenarios, horizon, n_workers)
        asked = self._request(horizon, history, seed, sampler, device)
        task = parts_task(asked, self.record, folder, n_scenarios, horizon, seed=seed, device=device)
        return sample_parts(task, n_workers=n_workers, progress=progress)

    def _request(
        self,
        horizon: int,
        history: ReturnPanel | Literal["stationary"] | None,
        seed: int,
        sampler: SamplerConfig | None,
        device: str,
    ) -> SamplingRequest:
        """Check the arguments of `sample` and find the state to start from."""
        check_seed(seed)
        check_device(device)
        observed = 0 if history is None or isinstance(history, str) else self._observed(history)
        check_horizon(self.whitening.max_periods, horizon, observed)
        origin = self._start(history, observed)
        used = self.config.sampler if sampler is None else sampler
        require(isinstance(used, SamplerConfig), f"sampler must be a SamplerConfig: got {type(used).__name__}.")
        return sampling_request(self.record, self._sampler(used), origin, history, seed)

    def _start(self, history: ReturnPanel | Literal["stationary"] | None, observed: int) -> Origin:
        """The state, or the states, from which paths begin."""
        if history is None:
            return self.origin
        if not isinstance(history, str):
            return self._origins(history, [observed])[0]
        require(history == "stationary", f"history must be a ReturnPanel or 'stationary': got {history!r}.")
        if self.start_states is None:
            raise ConfigError(
                "this generator was trained on paths from their start: they have no stationary starting state. Leave "
                "history out."
            )
        return self.start_states

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
        n_scenarios, horizon, _ = checked_counts(n_scenarios, horizon)
        if len(dates) == 0:
            raise DataError("no as-of dates were given: pass at least one date of panel.dates.")
        stamps = pd.DatetimeIndex(list(dates))
        observed = panel.dates.get_indexer(stamps) + 1
        if (observed == 0).any() or not stamps.is_monotonic_increasing:
            raise DataError("as-of dates must increase and be dates of the panel: use a subset of panel.dates.")
        check_horizon(self.whitening.max_periods, horizon, int(observed.max(initial=0)))
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
            residual_map=self.residual_map,
            limited_losses=self.record.limited_losses,
        )

    def _observed(self, history: ReturnPanel) -> int:
        return check_history(
            history, assets=self.assets, kind=self.kind, frequency=self.record.frequency, model="generator"
        )

    def _origins(self, history: ReturnPanel, observed: list[int]) -> list[Origin]:
        """States after parts of a recorded history, from its first date on."""
        self._observed(history)
        returns = modelled(history.values, limited_losses=self.record.limited_losses)
        with single_thread():
            return origins_at(self.whitening, returns, observed, self.config.head.lookback)

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
        mapped = "" if self.residual_map is None else " + residual map"
        return (
            f"AdaptedDiffusionGenerator({len(self.assets)} assets, {self.kind} returns, {self.record.frequency}, "
            f"{self.whitening.kind} whitening, {describe_head(self.head)}{mapped}{until})"
        )

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self.record.comparisons)
        return (
            f"<p><b>{repr(self).replace('<', '&lt;')}</b></p>{table.to_html(index=False, float_format='{:.5f}'.format)}"
        )


def describe_head(head: ScoreHead) -> str:
    """Anchor and network in words."""
    anchor = "standard normal anchor" if head.anchor is None else f"mixture anchor ({head.shape.n_components})"
    if head.shape.residual == "student_t":
        anchor = "Student-t anchor"
    if head.shape.residual == "coordinates":
        anchor = f"coordinate anchor ({head.shape.n_components})"
    if head.shape.n_regimes:
        anchor = f"regime anchor ({head.shape.n_regimes})"
    return f"{anchor} + network ({head.shape.context} context)" if head.shape.learned else anchor
