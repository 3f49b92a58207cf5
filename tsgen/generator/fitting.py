"""Fitting: whiten, let the heads compete on held-out data, then refit on everything."""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from torch import Tensor

from tsgen.diffusion.angle_grid import STOCHASTIC_SMALLEST_TANGENT
from tsgen.errors import ConfigError
from tsgen.generator.adapted_generator import AdaptedDiffusionGenerator, FitRecord, check_device
from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.held_out_choice import Choice, choose_on_held_out
from tsgen.generator.long_run_level import PanelWhitening, keeping_level
from tsgen.generator.residual_map_fit import FEWEST_RESIDUALS, common_direction, fit_residual_map, innovation_bank
from tsgen.generator.training_data import TrainingData, training_data
from tsgen.generator.whitened_data import FILTER_BURN_IN, fit_whitening, whitened_rows
from tsgen.marketdata import ReturnPanel
from tsgen.one_numeric_thread import one_numeric_thread
from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.random_streams import check_seed
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.origin import Origin, joined, origin_at_start, origins_at
from tsgen.scenario_set import ScenarioSet
from tsgen.single_thread import single_thread
from tsgen.training.head_selection import refit_head
from tsgen.training.last_step_share import residual_share
from tsgen.training.training_rows import TrainingRows
from tsgen.training.velocity_bias import guard_head
from tsgen.whitening.residual_map import ResidualMap
from tsgen.whitening.whitening_protocol import Whitening

_START_STATE_NUMBERS = 500_000  # 4 MB in a stored generator
_LEVEL_DRAWS = 64_000
_LAST_SHARE_RANGE = (0.05, 1.5)


