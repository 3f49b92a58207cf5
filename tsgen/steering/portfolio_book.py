"""Which portfolios are followed along the paths, and which statistic each constraint takes from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor

from tsgen.errors import DataError
from tsgen.reweighting import BarrierHit, DrawdownBeyond, TerminalLoss
from tsgen.steering.bound_statistic import normal_distribution
from tsgen.steering.risk_functionals import (
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    PathEvent,
    PathMean,
    RealisedVolatility,
    RiskFunctional,
    TerminalReturn,
    weights_by_asset,
)
from tsgen.steering.running_statistics import RunningStatistics
from tsgen.whitening.whitening_protocol import colour

if TYPE_CHECKING:
    from tsgen.steering.look_ahead import Day

_LEAST_ODDS = 1e-4  # probabilities beyond are shown as this


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class PortfolioBook:
    """Portfolios by row, and for every functional the row it belongs to.

    Parameters
    ----------
    weights : Tensor of shape (portfolio, asset), float32
    functionals : tuple of RiskFunctional
    rows : tuple of int
        Row of ``weights`` of each functional.
    """

    weights: Tensor
    functionals: tuple[RiskFunctional, ...]
    rows: tuple[int, ...]

    @classmethod
    def of(cls, functionals: Sequence[RiskFunctional], assets: Sequence[str]) -> "PortfolioBook":
        """Book of the portfolios that occur in ``functionals``; a `PathMean` follows the equally weighted one."""
        found: list[tuple[float, ...]] = []
        rows = []
        for functional in functionals:
            if isinstance(functional, PathMean):
                weights = np.full(len(assets), 1.0 / len(assets))
            else:
                weights = weights_by_asset(functional.weights, assets)  # pyright: ignore[reportArgumentType]  (owned)
            if not np.any(weights):
                raise DataError(f"{functional.label}: all weights are zero, there is nothing to steer.")
            row = tuple(weights.tolist())
            if row not in found:
                found.append(row)
            rows.append(found.index(row))
        return cls(weights=torch.tensor(found, dtype=torch.float32), functionals=tuple(functionals), rows=tuple(rows))

    @property
    def needs_paths(self) -> bool:
        """Whether a functional reads the whole path."""
        return any(isinstance(f, PathMean) for f in self.functionals)

    def look_ahead(
        self, after: RunningStatistics, total: Tensor, remaining: Tensor, day: "Day", clean: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Forecast and spread of every functional, each of shape (path, constraint).

        Parameters
        ----------
        after : RunningStatistics
            Updated with the clean estimate.
        total : Tensor of shape (path, portfolio)
            Forecast of the sum of squared returns over the horizon.
        remaining : Tensor of shape (path, portfolio)
            Standard deviation of the terminal wealth given the estimate.
        day : Day
        clean : Tensor of shape (path, asset)
        """
        located = []
        for functional, row in zip(self.functionals, self.rows, strict=True):
            spread = remaining[:, row]
            match functional:
                case TerminalReturn():
                    located.append(after.wealth[:, row] - 1.0)
                case ExpectedShortfall():
                    located.append(1.0 - after.wealth[:, row])
                case RealisedVolatility():
                    located.append((total[:, row] / day.horizon).clamp_min(1e-16).sqrt())
                case MaxDrawdown():
                    located.append(after.drawdown[:, row])
                case EventProbability():
                    located.append(_event_probability(functional.event, after, row, spread))
                case PathMean():
                    located.append(_of_path(functional, day, clean))
        # the deviation of the rest of the path is that of these functionals; of the others little is known
        spreads = [
            remaining[:, row] * isinstance(f, (TerminalReturn, ExpectedShortfall, EventProbability))
            for f, row in zip(self.functionals, self.rows, strict=True)
        ]
        return torch.stack(located, dim=1), torch.stack(spreads, dim=1)

    def features(self, location: Tensor) -> Tensor:
        """What the value network sees of the forecasts: probabilities as log odds, the rest as they are.

        Of an event on the way it is the log odds of half the probability, by reflection that of ending beyond: they go
        on smoothly to where the barrier is reached. The probability itself arrives at one there with a slope, its log
        odds would go to infinity, and the control with them.
        """
        columns = []
        for j, functional in enumerate(self.functionals):
            column = location[:, j]
            if isinstance(functional, EventProbability):
                column = torch.logit(column / _reflections(functional.event), eps=_LEAST_ODDS)
            if isinstance(functional, (EventProbability, PathMean, RealisedVolatility)):
                columns.append(column)
        return torch.stack(columns, dim=1) if columns else location[:, :0]

    def feature_pulls(self, location: Tensor, pull: Tensor) -> list[Tensor | None]:
        """Slope with respect to every functional's location from ``pull``, the one with respect to `features`."""
        columns = iter(pull.unbind(dim=1))
        found: list[Tensor | None] = []
        for j, functional in enumerate(self.functionals):
            if isinstance(functional, EventProbability):
                count = _reflections(functional.event)
                ends = location[:, j] / count
                p = ends.clamp(_LEAST_ODDS, 1.0 - _LEAST_ODDS)
                found.append(next(columns) * (p == ends) / (count * p * (1.0 - p)))
            else:
                found.append(next(columns) if isinstance(functional, (PathMean, RealisedVolatility)) else None)
        return found


def _reflections(event: PathEvent) -> float:
    """Probability of the event over that of its having happened at the end, by reflection."""
    return 1.0 if isinstance(event, TerminalLoss) else 2.0


def _event_probability(event: PathEvent, after: RunningStatistics, row: int, spread: Tensor) -> Tensor:
    """Probability of the event if wealth goes on as a Brownian motion (reflection principle for barriers)."""
    wealth = after.wealth[:, row]
    match event:
        case TerminalLoss():
            return normal_distribution((1.0 - event.loss - wealth) / spread)
        case BarrierHit() if event.barrier < 0:
            distance, hit = wealth - (1.0 + event.barrier), after.lowest[:, row] <= 1.0 + event.barrier
        case BarrierHit():
            distance, hit = (1.0 + event.barrier) - wealth, after.peak[:, row] >= 1.0 + event.barrier
        case DrawdownBeyond():
            distance = wealth - (1.0 - event.depth) * after.peak[:, row]
            hit = after.drawdown[:, row] >= event.depth
    reached = (2.0 * normal_distribution(-distance / spread)).clamp(max=1.0)
    return torch.where(hit, torch.ones_like(reached), reached)


def _of_path(functional: PathMean, day: "Day", clean: Tensor) -> Tensor:
    if day.completion is None:
        raise DataError("a PathMean needs the paths so far.")  # pragma: no cover  (the chain keeps them)
    returns = day.returns_of(colour(day.prediction, clean))
    values = functional.callable(day.completion.with_current(returns))
    if not isinstance(values, Tensor) or values.shape != (len(clean),):
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise DataError(
            f"{functional.label}: the function must give one number per path, a tensor of shape ({len(clean)},): got "
            f"{got}. Reduce over time and assets."
        )
    return values
