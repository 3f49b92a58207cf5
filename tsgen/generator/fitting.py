"""Fitting: whiten, let the heads compete on held-out data, then refit on everything."""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tsgen.diffusion.angle_grid import STOCHASTIC_SMALLEST_TANGENT
from tsgen.errors import ConfigError, DataError
from tsgen.generator.adapted_generator import (
    AdaptedDiffusionGenerator,
    FitRecord,
    check_device,
)
from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.residual_map_fit import (
    FEWEST_RESIDUALS,
    common_direction,
    fit_residual_map,
    innovation_bank,
    judge_residual_map,
)
from tsgen.generator.roll_out_check import rolls_out_as_well
from tsgen.marketdata import ReturnPanel
from tsgen.networks.score_head import ScoreHead
from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.random_streams import check_seed
from tsgen.return_kind import ReturnKind
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.origin import Origin, joined, origin_at_start, origins_at
from tsgen.scenario_set import ScenarioSet
from tsgen.single_thread import single_thread
from tsgen.training.head_selection import Comparison, Selection, build_head, refit_head, residual_share, select_head
from tsgen.training.training_rows import RowSplit, TrainingRows, make_rows, split_rows
from tsgen.training.velocity_bias import guard_head
from tsgen.whitening.factor_volatility_fit import fit_factor_volatility
from tsgen.whitening.identity import IdentityWhitening
from tsgen.whitening.path_whitening_choice import choose_family, fit_family
from tsgen.whitening.regime_switching import RegimeSwitchingWhitening
from tsgen.whitening.volatility_fit import SHORTEST_PANEL, fit_volatility
from tsgen.whitening.whitening_protocol import Whitening, whiten_paths

_FILTER_BURN_IN = 60
_START_STATE_NUMBERS = 500_000  # 4 MB in a stored generator
LARGEST_DENSE_PANEL = 60
"""Assets beyond which correlations of every pair are neither affordable nor estimable: factors take their place."""
SHORTEST_TRAINING_PANEL = 2 * SHORTEST_PANEL
FEWEST_TRAINING_PATHS = 100


class _TrainingData(NamedTuple):
    paths: Tensor  # (path, time, asset), float64; one path for a panel
    is_panel: bool
    assets: tuple[str, ...]
    kind: ReturnKind
    frequency: str
    start: pd.Timestamp | None
    cutoff: pd.Timestamp | None
    fingerprint: str


def _from_panel(panel: ReturnPanel) -> _TrainingData:
    panel.require_history(SHORTEST_TRAINING_PANEL, purpose="fitting a generator")
    values = torch.from_numpy(panel.values.copy())[None]
    return _TrainingData(
        values, True, panel.assets, panel.kind, panel.frequency, panel.dates[0], panel.dates[-1], panel.fingerprint()
    )


def _from_scenarios(scenarios: ScenarioSet) -> _TrainingData:
    if scenarios.probabilities is not None:
        raise DataError(
            "training paths must be equally likely: this ScenarioSet carries probabilities. Resample the paths "
            "by their "
            "probabilities first, then pass with_probabilities(None)."
        )
    if scenarios.n_scenarios < FEWEST_TRAINING_PATHS:
        raise DataError(
            f"training on paths needs at least {FEWEST_TRAINING_PATHS} of them: got {scenarios.n_scenarios}. Pass "
            "one long "
            "history as a ReturnPanel instead."
        )
    spread = scenarios.returns.reshape(-1, scenarios.n_assets).std(axis=0)
    if (spread == 0).any():
        constant = [a for a, s in zip(scenarios.assets, spread, strict=True) if s == 0]
        raise DataError(f"assets {constant} never move in the training paths. Remove them.")
    import hashlib

    digest = hashlib.sha256(np.ascontiguousarray(scenarios.returns).tobytes())
    digest.update(repr((scenarios.assets, scenarios.kind)).encode())
    return _TrainingData(
        torch.from_numpy(scenarios.returns.copy()),
        False,
        scenarios.assets,
        scenarios.kind,
        "unknown",
        None,
        scenarios.asof,
        digest.hexdigest(),
    )


def _fit_whitening(paths: Tensor, *, is_panel: bool, config: GeneratorConfig, family: str) -> Whitening:
    if config.whitening == "identity":
        return IdentityWhitening.fit(paths)
    if not is_panel:
        return fit_family(family, paths.numpy())
    wide = config.whitening == "factor" or paths.shape[2] > LARGEST_DENSE_PANEL
    return fit_factor_volatility(paths[0].numpy()) if wide else fit_volatility(paths[0].numpy())


