"""The steered chain: the reference's reverse diffusion, period by period, with the noise of every transition moved.

Without control it makes the reference's paths to the bit: the noise has the same addresses. The shift of a transition
reads the past of the path and the current noisy value only, so the paths stay adapted.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from tsgen.random_streams import addressed_normals, stream_key
from tsgen.steering.bound_statistic import normal_distribution
from tsgen.steering.control_policy import ControlPolicy, Transition, base_value, transitions_of
from tsgen.steering.controlled_step import (
    Node,
    Shift,
    controlled,
    limited_share,
    moved_noise,
    observed_noise,
    parametric,
    uncontrolled,
)
from tsgen.steering.look_ahead import Day, foresee
from tsgen.steering.parametric_policy import ParametricPolicy
from tsgen.steering.path_state import PathState, after_day, day_of, past_of, path_state_at_start, rows_of
from tsgen.steering.path_tape import PathTape
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.quick_map import QuickMap
from tsgen.steering.steering_reference import SteeringReference


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ControlledChain:
    """What is simulated, apart from the control.

    Parameters
    ----------
    reference : SteeringReference
    book : PortfolioBook
    horizon : int
        Periods that constraints are about; later periods follow the reference.
    n_steps : int
    block_size : int
    n_candidates : int
        Candidates per period, of which one is kept.
    """

    reference: SteeringReference
    book: PortfolioBook
    horizon: int
    n_steps: int
    block_size: int
    n_candidates: int = 1


class _Account(NamedTuple):
    """Sums over the transitions of one period, each (path,); and the rows of the tape."""

    log_ratio: Tensor
    spent: Tensor
    largest: Tensor
    clipped: Tensor
    rows: list[tuple[Tensor, ...]]


def _no_account(n: int) -> _Account:
    zeros = [torch.zeros(n, dtype=torch.float64) for _ in range(4)]
    return _Account(zeros[0], zeros[1], zeros[2], zeros[3], [])


class _Run(NamedTuple):
    """What does not change during a block."""

    chain: ControlledChain
    policy: ControlPolicy | ParametricPolicy | None
    transitions: list[Transition]
    levels: list[Any]
    quick_map: QuickMap | None
    record: bool
    observed: bool


def _one_period(run: _Run, day: Day, context: Tensor | None, noise: Tensor) -> tuple[Tensor, _Account]:
    """Innovations of one period and what their control cost."""
    n = noise.shape[1]
    u = torch.zeros_like(noise[0])
    stored = torch.zeros_like(u)
    account = _no_account(n)
    kept = None
    for at in run.transitions:
        level = None if at.evaluated is None else run.levels[at.evaluated]
        node = Node(u, level, context, day, at, at.position / len(run.transitions), kept)
        control = _control(run, node)
        kept = control.kept
        moved = (observed_noise if run.observed else moved_noise)(noise[at.position], control)
        if at.evaluated is None:
            u = moved.noise
        else:
            u = at.carry * u + at.newest * control.velocity + at.previous * stored + at.noise * moved.noise
            stored = control.velocity
        size = moved.square.sqrt()
        account.log_ratio.add_(moved.increment)
        account.spent.add_(moved.spent)
        torch.maximum(account.largest, size.double(), out=account.largest)
        if run.policy is not None:
            account.clipped.add_(limited_share(size, run.policy.limit) / len(run.policy.level_gains))
        if run.record and control.foreseen is not None:
            account.rows.append((moved.increment, moved.on_noise, moved.square, *control.foreseen))
    return u, account


def _control(run: _Run, node: Node) -> Shift:
    chain = run.chain
    if node.day.period >= chain.horizon or node.at.slot is None:
        return uncontrolled(chain.reference, chain.book, node, record=False)
    if run.policy is None:
        return uncontrolled(chain.reference, chain.book, node, record=run.record)
    if isinstance(run.policy, ParametricPolicy):
        return parametric(chain.reference, chain.book, node, run.policy)
    return controlled(chain.reference, chain.book, node, run.policy, record=run.record)


@torch.no_grad()
def simulate_block(
    chain: ControlledChain,
    policy: ControlPolicy | ParametricPolicy | None,
    *,
    n_periods: int,
    seed: int,
    purpose: str,
    block: int,
    record: bool = False,
    observed: bool = False,
) -> PathTape:
    """Simulate one block of paths.

    Parameters
    ----------
    chain : ControlledChain
    policy : ControlPolicy, ParametricPolicy or None
        ``None``: the reference itself.
    n_periods : int
    seed, purpose, block
        Address of the noise; ``purpose="scenarios"`` shares it with the unsteered generator.
    record : bool
        Keep what policy evaluation needs (one candidate only).
    observed : bool
        Paths of the reference, with the density ratio that the policy gives them: the other side of the same ratio
        (one candidate, no control cost).

    Returns
    -------
    PathTape
    """
    reference, size = chain.reference, chain.block_size
    plan = reference.plan(chain.n_steps)
    levels = [reference.head.prepare(float(tau)) for tau in plan.angles]
    exact = reference.residual_map
    foreseen = record or policy is not None
    table = QuickMap.of(exact.like(torch.zeros(()))) if exact is not None and foreseen else None
    run = _Run(chain, policy, transitions_of(plan), levels, table, record, observed)
    m = 1 if policy is None or observed else chain.n_candidates
    keys = [stream_key(seed, purpose if j == 0 else f"{purpose} candidate {j}") for j in range(m)]
    choice = stream_key(seed, f"{purpose} choice")
    shape = (plan.n_noises, size, reference.whitening.n_assets)
    paths = path_state_at_start(reference, chain.book, size)
    totals = _no_account(size)
    unit, periods = None, []
    for period in range(n_periods):
        drawn = [torch.from_numpy(addressed_normals(k, block=block, period=period, shape=shape)) for k in keys]
        several = m > 1 and period < chain.horizon
        noise = torch.stack(drawn, dim=2).flatten(1, 2) if several else drawn[0]
        begin = rows_of(paths, torch.arange(size).repeat_interleave(m)) if several else paths
        day = day_of(
            begin,
            reference,
            chain.book,
            period=period,
            horizon=chain.horizon,
            unit=unit,
            foreseen=foreseen,
            quick_map=table,
        )
        unit = day.unit
        innovations, account = _one_period(run, day, reference.head.context(past_of(begin, day)), noise)
        paths, returns = after_day(begin, day, innovations, reference, chain.book)
        if several:
            uniform = addressed_normals(choice, block=block, period=period, shape=(size,))
            paths, returns, account = _chosen(run, day, innovations, paths, returns, account, uniform)
        totals = _added(totals, account)
        periods.append(returns)
    return _tape(torch.stack(periods, dim=1), totals, min(n_periods, chain.horizon))


def _added(totals: _Account, account: _Account) -> _Account:
    return _Account(
        totals.log_ratio + account.log_ratio,
        totals.spent + account.spent,
        torch.maximum(totals.largest, account.largest),
        totals.clipped + account.clipped,
        totals.rows + account.rows,
    )


def _chosen(
    run: _Run,
    day: Day,
    innovations: Tensor,
    paths: PathState,
    returns: Tensor,
    account: _Account,
    normals: np.ndarray,
) -> tuple[PathState, Tensor, _Account]:
    """Keep one candidate per path with probability proportional to value times density ratio."""
    m, policy = run.chain.n_candidates, run.policy
    value = _value_after(run, day, innovations, paths, policy) if policy is not None else torch.zeros(len(returns))
    score = (account.log_ratio + value.double()).view(-1, m)
    total = torch.logsumexp(score, dim=1) - math.log(m)
    cumulated = torch.softmax(score, dim=1).cumsum(dim=1)
    uniform = normal_distribution(torch.from_numpy(normals).double())[:, None]
    position = (cumulated < uniform).sum(dim=1).clamp(max=m - 1)
    rows = torch.arange(len(score)) * m + position
    ratio = total - value.double()[rows]
    kept = _Account(ratio, -ratio, account.largest[rows], account.clipped[rows], [])
    return rows_of(paths, rows), returns[rows], kept


def _value_after(
    run: _Run, day: Day, innovations: Tensor, paths: PathState, policy: ControlPolicy | ParametricPolicy
) -> Tensor:
    """Value of the finished period: at the beginning of the next one, or the tilt itself after the last."""
    chain = run.chain
    if day.period + 1 == chain.horizon:
        done = foresee(innovations, day, chain.book, cosine=1.0, sine=0.0, share=1.0)
        return base_value(policy.statistics, policy.multipliers, done.location, done.spread)
    following = day_of(
        paths,
        chain.reference,
        chain.book,
        period=day.period + 1,
        horizon=chain.horizon,
        unit=day.unit,
        foreseen=True,
        quick_map=run.quick_map,
    )
    at = run.transitions[0]
    clean = torch.zeros_like(innovations)
    if at.evaluated is not None:
        context = chain.reference.head.context(past_of(paths, following))
        clean = -chain.reference.head.velocity_at(clean, run.levels[at.evaluated], context)
    return policy.value(foresee(clean, following, chain.book, cosine=at.cosine, sine=at.sine, share=0.0))


def _tape(returns: Tensor, totals: _Account, n_controlled: int) -> PathTape:
    size = len(returns)
    empty = torch.zeros(size, 0)
    if not totals.rows:
        fields = (empty, empty, empty, empty[:, :, None], empty[:, :, None], empty[:, :, None])
    else:
        columns = list(zip(*totals.rows, strict=True))
        fields = tuple(torch.stack(list(column), dim=1) for column in columns)
    share = totals.clipped / max(n_controlled, 1)
    return PathTape(returns, totals.log_ratio, totals.spent, totals.largest, share, *fields)
