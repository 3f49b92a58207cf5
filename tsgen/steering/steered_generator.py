"""`SteeredGenerator`: a generator whose paths satisfy risk constraints in law."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pandas as pd

from tsgen.errors import ConfigError
from tsgen.marketdata import ReturnPanel
from tsgen.progress import Progress, silent
from tsgen.random_streams import check_seed
from tsgen.return_kind import ReturnKind
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.scenario_set import ScenarioSet
from tsgen.steering.certificate import SteeringCertificate
from tsgen.steering.control_policy import ControlPolicy
from tsgen.steering.controlled_chain import ControlledChain
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.steered_sample import log_tilt, normalised, sample_of
from tsgen.steering.steering_config import SteeringConfig
from tsgen.steering.steering_reference import SteeringReference
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class SteeredGenerator:
    """A reference generator with a control, as returned by `tsgen.steer`.

    Attributes
    ----------
    chain : ControlledChain
        Reference, horizon and steps.
    policy : ControlPolicy or None
        The control; ``None`` if the reference meets the constraints already.
    certificate : SteeringCertificate
        How well the steered law does what was asked.
    config : SteeringConfig
    seed : int
        Of the steering.
    """

    chain: ControlledChain
    policy: ControlPolicy | None
    certificate: SteeringCertificate
    config: SteeringConfig
    seed: int

    @property
    def reference(self) -> SteeringReference:
        """The law that was steered."""
        return self.chain.reference

    @property
    def assets(self) -> tuple[str, ...]:
        """Asset names in the order of the last axis."""
        return self.reference.assets

    @property
    def kind(self) -> ReturnKind:
        """Return convention of the scenarios."""
        return self.reference.kind

    @property
    def horizon(self) -> int:
        """Periods that the constraints are about."""
        return self.chain.horizon

    @property
    def training_cutoff(self) -> pd.Timestamp | None:
        """Last date seen in any way."""
        return self.reference.asof

    @property
    def sampler(self) -> SamplerConfig:
        """Settings with which the unsteered generator uses the same noise.

        ``generator.sample(n, horizon, seed=s, sampler=steered.sampler)`` is the same noise without steering.
        """
        return SamplerConfig(scheme="stochastic", n_steps=self.chain.n_steps, block_size=self.chain.block_size)

    def sample(
        self,
        n_scenarios: int,
        horizon: int | None = None,
        *,
        history: ReturnPanel | None = None,
        seed: int,
        n_workers: int = 1,
        progress: Progress = silent,
    ) -> ScenarioSet:
        """Generate steered scenarios, with probabilities towards the exact law.

        Parameters
        ----------
        n_scenarios : int
        horizon : int, optional
            Default: the horizon of the constraints. Shorter: the first periods of the same paths. Longer: the paths go
            on under the reference, which is what the exact law does as well.
        history : ReturnPanel, optional
            Must be the one that was steered for: levels, multipliers and control belong to one starting point.
        seed : int
            Same seed, same noise as the unsteered generator's, see `sampler`.
        n_workers : int
            Worker processes; the scenarios do not depend on it.
        progress : callable

        Returns
        -------
        ScenarioSet
            ``probabilities`` make it a sample of the exact law; without them (``with_probabilities(None)``) it is a
            sample of the steered law, close to it as the certificate says.

        Raises
        ------
        ConfigError
            If an argument is out of range, or the history is another one.
        """
        n = whole_number(n_scenarios, "n_scenarios")
        length = self.horizon if horizon is None else whole_number(horizon, "horizon")
        self._check_horizon(length)
        self._check_history(history)
        tape = simulate_paths(
            self.chain,
            self.policy,
            n,
            n_periods=max(length, self.horizon),
            seed=check_seed(seed),
            purpose="scenarios",
            n_workers=whole_number(n_workers, "n_workers"),
            progress=progress,
        )
        probabilities = None
        if self.policy is not None:
            own = sample_of(tape, self.chain.book.functionals, self.reference, self.horizon)
            tilt = log_tilt(own, self.policy.statistics, self.policy.multipliers)
            probabilities = normalised(own.log_ratio + tilt)
        return ScenarioSet.from_tensor(
            tape.returns[:, :length],
            assets=self.assets,
            kind=self.kind,
            probabilities=probabilities,
            asof=self.reference.asof,
            provenance=self._facts(seed),
        )

    def _facts(self, seed: int) -> dict[str, Any]:
        certificate = self.certificate
        return {
            "generator": "steered adapted diffusion",
            "seed": int(seed),
            "scheme": "stochastic",
            "n_steps": self.chain.n_steps,
            "block_size": self.chain.block_size,
            "reference_digest": self.reference.digest(),
            "constraints": [c.title for c in certificate.constraints],
            "multipliers": [c.multiplier for c in certificate.constraints],
            "verdict": certificate.verdict,
        }

    def _check_horizon(self, horizon: int) -> None:
        limit, elapsed = self.reference.whitening.max_periods, self.reference.elapsed
        if limit is not None and elapsed + horizon > limit:
            raise ConfigError(
                f"the reference knows its law for {limit} periods only: asked for {elapsed} + {horizon}. Ask for at "
                f"most {limit - elapsed}."
            )

    def _check_history(self, history: ReturnPanel | None) -> None:
        if history is None:
            return
        same = isinstance(history, ReturnPanel) and history.assets == self.assets and len(history.dates) > 0
        if not same or self.reference.starts_after != history.dates[-1]:
            raise ConfigError(
                f"this generator was steered for the state at {self.reference.starts_after}: levels and control hold "
                "there only. Leave history out, or call tsgen.steer again with the new history."
            )

    def save(self, folder: str | Path) -> None:
        """Write the control as a folder of safetensors and JSON, complete or not at all; the reference is not included.

        Raises
        ------
        StorageError
            If the operating system refuses; an earlier folder of that name is then untouched.
        ConfigError
            If a constraint is a function of your program, which cannot be stored.
        """
        from tsgen.steering.storage import save_steered

        save_steered(self, folder)

    def __repr__(self) -> str:
        titles = "; ".join(c.title for c in self.certificate.constraints)
        return f"SteeredGenerator({titles}; horizon {self.horizon}, verdict {self.certificate.verdict})"

    def _repr_html_(self) -> str:
        return f"<p><b>{repr(self).replace('<', '&lt;')}</b></p>{self.certificate._repr_html_()}"