def fit_generator(
    data: ReturnPanel | ScenarioSet,
    config: GeneratorConfig | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> AdaptedDiffusionGenerator:
    """Fit an adapted diffusion generator.

    Parameters
    ----------
    data : ReturnPanel or ScenarioSet
        One long history (at least 200 dates), or independent paths from their start (at least 100).
    config : GeneratorConfig, optional
        Default: ``GeneratorConfig.preset("default")``.
    seed : int
        Initial weights, batches and noise; same seed, same generator.
    device : str
        Where the network trains; the fitted generator is returned on the CPU.
    progress : callable, optional
        Receives `tsgen.progress.ProgressEvent`.

    Returns
    -------
    AdaptedDiffusionGenerator

    Raises
    ------
    DataError
        If the data are too short, constant or weighted.
    ConfigError
        If the device is not available or ``data`` has another type.

    Notes
    -----
    1. On the first part of the data: fit the whitening, whiten, train the candidate heads; judge them on the last
       part (in time, with a gap; or the last paths). A refinement of the closed-form anchor is accepted only if its
       held-out loss is lower by more than two standard errors and, for a panel, its roll-outs are as well calibrated.
    2. On all data: refit the whitening and train the chosen head for the number of steps found in 1. Innovations of a
       panel are centred, so the closed forms leave the expected return to the whitening, where it is shrunk and moves.
    3. For a panel with 250 innovations or more, unless ``anchor_is_floor=False``: map the quantiles of what the head
       generates to those of the innovations (`tsgen.whitening.residual_map`).
    4. For a panel whose volatility moves: simulate 240 periods and divide what feeds volatility in roll-outs, so that
       its level is that of the training dates or down to a third below (`tsgen.generator.long_run_level`).

    References
    ----------
    Cao, Chen, Han, Xu (2026), arXiv 2606.06007.

    Examples
    --------
    >>> paths = ScenarioSet(np.random.default_rng(0).normal(size=(200, 4, 1)), assets=["X"], kind="log")
    >>> generator = fit_generator(paths, GeneratorConfig.preset("fast"))
    >>> generator.sample(3, 4, seed=1)
    ScenarioSet(3 scenarios x 4 periods x 1 assets, log returns)
    """
    with one_numeric_thread(), single_thread():
        return _fit(data, GeneratorConfig() if config is None else config, seed, device, progress)


def _fit(
    data: ReturnPanel | ScenarioSet, config: GeneratorConfig, seed: int, device: str, progress: Progress | None
) -> AdaptedDiffusionGenerator:
    listener = silent if progress is None else progress
    if not isinstance(config, GeneratorConfig):
        raise ConfigError(
            f"config must be a GeneratorConfig: got {type(config).__name__}. "
            "For a preset use GeneratorConfig.preset('fast')."
        )
    check_seed(seed)
    check_device(device)
    training = training_data(data, config)
    choice = choose_on_held_out(training, config, seed=seed, device=device, progress=listener)
    whitening = fit_whitening(training.paths, is_panel=training.is_panel, config=config, family=choice.family)
    rows = whitened_rows(whitening, training.paths, config, device)
    everything = torch.arange(FILTER_BURN_IN if training.is_panel else 0, rows.n_rows)
    if training.is_panel:
        rows = rows.centred(everything)
    head = refit_head(choice.selection, rows, everything, config.training, seed=seed, progress=listener)
    if not training.is_panel and config.head.anchor_is_floor:
        head = guard_head(head, rows, everything, seed=seed)
    share = residual_share(head, rows, everything, tau=float(np.arctan(STOCHASTIC_SMALLEST_TANGENT)), seed=seed)
    listener(ProgressEvent("whitening", 2, 2, "refit"))
    fitted = head.cpu().requires_grad_(False).eval()
    record = _record(training, choice, last_share=share, seed=seed)
    plain = ConditionalSampler(
        head=fitted,
        whitening=whitening,
        config=config.sampler,
        last_share=record.last_share,
        evaluate_start=config.whitening == "identity",
    )
    lookback = config.head.lookback
    start_states = _start_states(whitening, training.paths[0], lookback) if training.is_panel else None
    residual_map = None
    if start_states is not None:
        mapped = config.head.anchor_is_floor and len(everything) >= FEWEST_RESIDUALS
        residual_map, whitening = _generated_law(
            plain, rows.to("cpu"), everything, training.paths, start_states, mapped=mapped, seed=seed
        )
    return AdaptedDiffusionGenerator(
        config=replace(config),
        record=record,
        whitening=whitening,
        head=fitted,
        origin=_origin(whitening, training, lookback),
        residual_map=residual_map,
        start_states=start_states,
    )


def _generated_law(
    plain: ConditionalSampler,
    rows: TrainingRows,
    kept: Tensor,
    returns: Tensor,
    states: Origin,
    *,
    mapped: bool,
    seed: int,
) -> tuple[ResidualMap | None, Whitening]:
    """The residual map if there is to be one, and the whitening that keeps its level with what is generated."""
    whitening = plain.whitening
    if not (mapped or isinstance(whitening, PanelWhitening)):
        return None, whitening
    bank = innovation_bank(plain, rows, kept, seed=seed)
    drawn, residual_map = torch.from_numpy(bank[:_LEVEL_DRAWS]), None
    if mapped:
        residual_map = fit_residual_map(bank, rows.clean(kept).double().numpy(), common_direction(plain))
        drawn = residual_map(drawn)
    if isinstance(whitening, PanelWhitening):
        whitening = keeping_level(whitening, returns, drawn, states, burn_in=FILTER_BURN_IN, seed=seed)
    return residual_map, whitening


def _record(training: TrainingData, choice: Choice, *, last_share: float, seed: int) -> FitRecord:
    return FitRecord(
        assets=training.assets,
        kind=training.kind,
        trained_on="panel" if training.is_panel else "paths",
        frequency=training.frequency,
        training_start=training.start,
        training_cutoff=training.cutoff,
        n_observations=training.paths.shape[0] * training.paths.shape[1],
        fingerprint=training.fingerprint,
        seed=int(seed),
        last_share=min(max(last_share, _LAST_SHARE_RANGE[0]), _LAST_SHARE_RANGE[1]),
        comparisons=[c._asdict() for c in choice.selection.comparisons],
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in ("tsgen-toolkit", "torch", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a source tree that was never installed
            found[name] = "unknown"
    return found


def _origin(whitening: Whitening, training: TrainingData, lookback: int) -> Origin:
    """Where paths start unless a history is given: the end of the panel, or the start of a path."""
    if not training.is_panel:
        return origin_at_start(whitening, lookback)
    return origins_at(whitening, training.paths[0], [training.paths.shape[1]], lookback)[0]


def _start_states(whitening: Whitening, returns: Tensor, lookback: int) -> Origin:
    """States on evenly spaced training dates: the law of the state, as the training data have it.

    Simulated start states would be the model's own stationary law only if it had one; a volatility that averages its
    own shocks with weights that sum to one does not.
    """
    one = sum(s.numel() for s in whitening.start(1)) + lookback * returns.shape[1]
    count = min(max(_START_STATE_NUMBERS // one, 16), 128)
    dates = np.unique(np.linspace(FILTER_BURN_IN, len(returns), count).astype(int))
    return joined(origins_at(whitening, returns, dates.tolist(), lookback))