def _choose_whitening(
    data: _TrainingData, training_part: Tensor, config: GeneratorConfig
) -> tuple[Whitening, list[Comparison]]:
    """Whitening of the training part; closed forms for paths compete on the paths that are held out."""
    if data.is_panel or config.whitening == "identity":
        return _fit_whitening(training_part, is_panel=data.is_panel, config=config, family=""), []
    whitening, scores = choose_family(training_part.numpy(), data.paths[len(training_part) :].numpy())
    record = [
        Comparison(f"whitening {s.family}", s.loss, s.difference, s.standard_error, s.accepted, 0) for s in scores
    ]
    return whitening, record


def _rows(whitening: Whitening, paths: Tensor, config: GeneratorConfig, device: str) -> TrainingRows:
    whitened = whiten_paths(whitening, paths, whitening.start(len(paths)))
    rows = make_rows(whitened.innovations, whitened.features, config.head.lookback)
    if isinstance(whitening, RegimeSwitchingWhitening):
        rows = rows._replace(regime_shapes=whitening.shapes)
    return rows.to(device)


def _training_part(data: _TrainingData, config: GeneratorConfig) -> Tensor:
    """The paths, or the first part of the panel, on which whitening is fitted for the selection of the head."""
    held = config.training.validation_fraction
    if data.is_panel:
        return data.paths[:, : data.paths.shape[1] - round(held * data.paths.shape[1]) - config.training.purge]
    return data.paths[: len(data.paths) - max(1, round(held * len(data.paths)))]


def _require_movement(training_part: Tensor, assets: tuple[str, ...]) -> None:
    spread = training_part.reshape(-1, len(assets)).std(dim=0)
    still = [a for a, s in zip(assets, spread.tolist(), strict=True) if not s > 0]
    if still:
        raise DataError(
            f"{still} do not move in the first part of the data, on which candidates are fitted before they are judged "
            "on the rest. Start the history later, or leave these assets out."
        )


class _Choice(NamedTuple):
    """What held-out data decided."""

    selection: Selection
    family: str
    """Family of the whitening that the head was trained on."""
    with_map: bool
    """Whether the residual map lowers the held-out quantile loss."""


def _select(data: _TrainingData, config: GeneratorConfig, *, seed: int, device: str, progress: Progress) -> _Choice:
    """Let heads, and then the residual map, compete on the validation part."""
    progress(ProgressEvent("whitening", 0, 2, "fit to the training part"))
    training_part = _training_part(data, config)
    _require_movement(training_part, data.assets)
    whitening, families = _choose_whitening(data, training_part, config)
    rows = _rows(whitening, data.paths, config, device)
    progress(ProgressEvent("whitening", 1, 2, whitening.kind))
    n_paths, n_periods, _ = data.paths.shape
    split = split_rows(
        n_paths,
        n_periods,
        fraction=config.training.validation_fraction,
        purge=config.training.purge,
        skip=_FILTER_BURN_IN if data.is_panel else 0,
    )
    selection = select_head(rows, split, config.head, config.training, seed=seed, progress=progress)
    selection = selection._replace(comparisons=[*families, *selection.comparisons])
    if not (data.is_panel and config.head.anchor_is_floor):
        return _Choice(selection, whitening.kind, False)
    if selection.shape.learned:
        first = training_part.shape[1] + config.training.purge
        selection = _held_in_roll_outs(selection, data, rows, split, whitening, config, first, seed, progress)
    if len(split.train) < FEWEST_RESIDUALS:
        return _Choice(selection, whitening.kind, False)
    sampler = ConditionalSampler(head=selection.head.cpu(), whitening=whitening, config=config.sampler)
    verdict = _judged_map(sampler, rows.to("cpu"), split, seed=seed)
    selection = selection._replace(comparisons=[*selection.comparisons, verdict])
    return _Choice(selection, whitening.kind, verdict.accepted)


def _held_in_roll_outs(
    selection: Selection,
    data: _TrainingData,
    rows: TrainingRows,
    split: RowSplit,
    whitening: Whitening,
    config: GeneratorConfig,
    first: int,
    seed: int,
    progress: Progress,
) -> Selection:
    """The network won one step ahead; it must also hold in roll-outs from the validation part."""
    anchor = build_head(selection.shape._replace(learned=False, context="none"), rows, split.train, seed=seed)

    def sampler(head: ScoreHead) -> ConditionalSampler:
        return ConditionalSampler(head=head.cpu(), whitening=whitening, config=config.sampler)

    lookback = config.head.lookback
    verdict = rolls_out_as_well(
        sampler(selection.head), sampler(anchor), data.paths[0], first, lookback, seed=seed, progress=progress
    )
    check = Comparison(
        "network in roll-outs", verdict.loss, verdict.difference, verdict.standard_error, verdict.holds, 0
    )
    comparisons = [*selection.comparisons, check]
    if verdict.holds:
        return selection._replace(comparisons=comparisons)
    return Selection(anchor.shape, 0, anchor, comparisons)


