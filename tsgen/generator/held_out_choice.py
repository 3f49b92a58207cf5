"""What held-out data decide: the family of the whitening and the head."""

from typing import NamedTuple

from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.roll_out_check import rolls_out_as_well
from tsgen.generator.training_data import TrainingData, training_part
from tsgen.generator.whitened_data import FILTER_BURN_IN, choose_whitening, whitened_rows
from tsgen.progress import Progress, ProgressEvent
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.training.head_selection import Comparison, Selection, build_head, select_head
from tsgen.training.training_rows import RowSplit, TrainingRows, split_rows
from tsgen.whitening.whitening_protocol import Whitening


class Choice(NamedTuple):
    """What held-out data decided."""

    selection: Selection
    family: str
    """Family of the whitening that the head was trained on."""


class _Trial(NamedTuple):
    """Whitening fitted to the training part of a panel, with everything whitened by it."""

    data: TrainingData
    config: GeneratorConfig
    whitening: Whitening
    rows: TrainingRows
    split: RowSplit


def _held_in_roll_outs(trial: _Trial, selection: Selection, first: int, *, seed: int, progress: Progress) -> Selection:
    """The network won one step ahead; from period ``first``, where validation begins, it must hold in roll-outs."""
    config = trial.config
    anchor_shape = selection.shape._replace(learned=False, context="none")
    anchor = build_head(anchor_shape, trial.rows, trial.split.train, seed=seed)
    learned, closed = (
        ConditionalSampler(head=head.cpu(), whitening=trial.whitening, config=config.sampler)
        for head in (selection.head, anchor)
    )
    verdict = rolls_out_as_well(
        learned, closed, trial.data.paths[0], first, config.head.lookback, seed=seed, progress=progress
    )
    check = Comparison(
        "network in roll-outs", verdict.loss, verdict.difference, verdict.standard_error, verdict.holds, 0
    )
    comparisons = [*selection.comparisons, check]
    if verdict.holds:
        return selection._replace(comparisons=comparisons)
    return Selection(anchor.shape, 0, anchor, comparisons)


def choose_on_held_out(
    data: TrainingData, config: GeneratorConfig, *, seed: int, device: str, progress: Progress
) -> Choice:
    """Let whitenings, and then heads, compete on the validation part."""
    progress(ProgressEvent("whitening", 0, 2, "fit to the training part"))
    part = training_part(data, config)
    whitening, families = choose_whitening(data, part, config)
    rows = whitened_rows(whitening, data.paths, config, device)
    progress(ProgressEvent("whitening", 1, 2, whitening.kind))
    n_paths, n_periods, _ = data.paths.shape
    split = split_rows(
        n_paths,
        n_periods,
        fraction=config.training.validation_fraction,
        purge=config.training.purge,
        skip=FILTER_BURN_IN if data.is_panel else 0,
    )
    if data.is_panel:  # the location of a panel is the whitening's, shrunk on purpose
        rows = rows.centred(split.train)
    selection = select_head(rows, split, config.head, config.training, seed=seed, progress=progress)
    selection = selection._replace(comparisons=[*families, *selection.comparisons])
    if not (data.is_panel and config.head.anchor_is_floor and selection.shape.learned):
        return Choice(selection, whitening.kind)
    trial = _Trial(data, config, whitening, rows, split)
    first = part.shape[1] + config.training.purge
    return Choice(_held_in_roll_outs(trial, selection, first, seed=seed, progress=progress), whitening.kind)
