"""What steering needs of a generator: a conditional velocity, a whitening and a starting point.

Steering sits below the generator in the layers and takes it as a duck: anything with the attributes of
`SteerableGenerator` will do, and so will a `SteeringReference` built by hand from an exact law.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
import pandas as pd
import torch

from tsgen.diffusion.angle_grid import stochastic_angles
from tsgen.diffusion.stochastic_scheme import StochasticPlan, stochastic_plan
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.networks.velocity_head import VelocityHead
from tsgen.return_kind import ReturnKind
from tsgen.sampling.origin import Origin, origins_at
from tsgen.single_thread import single_thread
from tsgen.whitening.limited_loss import modelled
from tsgen.whitening.residual_map import ResidualMap
from tsgen.whitening.whitening_protocol import Whitening


class SteerableHead(VelocityHead, Protocol):
    """A velocity head that can say what it is made of."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All its numbers, by name."""
        ...


@runtime_checkable
class SteerableGenerator(Protocol):
    """A fitted generator as steering sees it."""

    @property
    def assets(self) -> tuple[str, ...]:
        """Names in the order of the last axis."""
        ...

    @property
    def kind(self) -> ReturnKind:
        """Return convention."""
        ...

    @property
    def training_cutoff(self) -> pd.Timestamp | None:
        """Last date seen in training."""
        ...

    @property
    def head(self) -> Any:
        """A `SteerableHead`."""
        ...

    @property
    def whitening(self) -> Whitening:
        """Conditional location and scale."""
        ...

    @property
    def residual_map(self) -> ResidualMap | None:
        """Correction of the innovation law."""
        ...

    @property
    def origin(self) -> Origin:
        """Default starting point."""
        ...

    @property
    def record(self) -> Any:
        """Has ``last_share`` (residual share of the velocity at the last level) and ``limited_losses``."""
        ...

    @property
    def config(self) -> Any:
        """Has ``whitening`` (a name) and ``head.lookback``."""
        ...


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class SteeringReference:
    """The law to be steered: one stochastic reverse chain per period, from one starting point.

    Parameters
    ----------
    head : SteerableHead
        Trained, or an exact law; its parameters must not require gradients.
    whitening : Whitening
    origin : Origin
    assets : tuple of str
    kind : {"simple", "log"}
    last_share : float
        Residual share of the velocity at the last level, see `stochastic_plan`.
    evaluate_start : bool
        Whether the velocity is evaluated at pi/2 (identity whitening).
    lookback : int
        Innovations kept for the head.
    elapsed : int
        Periods already seen by the whitening (limits the horizon of laws known for so many periods only).
    asof : Timestamp or None
        Last date seen in any way.
    starts_after : Timestamp or None
        Last date before the paths.
    residual_map : ResidualMap, optional
        Correction of the innovation law, applied to every period's result of the chain. The chain is what is steered,
        so densities and divergences do not change.
    limited_losses : bool
        Whether what the whitening colours is the unbounded coordinate of simple returns
        (`tsgen.whitening.limited_loss`).
    """

    head: SteerableHead
    whitening: Whitening
    origin: Origin
    assets: tuple[str, ...]
    kind: ReturnKind
    last_share: float = 1.0
    evaluate_start: bool = False
    lookback: int = 0
    elapsed: int = 0
    asof: pd.Timestamp | None = None
    starts_after: pd.Timestamp | None = None
    residual_map: ResidualMap | None = None
    limited_losses: bool = False

    def plan(self, n_steps: int) -> StochasticPlan:
        """Coefficients of the chain with ``n_steps`` levels."""
        return stochastic_plan(
            stochastic_angles(n_steps), last_share=self.last_share, evaluate_start=self.evaluate_start
        )

    def digest(self) -> str:
        """SHA-256 of the law: every number of head, whitening and starting point."""
        hashed = hashlib.sha256()
        facts = {
            "assets": list(self.assets),
            "kind": self.kind,
            "last_share": self.last_share,
            "limited_losses": self.limited_losses,
            "evaluate_start": self.evaluate_start,
            "whitening": [self.whitening.kind, self.whitening.facts()],
        }
        hashed.update(json.dumps(facts, sort_keys=True, default=str).encode())
        tensors = {
            **{f"head.{k}": v for k, v in self.head.state_dict().items()},
            **{f"whitening.{k}": v for k, v in self.whitening.arrays().items()},
            **{f"state.{i}": v for i, v in enumerate(self.origin.state)},
            "window": self.origin.window,
            "known": self.origin.known,
            **{f"residual_map.{k}": v for k, v in (self.residual_map._asdict() if self.residual_map else {}).items()},
        }
        for name in sorted(tensors):
            array = np.ascontiguousarray(tensors[name].detach().cpu().numpy())
            hashed.update(f"{name}{array.dtype}{array.shape}".encode())
            hashed.update(array.tobytes())
        return hashed.hexdigest()


def reference_of(
    generator: SteerableGenerator | SteeringReference, history: ReturnPanel | None = None
) -> SteeringReference:
    """The law of ``generator`` after ``history`` (default: where the generator starts by itself).

    Raises
    ------
    ConfigError
        If the object cannot be steered.
    DataError
        If the history has other assets or another return convention.
    """
    if isinstance(generator, SteeringReference):
        if history is not None:
            raise ConfigError("a SteeringReference has its starting point already: leave history out.")
        return generator
    if not isinstance(generator, SteerableGenerator):
        raise ConfigError(
            f"steer needs a generator from fit_generator or load_generator, or a SteeringReference: got "
            f"{type(generator).__name__}. Other scenario sources can be re-weighted with tsgen.entropy_pooling."
        )
    lookback = int(generator.config.head.lookback)
    origin, elapsed, seen = generator.origin, 0, [generator.training_cutoff]
    if history is not None:
        _check_history(history, generator)
        with single_thread():
            returns = modelled(history.values, limited_losses=generator.record.limited_losses)
            origin = origins_at(generator.whitening, returns, [history.n_dates], lookback)[0]
        elapsed = history.n_dates
        seen.append(history.dates[-1])
    return SteeringReference(
        head=generator.head,
        whitening=generator.whitening,
        origin=origin,
        assets=generator.assets,
        kind=generator.kind,
        last_share=float(generator.record.last_share),
        evaluate_start=generator.config.whitening == "identity",
        lookback=lookback,
        elapsed=elapsed,
        asof=max((stamp for stamp in seen if stamp is not None), default=None),
        starts_after=seen[-1],
        residual_map=generator.residual_map,
        limited_losses=generator.record.limited_losses,
    )


def _check_history(history: ReturnPanel, generator: SteerableGenerator) -> None:
    if not isinstance(history, ReturnPanel):
        raise ConfigError(
            f"history must be a ReturnPanel: got {type(history).__name__}. Use tsgen.load_returns for prices or "
            "ReturnPanel(returns, kind=...) for returns."
        )
    if history.assets != generator.assets or history.kind != generator.kind:
        raise DataError(
            f"history must have the assets and the return kind of the generator: expected {generator.kind} returns of "
            f"{list(generator.assets)}, got {history.kind} returns of {list(history.assets)}. Use "
            "history.select(generator.assets).to_kind(generator.kind)."
        )
