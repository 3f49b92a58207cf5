"""The contract of every whitening, and the pass that whitens recorded paths.

State goes in and comes out as a tuple of tensors with the path as leading axis; nothing is mutated. The same
``predict`` and ``observe`` serve training (many recorded paths, or one long panel) and sampling (generated
paths), so the two cannot drift apart.
"""

import math
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from tsgen.errors import ShapeError
from tsgen.whitening.mixing import Root, mixed, unmixed

State = tuple[Tensor, ...]


class Prediction(NamedTuple):
    """What the past says about the next period: ``x = location + scale * (root @ z)``."""

    location: Tensor
    """(path, asset), same unit as the returns."""
    scale: Tensor
    """(path, asset), positive, same unit as the returns."""
    root: Root
    """Mixes the innovations."""
    features: Tensor
    """(path, feature): known before the period, offered to the score head (log volatilities, for instance)."""


class Whitening(Protocol):
    """Adapted, invertible map between returns and innovations."""

    kind: str
    n_assets: int
    n_features: int
    max_periods: int | None
    """Periods for which a law is known when paths start from their start; ``None``: no limit."""
    largest_mixed: float
    """Standardised shock beyond which `whiten` is to leave the excess with its own series when heads learn from it."""

    def start(self, n_paths: int) -> State:
        """State before the first period of ``n_paths`` paths without a past."""
        ...

    def predict(self, state: State) -> Prediction:
        """One-step prediction, row by row of the state."""
        ...

    def observe(self, state: State, returns: Tensor) -> State:
        """State after recorded returns of shape (path, asset)."""
        ...

    def hold(self, state: State, n_paths: int) -> State:
        """Turn recorded states, one for all roll-outs (leading axis 1) or one for each, into those of ``n_paths``."""
        ...

    def imagine(self, state: State, returns: Tensor) -> State:
        """State after generated returns; may differ from `observe` in how shocks are fed back."""
        ...

    def arrays(self) -> dict[str, Tensor]:
        """Fitted numbers, float64, for storage."""
        ...

    def facts(self) -> dict[str, Any]:
        """Fitted settings that are not arrays, JSON-able, for storage and for the reader."""
        ...


def whiten(prediction: Prediction, returns: Tensor, *, largest_mixed: float = math.inf) -> Tensor:
    """Innovations of ``returns`` (path, asset) under a prediction.

    What a standardised shock exceeds ``largest_mixed`` by stays with its own series: undoing the correlation would
    otherwise give a third of one series' price spike to the others, and their tails would be learnt from it. With a
    finite bound such a row is no longer what `colour` inverts.
    """
    standardised = (returns - prediction.location) / prediction.scale
    kept = standardised.clamp(-largest_mixed, largest_mixed)
    return unmixed(prediction.root, kept) + (standardised - kept)


def colour(prediction: Prediction, innovations: Tensor) -> Tensor:
    """Returns of ``innovations`` (path, asset) under a prediction; the inverse of `whiten`."""
    return prediction.location + prediction.scale * mixed(prediction.root, innovations)


class WhitenedPaths(NamedTuple):
    """Recorded paths in innovation space, with what was known before each period."""

    innovations: Tensor
    """(path, time, asset)."""
    features: Tensor
    """(path, time, feature)."""
    final_state: State
    """State after the last period."""


def whiten_paths(
    whitening: Whitening, returns: Tensor, state: State, *, largest_mixed: float = math.inf
) -> WhitenedPaths:
    """Whiten recorded paths period by period, each with its own past only.

    Parameters
    ----------
    whitening : Whitening
    returns : Tensor of shape (path, time, asset), float64
    state : State
        Before the first of these periods.
    largest_mixed : float
        See `whiten`.

    Returns
    -------
    WhitenedPaths
        Innovation ``t`` depends on ``returns[:, : t + 1]`` alone.
    """
    prediction, flat, final = predict_paths(whitening, returns, state)
    innovations = whiten(prediction, flat, largest_mixed=largest_mixed)
    n_paths, n_periods, _ = returns.shape

    def to_paths(rows: Tensor) -> Tensor:
        return rows.view(n_periods, n_paths, -1).transpose(0, 1).contiguous()

    return WhitenedPaths(to_paths(innovations), to_paths(prediction.features), final)


def predict_paths(whitening: Whitening, returns: Tensor, state: State) -> tuple[Prediction, Tensor, State]:
    """One-step predictions along recorded paths, as rows ordered by period and then path.

    Parameters
    ----------
    whitening : Whitening
    returns : Tensor of shape (path, time, asset), float64
    state : State
        Before the first of these periods.

    Returns
    -------
    prediction : Prediction
        Leading axis ``time * path``.
    rows : Tensor of shape (time * path, asset)
        The returns in the same order.
    state : State
        After the last period.

    Raises
    ------
    ShapeError
        If an axis is missing or empty, or the assets are not those of the fit.
    """
    if returns.ndim != 3 or 0 in returns.shape or returns.shape[2] != whitening.n_assets:
        raise ShapeError(
            f"returns must have shape (path, time, asset) with {whitening.n_assets} assets and at least one path "
            f"and one period: got {tuple(returns.shape)}. Select the assets of the fit, in its order."
        )
    n_paths, n_periods, _ = returns.shape
    states: list[State] = []
    for t in range(n_periods):
        states.append(state)
        state = whitening.observe(state, returns[:, t])
    # one batched prediction over (time, path): much cheaper than one per period
    stacked = tuple(torch.cat(parts) for parts in zip(*states, strict=True))
    return whitening.predict(stacked), returns.transpose(0, 1).reshape(n_periods * n_paths, -1), state


def as_dtype(state: State, dtype: torch.dtype, device: str | torch.device = "cpu") -> State:
    """State in another floating type; integer parts (period counters) stay integers."""
    return tuple(s.to(device=device, dtype=dtype if s.is_floating_point() else s.dtype) for s in state)


def repeat_state(state: State, n_paths: int) -> State:
    """One path's state (leading axis 1), repeated for ``n_paths`` paths that continue it."""
    return tuple(s.expand(n_paths, *s.shape[1:]).clone() for s in state)