def _judged_map(sampler: ConditionalSampler, rows: TrainingRows, split: RowSplit, *, seed: int) -> Comparison:
    """The residual map, fitted to the training rows, against no map on the validation rows."""
    direction = common_direction(sampler)
    bank = innovation_bank(sampler, rows, split.train, seed=seed)
    found = fit_residual_map(bank, rows.clean(split.train).double().numpy(), direction)
    held_out = rows.clean(split.validation).double().numpy()
    return judge_residual_map(bank, found, held_out, split.validation_block.numpy(), direction)


def _versions() -> dict[str, str]:
    found = {}
    for name in ("tsgen-toolkit", "torch", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a source tree that was never installed
            found[name] = "unknown"
    return found


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
    2. On all data: refit the whitening and train the chosen head for the number of steps found in 1.

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
    with single_thread():
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
    if isinstance(data, ReturnPanel):
        training = _from_panel(data)
    elif isinstance(data, ScenarioSet):
        if config.whitening == "factor":
            raise ConfigError(
                "whitening 'factor' models one long history: pass a ReturnPanel, or whitening='conditional' for paths."
            )
        training = _from_scenarios(data)
    else:
        raise ConfigError(
            f"data must be a ReturnPanel (one long history) or a ScenarioSet (independent paths): got "
            f"{type(data).__name__}. "
            "Use tsgen.load_returns for prices."
        )
    choice = _select(training, config, seed=seed, device=device, progress=listener)
    selection = choice.selection
    whitening = _fit_whitening(training.paths, is_panel=training.is_panel, config=config, family=choice.family)
    rows = _rows(whitening, training.paths, config, device)
    everything = torch.arange(_FILTER_BURN_IN if training.is_panel else 0, rows.n_rows)
    head = refit_head(selection, rows, everything, config.training, seed=seed, progress=listener)
    if not training.is_panel and config.head.anchor_is_floor:
        head = guard_head(head, rows, everything, seed=seed)
    share = residual_share(head, rows, everything, tau=float(np.arctan(STOCHASTIC_SMALLEST_TANGENT)), seed=seed)
    lookback = config.head.lookback
    origin = (
        origins_at(whitening, training.paths[0], [training.paths.shape[1]], lookback)[0]
        if training.is_panel
        else origin_at_start(whitening, lookback)
    )
    record = FitRecord(
        assets=training.assets,
        kind=training.kind,
        trained_on="panel" if training.is_panel else "paths",
        frequency=training.frequency,
        training_start=training.start,
        training_cutoff=training.cutoff,
        n_observations=training.paths.shape[0] * training.paths.shape[1],
        fingerprint=training.fingerprint,
        seed=int(seed),
        last_share=min(max(share, 0.05), 1.5),
        comparisons=[c._asdict() for c in selection.comparisons],
        versions=_versions(),
    )
    listener(ProgressEvent("whitening", 2, 2, "refit"))
    fitted = head.cpu().requires_grad_(False).eval()
    residual_map = None
    if choice.with_map:
        plain = ConditionalSampler(head=fitted, whitening=whitening, config=config.sampler)
        bank = innovation_bank(plain, rows.to("cpu"), everything, seed=seed)
        residuals = rows.clean(everything).cpu().double().numpy()
        residual_map = fit_residual_map(bank, residuals, common_direction(plain))
    return AdaptedDiffusionGenerator(
        config=replace(config),
        record=record,
        whitening=whitening,
        head=fitted,
        origin=origin,
        residual_map=residual_map,
        start_states=_start_states(whitening, training.paths[0], lookback) if training.is_panel else None,
    )


def _start_states(whitening: Whitening, returns: Tensor, lookback: int) -> Origin:
    """States on evenly spaced training dates: the law of the state, as the training data have it.

    Simulated start states would be the model's own stationary law only if it had one; a volatility that averages its
    own shocks with weights that sum to one does not.
    """
    one = sum(s.numel() for s in whitening.start(1)) + lookback * returns.shape[1]
    count = min(max(_START_STATE_NUMBERS // one, 16), 128)
    dates = np.unique(np.linspace(_FILTER_BURN_IN, len(returns), count).astype(int))
    return joined(origins_at(whitening, returns, dates.tolist(), lookback))
