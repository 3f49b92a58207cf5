r"""Non-linear features of a state, :math:`\phi(x)`, with a known Lipschitz constant and a pull-back of gradients.

What makes a problem "nearly" linear-quadratic is that this constant is small. A map works on the last axis of its
inputs. Bottom of `portfolio.dynamic`.
"""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from portfolio.dynamic.checked_arrays import finite_array
from portfolio.mean_risk_problem import checked_risk_aversion
from tsgen.errors import ConfigError

Array = NDArray[np.float64]


@runtime_checkable
class FeatureMap(Protocol):
    """A differentiable map from inputs of shape (..., input) to features of shape (..., feature)."""

    @property
    def n_inputs(self) -> int:
        """Length of the last axis of the inputs."""
        ...

    @property
    def n_features(self) -> int:
        """Number of features."""
        ...

    @property
    def lipschitz(self) -> float:
        """Bound on the Lipschitz constant in the Euclidean norm."""
        ...

    def value(self, inputs: Array) -> Array:
        """Features of shape (..., feature)."""
        ...

    def pull_back(self, inputs: Array, gradients: Array) -> Array:
        """Gradient with respect to the inputs, (..., input), of what has ``gradients`` (..., feature)."""
        ...


@final
@dataclass(frozen=True, kw_only=True)
class NoFeatures:
    """No features at all: the linear-quadratic case.

    Examples
    --------
    >>> NoFeatures(n_inputs=2).value(np.ones((5, 2))).shape
    (5, 0)
    """

    n_inputs: int

    @property
    def n_features(self) -> int:
        """Zero."""
        return 0

    @property
    def lipschitz(self) -> float:
        """Zero."""
        return 0.0

    def value(self, inputs: Array) -> Array:
        """Shape (..., 0)."""
        return np.zeros((*inputs.shape[:-1], 0))

    def pull_back(self, inputs: Array, gradients: Array) -> Array:
        """Zeros of the shape of the inputs."""
        del gradients
        return np.zeros_like(inputs)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TanhFeatures:
    r"""Saturating features, :math:`\phi(x) = \ell \tanh(W x)`.

    Parameters
    ----------
    directions : array of shape (feature, input)
        W. For signals that saturate at about c: the diagonal matrix of ``1 / c``.
    strength : float
        :math:`\ell`, positive.

    Examples
    --------
    >>> TanhFeatures(directions=[[2.0]]).value(np.array([[10.0]])).round(6).tolist()
    [[1.0]]
    """

    directions: Array
    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "directions", finite_array(self.directions, (None, None), "directions"))
        object.__setattr__(self, "strength", _positive(self.strength, "strength"))

    @property
    def n_inputs(self) -> int:
        """Length of the last axis of the inputs."""
        return self.directions.shape[1]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.directions.shape[0]

    @property
    def lipschitz(self) -> float:
        """``strength`` times the largest singular value of the directions; attained at zero."""
        return self.strength * float(np.linalg.norm(self.directions, 2))

    def value(self, inputs: Array) -> Array:
        """Features of shape (..., feature)."""
        return self.strength * np.tanh(inputs @ self.directions.T)

    def pull_back(self, inputs: Array, gradients: Array) -> Array:
        """Gradient with respect to the inputs."""
        flat = 1.0 - np.tanh(inputs @ self.directions.T) ** 2
        return (self.strength * flat * gradients) @ self.directions


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class KernelFeatures:
    r"""Gaussian kernels, :math:`\phi_j(x) = \ell w e^{1/2} (e^{-|x - c_j|^2 / 2w^2} - e^{-|c_j|^2 / 2w^2})`.

    Zero at zero, and each with Lipschitz constant :math:`\ell` exactly.

    Parameters
    ----------
    centres : array of shape (feature, input)
    width : float
    strength : float
        :math:`\ell`, positive.

    Examples
    --------
    >>> KernelFeatures(centres=[[1.0, 0.0]], width=1.0).value(np.zeros((1, 2))).tolist()
    [[0.0]]
    """

    centres: Array
    width: float
    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "centres", finite_array(self.centres, (None, None), "centres"))
        object.__setattr__(self, "width", _positive(self.width, "width"))
        object.__setattr__(self, "strength", _positive(self.strength, "strength"))

    @property
    def n_inputs(self) -> int:
        """Length of the last axis of the inputs."""
        return self.centres.shape[1]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.centres.shape[0]

    @property
    def lipschitz(self) -> float:
        """``strength * sqrt(n_features)``: a bound, attained only if all kernels were steepest together."""
        return self.strength * float(np.sqrt(self.n_features))

    def value(self, inputs: Array) -> Array:
        """Features of shape (..., feature)."""
        at_zero = np.exp(-0.5 * (self.centres**2).sum(axis=1) / self.width**2)
        return self.strength * self.width * np.exp(0.5) * (self._kernels(inputs) - at_zero)

    def pull_back(self, inputs: Array, gradients: Array) -> Array:
        """Gradient with respect to the inputs."""
        pull = gradients * self._kernels(inputs) * (self.strength * np.exp(0.5) / self.width)
        return pull @ self.centres - pull.sum(axis=-1, keepdims=True) * inputs

    def _kernels(self, inputs: Array) -> Array:
        distance = ((inputs[..., None, :] - self.centres) ** 2).sum(axis=-1)
        return np.exp(-0.5 * distance / self.width**2)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SelectedInputs:
    """A feature map that looks at some coordinates of a larger input only, and may see them in other units.

    Parameters
    ----------
    features : FeatureMap
    positions : tuple of int
        Coordinates it sees, in its order.
    n_inputs : int
        Length of the larger input.
    scale : tuple of float, optional
        Factors by which the coordinates are multiplied before; by default 1.

    Examples
    --------
    >>> inner = TanhFeatures(directions=[[1.0]])
    >>> SelectedInputs(features=inner, positions=(2,), n_inputs=3).value(np.array([5.0, 5.0, 0.0])).tolist()
    [0.0]
    """

    features: FeatureMap
    positions: tuple[int, ...]
    n_inputs: int
    scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        factors = (1.0,) * len(self.positions) if self.scale is None else self.scale
        object.__setattr__(self, "scale", tuple(finite_array(factors, (len(self.positions),), "scale").tolist()))
        inside = all(0 <= i < self.n_inputs for i in self.positions) and len(set(self.positions)) == len(self.positions)
        if not inside or len(self.positions) != self.features.n_inputs:
            raise ConfigError(
                f"positions must be {self.features.n_inputs} different coordinates below {self.n_inputs}: got "
                f"{self.positions}."
            )

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.features.n_features

    @property
    def lipschitz(self) -> float:
        """That of the inner map times the largest factor."""
        return self.features.lipschitz * float(np.abs(self._factors).max(initial=0.0))

    @property
    def _factors(self) -> Array:
        return np.array(self.scale, dtype=np.float64)

    def value(self, inputs: Array) -> Array:
        """Features of shape (..., feature)."""
        return self.features.value(inputs[..., list(self.positions)] * self._factors)

    def pull_back(self, inputs: Array, gradients: Array) -> Array:
        """Gradient with respect to the inputs; zero where the inner map does not look."""
        whole = np.zeros_like(inputs)
        index = list(self.positions)
        whole[..., index] = self.features.pull_back(inputs[..., index] * self._factors, gradients) * self._factors
        return whole


def checked_features(features: object, n_inputs: int) -> FeatureMap:
    """The map; raises `ConfigError` unless it is one, with that number of inputs."""
    if isinstance(features, type) or not isinstance(features, FeatureMap):
        raise ConfigError(f"features must be a feature map such as TanhFeatures(directions=...): got {features!r}.")
    if features.n_inputs != n_inputs:
        raise ConfigError(
            f"features must take the {n_inputs} inputs of this problem: they take {features.n_inputs}. "
            "Wrap them in SelectedInputs to look at some coordinates only."
        )
    return features


def _positive(value: float, what: str) -> float:
    try:
        return checked_risk_aversion(value)
    except ConfigError as error:
        raise ConfigError(f"{what} must be a positive finite number: got {value!r}.") from error
