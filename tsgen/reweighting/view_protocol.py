"""`View`: what every view offers to the solver, and the order of the stages."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.relation import Relation
from tsgen.reweighting.subject import Outcomes
from tsgen.scenario_set import ScenarioSet

Floats = NDArray[np.float64]
Stage = Literal[1, 2, 3]


class View(Protocol):
    """A statement on the law of the scenarios: ``statistic relation target``.

    ``stage`` is 1 for what is linear in the probabilities (and CVaR), 2 for variances, 3 for higher moments. Rows
    of stages 2 and 3 are linear once the moments in `held_rows` are fixed at the law of the preceding stage.
    """

    @property
    def target(self) -> float:
        """Number that the statistic is compared with."""
        ...

    @property
    def relation(self) -> Relation:
        """Equal to, at most, at least."""
        ...

    @property
    def title(self) -> str:
        """Name of the statistic in messages and tables."""
        ...

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        ...

    def value(self, scenarios: ScenarioSet) -> float:
        """The statistic under the probabilities of the scenarios."""
        ...

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The statistic under other probabilities."""
        ...

    def rows(self, outcomes: Outcomes, probabilities: Floats, /) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage; none for CVaR."""
        ...

    def held_rows(self, outcomes: Outcomes, probabilities: Floats, /) -> Sequence[LinearRow]:
        """Moments to be held at their values under the law of the preceding stage."""
        ...
