r"""`steer`: from a generator and risk constraints to a generator that satisfies them in law.

Among all laws of the paths that meet the constraints, the one closest to the reference in path divergence is its
exponential tilt, and it is adapted. `steer` approaches it by policy iteration on the noise of the reference's own
reverse diffusion, and proves on fresh paths how close it came.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch

from tsgen.errors import ConfigError
from tsgen.marketdata import ReturnPanel
from tsgen.one_numeric_thread import one_numeric_thread
from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.random_streams import check_seed
from tsgen.single_thread import single_thread
from tsgen.steering.bound_statistic import BoundStatistic
from tsgen.steering.certificate import CertificateInputs, SteeringCertificate, certify, worth_a_warning
from tsgen.steering.control_policy import ControlPolicy
from tsgen.steering.controlled_chain import ControlledChain
from tsgen.steering.errors import SteeringWarning
from tsgen.steering.gain_scan import scanned_gains
from tsgen.steering.iteration_store import load_progress, save_progress
from tsgen.steering.path_tape import PathTape
from tsgen.steering.policy_iteration import Progressed, has_settled, next_iteration, start_of
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.risk_constraint import RiskConstraint, checked_constraints
from tsgen.steering.risk_functionals import EventProbability, ExpectedShortfall, PathMean, RiskFunctional
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.statistic_binding import bind_constraints, bind_reward, check_reward
from tsgen.steering.steered_generator import SteeredGenerator
from tsgen.steering.steered_sample import SteeredSample, sample_of
from tsgen.steering.steering_config import SteeringConfig
from tsgen.steering.steering_reference import SteerableGenerator, SteeringReference, reference_of
from tsgen.whole_numbers import whole_number

Reward = RiskFunctional | Callable[[torch.Tensor], torch.Tensor]


class _Task(NamedTuple):
    """What is asked for."""

    chain: ControlledChain
    constraints: tuple[RiskConstraint, ...]
    temperature: float | None
    config: SteeringConfig
    seed: int
    progress: Progress


def steer(
    generator: SteerableGenerator | SteeringReference,
    constraints: Iterable[RiskConstraint] | RiskConstraint = (),
    *,
    horizon: int,
    history: ReturnPanel | None = None,
    seed: int = 0,
    config: SteeringConfig | None = None,
    reward: Reward | None = None,
    temperature: float | None = None,
    resume: str | Path | None = None,
    progress: Progress = silent,
) -> SteeredGenerator:
    r"""Steer a generator to risk constraints, or towards a reward.

    Parameters
    ----------
    generator : fitted generator or SteeringReference
    constraints : iterable of RiskConstraint
        Conditions on the law of the paths over the horizon.
    horizon : int
        Periods.
    history : ReturnPanel, optional
        Where the paths start; default as in ``generator.sample``.
    seed : int
    config : SteeringConfig, optional
    reward : risk functional or callable ``Tensor (path, time, asset) -> Tensor (path,)``, optional
        Instead of constraints: maximise ``E[reward] - temperature * KL``.
    temperature : float, optional
        In the unit of the reward; needed with a reward.
    resume : str or Path, optional
        Folder for the state after every iteration; an interrupted call goes on from there with the same result.
    progress : callable
        Receives `tsgen.progress.ProgressEvent`; its note is the certificate so far.

    Returns
    -------
    SteeredGenerator
        Read its ``certificate`` before its paths.

    Raises
    ------
    ConfigError
        If arguments contradict each other or are out of range.
    SteeringError
        If a level cannot be reached.
    DataError
        If assets or history do not match the generator.

    Warns
    -----
    SteeringWarning
        If the verdict is ``"failed"``, or the statistics are not bounded.

    Notes
    -----
    Statistics are winsorised at their reference mean plus and minus five standard deviations: with fat tails the
    exponential tilt of an unbounded statistic does not exist, and a sample hides that. The tilt then acts on the
    winsorised statistic, with the multiplier at which the plain one is at its level.

    References
    ----------
    Han, Razaviyayn, Xu (2024), "Stochastic Control for Fine-tuning Diffusion Models", arXiv 2412.18164.
    Csiszar (1975), "I-divergence geometry of probability distributions".

    Examples
    --------
    >>> steer(None, reward=abs, horizon=5)
    Traceback (most recent call last):
    ...
    tsgen.errors.ConfigError: a reward needs a positive temperature, in the reward's unit: got None. High ...
    """
    settings = SteeringConfig() if config is None else config
    if not isinstance(settings, SteeringConfig):
        raise ConfigError(f"config must be a SteeringConfig: got {type(settings).__name__}.")
    listed = checked_constraints(constraints)
    functionals, beta = _asked(listed, reward, temperature)
    horizon = whole_number(horizon, "horizon", of="periods")
    check_seed(seed)
    reference = reference_of(generator, history)
    chain = ControlledChain(
        reference=reference,
        book=PortfolioBook.of(functionals, reference.assets),
        horizon=horizon,
        n_steps=settings.n_steps,
        block_size=settings.block_size,
    )
    _check_length(reference, horizon)
    task = _Task(chain, listed, beta, settings, seed, progress)
    with one_numeric_thread(), single_thread():
        steered = _steered(task, resume)
    message = worth_a_warning(steered.certificate, bounded=settings.bound_deviations is not None)
    if message is not None:
        warnings.warn(message, SteeringWarning, stacklevel=2)
    return steered


def _asked(
    constraints: tuple[RiskConstraint, ...], reward: Reward | None, temperature: float | None
) -> tuple[tuple[RiskFunctional, ...], float | None]:
    """Functionals to follow, and the temperature of a reward."""
    if constraints and (reward is not None or temperature is not None):
        raise ConfigError(
            "give constraints, or a reward with a temperature, but not both: they fix the multiplier twice."
        )
    if constraints:
        return tuple(c.functional for c in constraints), None
    if reward is None:
        raise ConfigError("nothing to steer to: give constraints, or a reward with a temperature.")
    beta = check_reward(temperature)
    if isinstance(reward, ExpectedShortfall):
        raise ConfigError("an expected shortfall is no mean over paths and cannot be a reward: constrain it instead.")
    if isinstance(reward, get_args(RiskFunctional)):
        return (reward,), beta  # pyright: ignore[reportReturnType]  (narrowed by get_args)
    return (PathMean(reward),), beta  # pyright: ignore[reportArgumentType]


def _check_length(reference: SteeringReference, horizon: int) -> None:
    limit = reference.whitening.max_periods
    if limit is not None and reference.elapsed + horizon > limit:
        raise ConfigError(
            f"the reference knows its law for {limit} periods only: asked for {reference.elapsed} + {horizon}. Ask for "
            f"at most {limit - reference.elapsed}."
        )


def _steered(task: _Task, resume: str | Path | None) -> SteeredGenerator:
    config, chain = task.config, task.chain
    tape = simulate_paths(
        chain,
        None,
        config.n_paths,
        n_periods=chain.horizon,
        seed=task.seed,
        purpose="steering reference",
        record=True,
        n_workers=config.n_workers,
    )
    reference = sample_of(tape, chain.book.functionals, chain.reference, chain.horizon)
    statistics = _bound(task, reference)
    identity = _identity(task) if resume is not None else {}
    state = None if resume is None else load_progress(resume, identity)
    if state is None:
        state = start_of(statistics, tape, reference)
    fixed = None if task.temperature is None else 1.0 / task.temperature
    while state.done < config.n_iterations and not has_settled(state):
        state = next_iteration(state, chain, config, seed=task.seed, fixed=fixed, progress=task.progress)
        if resume is not None:
            save_progress(state, resume, identity)
        if state.policy is not None and not any(state.policy.multipliers):
            break  # the reference meets the constraints: nothing to steer
    policy = state.policy
    if policy is not None and not any(policy.multipliers):
        policy = None
    final = replace(chain, n_candidates=config.n_candidates)
    if policy is not None:
        policy = scanned_gains(chain, policy, config, seed=task.seed)
    certificate = _certificate(task, final, policy, state, reference)
    return SteeredGenerator(chain=final, policy=policy, certificate=certificate, config=config, seed=task.seed)


def _bound(task: _Task, reference: SteeredSample) -> tuple[BoundStatistic, ...]:
    bound = task.config.bound_deviations
    if task.temperature is None:
        return bind_constraints(task.constraints, reference.values, bound=bound)
    return (bind_reward(task.chain.book.functionals[0], reference.values[0], bound=bound),)


def _identity(task: _Task) -> dict[str, Any]:
    """What an interrupted call and its continuation must share; JSON-able."""
    config = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(task.config).items() if k != "n_workers"}
    return {
        "reference": task.chain.reference.digest(),
        "constraints": [c.title for c in task.constraints],
        # a function has no other identity than its name; all else is in the object
        "functionals": [f.label if isinstance(f, PathMean) else repr(f) for f in task.chain.book.functionals],
        "temperature": task.temperature,
        "horizon": task.chain.horizon,
        "config": config,
        "seed": task.seed,
    }


def _certificate(
    task: _Task,
    chain: ControlledChain,
    policy: ControlPolicy | None,
    state: Progressed,
    reference: SteeredSample,
) -> SteeringCertificate:
    config = task.config
    tape: PathTape = simulate_paths(
        chain,
        policy,
        config.n_certificate_paths,
        n_periods=chain.horizon,
        seed=task.seed,
        purpose="steering certificate",
        n_workers=config.n_workers,
    )
    sample = sample_of(tape, chain.book.functionals, chain.reference, chain.horizon)
    # a choice among candidates has no density ratio on a path that was not chosen
    observed = None if policy is None or chain.n_candidates > 1 else _observed(task, chain, policy)
    certificate = certify(
        CertificateInputs(
            sample=sample,
            spent=tape.spent.numpy(),
            largest_shift=float(tape.largest_shift.max()),
            limited_share=float(tape.clipped.mean()),
            reference=reference,
            statistics=state.statistics,
            multipliers=(0.0,) * len(state.statistics) if policy is None else policy.multipliers,
            gain=1.0 if policy is None else policy.gain,
            iterations=tuple(
                {**asdict(r), "multipliers": list(r.multipliers), "biases": list(r.biases)} for r in state.records
            ),
            settings={
                "horizon": chain.horizon,
                "n_steps": chain.n_steps,
                "n_candidates": chain.n_candidates,
                "seed": task.seed,
                "bound_deviations": config.bound_deviations,
                "temperature": task.temperature,
                "evaluation": config.evaluation,
            },
            met=state.met,
            bounded=config.bound_deviations is not None or _bounded_anyway(task),
            observed=observed,
        )
    )
    task.progress(ProgressEvent("certificate", 1, 1, f"verdict {certificate.verdict}"))
    return certificate


def _observed(task: _Task, chain: ControlledChain, policy: ControlPolicy) -> SteeredSample:
    """Fresh paths of the reference, seen by the policy."""
    tape = simulate_paths(
        chain,
        policy,
        task.config.n_certificate_paths,
        n_periods=chain.horizon,
        seed=task.seed,
        purpose="steering certificate reference",
        observed=True,
        n_workers=task.config.n_workers,
    )
    return sample_of(tape, chain.book.functionals, chain.reference, chain.horizon)


def _bounded_anyway(task: _Task) -> bool:
    return all(isinstance(f, EventProbability) for f in task.chain.book.functionals)
