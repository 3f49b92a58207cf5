"""`CVaRTask`: a CVaR view bound to its losses, with what every trial needs computed once."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.subject import Outcomes
from tsgen.reweighting.tail_views import CVaRView
from tsgen.reweighting.weighted_moments import TailMeasures, moments, tail_measures

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class CVaRTask:
    """A CVaR view and its losses.

    Parameters
    ----------
    view : CVaRView
    losses : ndarray of shape (scenario,), float64
    order : ndarray of shape (scenario,)
        Sorts the losses.
    scale : float
        Prior standard deviation of the excess over the prior VaR, divided by the tail probability: the unit in
        which the accuracy of the CVaR is measured, so that hourly and yearly returns are treated alike.
    """

    view: CVaRView
    losses: Floats
    order: NDArray[np.intp]
    scale: float

    @classmethod
    def of(cls, view: CVaRView, outcomes: Outcomes) -> Self:
        """Bind a view to scenarios."""
        losses = -outcomes.of(view.of)
        order = np.argsort(losses)
        var = tail_measures(losses, outcomes.prior, view.level, order).value_at_risk
        spread = moments(np.maximum(losses - var, 0.0), outcomes.prior).deviation / (1.0 - view.level)
        # no loss beyond the prior VaR: the size of the losses is all there is
        return cls(view=view, losses=losses, order=order, scale=spread or max(float(np.ptp(losses)), 1e-300))

    def tail(self, probabilities: Floats) -> TailMeasures:
        """VaR and CVaR under other probabilities."""
        return tail_measures(self.losses, probabilities, self.view.level, self.order)

    def shortfall(self, probabilities: Floats) -> float:
        """Target less CVaR, in units of ``scale``: positive where the CVaR is still too low."""
        return (self.view.target - self.tail(probabilities).expected_shortfall) / self.scale
