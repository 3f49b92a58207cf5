r"""`SteeringProblem`: maximise the mean reward less temperature times relative entropy to the reference chain.

.. math:: \max_v\; E[r(z_{end})] - \beta \sum_s E\, KL_s, \qquad KL_s = |v_s|^2 / 2 \text{ if only means are steered.}
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np

from tsgen.errors import ConfigError, ShapeError
from tsgen.steering.linear_quadratic.chain_law import law_of_chain, randomness_of_control
from tsgen.steering.linear_quadratic.gaussian_tilt import TiltedGaussian, ill_posed, tilted_gaussian
from tsgen.steering.linear_quadratic.linear_chain import LinearChain
from tsgen.steering.linear_quadratic.quadratic_reward import QuadraticReward


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SteeringProblem:
    """A chain, a reward and a temperature for which the optimum exists.

    Parameters
    ----------
    chain : LinearChain
    reward : QuadraticReward
        Of the chain's last state.
    temperature : float
        Price of relative entropy in units of the reward, above zero.

    Raises
    ------
    IllPosedTiltError
        If ``E exp(reward / temperature)`` is infinite: no optimal law exists, and an iteration would run away.
    ConfigError, ShapeError
        If the temperature is not above zero, or the reward is of paths of another length.

    Examples
    --------
    >>> from tsgen.steering.linear_quadratic import angle_chain, conditionals, uniform_angles
    >>> chain = angle_chain(conditionals([0.0], [[4.0]]), uniform_angles(10))
    >>> problem = SteeringProblem(chain=chain, reward=QuadraticReward.linear([1.0]), temperature=2.0)
    >>> problem.smallest_temperature
    0.0
    """

    chain: LinearChain
    reward: QuadraticReward
    temperature: float

    def __post_init__(self) -> None:
        if len(self.reward.gradient) != self.chain.n_states:
            raise ShapeError(
                f"the reward must be of paths of {self.chain.n_states} numbers (periods times assets): "
                f"got one of {len(self.reward.gradient)}."
            )
        beta = float(self.temperature)
        if not np.isfinite(beta) or beta <= 0:
            raise ConfigError(f"temperature must be a finite number above zero: got {self.temperature!r}.")
        object.__setattr__(self, "temperature", beta)
        if beta <= self.smallest_temperature:
            raise ill_posed(self.smallest_temperature, beta)

    @property
    def smallest_temperature(self) -> float:
        """The optimum exists for temperatures above it; 0 for concave rewards."""
        root = randomness_of_control(self.chain)
        return max(float(np.linalg.eigvalsh(root.T @ self.reward.hessian @ root)[-1]), 0.0)

    def at(self, temperature: float) -> Self:
        """The same problem at another temperature."""
        return type(self)(chain=self.chain, reward=self.reward, temperature=temperature)

    def tilt(self) -> TiltedGaussian:
        """The exponential tilt of the chain's law: what perfect steering gives if the start carries nothing."""
        return tilted_gaussian(law_of_chain(self.chain), self.reward, self.temperature)
