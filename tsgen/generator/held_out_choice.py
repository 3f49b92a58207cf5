"""What held-out data decide: the family of the whitening, the head, and whether a residual map corrects it."""

from dataclasses import dataclass
from typing import NamedTuple, final

from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.residual_map_fit import (
    FEWEST_RESIDUALS,
    common_direction,
    fit_residual_map,
    innovation_bank,
    judge_residual_map,
)
from tsgen.generator.roll_out_check import rolls_out_as_well
from tsgen.generator.training_data import TrainingData, training_part
from tsgen.generator.whitened_data import FILTER_BURN_IN, choose_whitening, whitened_rows
from tsgen.networks.score_head import ScoreHead
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
    with_map: bool
    """Whether the residual map lowers the held-out quantile loss."""


@final
@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Whitening fitted to the training part, with everything whitened by it."""

    data: TrainingData
    config: GeneratorConfig
    whitening: Whitening
    rows: TrainingRows
    split: RowSplit
    first: int
    """First period of the validation part of a panel."""
    seed: int
    progress: Progress

    def sampler(self, head: ScoreHead) -> ConditionalSampler:
        """A head with this whitening."""
        return ConditionalSampler(head=head.cpu(), whitening=self.whitening, config=self.config.sampler)

    def held_in_roll_outs(self, selection: Selection) -> Selection:
        """The network won one step ahead; it must also hold in roll-outs from the validation part."""
        anchor_shape = selection.shape._replace(learned=False, context="none")
        anchor = build_head(anchor_shape, self.rows, self.split.train, seed=self.seed)
        verdict = rolls_out_as_well(
            self.sampler(selection.head),
            self.sampler(anchor),
            self.data.paths[0],
            self.first,
            self.config.head.lookback,
            seed=self.seed,
            progress=self.progress,
        )
        check = Comparison(
            "network in roll-outs", verdict.loss, verdict.difference, verdict.standard_error, verdict.holds, 0
        )
        comparisons = [*selection.comparisons, check]
        if verdict.holds:
            return selection._replace(comparisons=comparisons)
        return Selection(anchor.shape, 0, anchor, comparisons)

    def judged_map(self, selection: Selection) -> Comparison:
        """The residual map, fitted to the training rows, against no map on the validation rows."""
        sampler, rows = self.sampler(selection.head), self.rows.to("cpu")
        direction = common_direction(sampler)
        bank = innovation_bank(sampler, rows, self.split.train, seed=self.seed)
        found = fit_residual_map(bank, rows.clean(self.split.train).double().numpy(), direction)
        held_out = rows.clean(self.split.validation).double().numpy()
        return judge_residual_map(bank, found, held_out, self.split.validation_block.numpy(), direction)


def choose_on_held_out(
    data: TrainingData, config: GeneratorConfig, *, seed: int, device: str, progress: Progress
) -> Choice:
    """Let whitenings, heads, and then the residual map, compete on the validation part."""
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
    selection = select_head(rows, split, config.head, config.training, seed=seed, progress=progress)
    selection = selection._replace(comparisons=[*families, *selection.comparisons])
    if not (data.is_panel and config.head.anchor_is_floor):
        return Choice(selection, whitening.kind, False)
    trial = _Trial(
        data=data,
        config=config,
        whitening=whitening,
        rows=rows,
        split=split,
        first=part.shape[1] + config.training.purge,
        seed=seed,
        progress=progress,
    )
    if selection.shape.learned:
        selection = trial.held_in_roll_outs(selection)
    if len(split.train) < FEWEST_RESIDUALS:
        return Choice(selection, whitening.kind, False)
    verdict = trial.judged_map(selection)
    selection = selection._replace(comparisons=[*selection.comparisons, verdict])
    return Choice(selection, whitening.kind, verdict.accepted)
