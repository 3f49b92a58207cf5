"""Targets per second of the parallel loss, against training on one period per sequence with the same network.

    OMP_NUM_THREADS=1 python benchmarks/training_targets.py

The reference is the way sequential models are usually trained: a batch of sequences, one random period of each, whose
past is taken through the whitening and the encoder for that period alone. The parallel loss whitens every path once
and regresses on all periods of the same sequences in one pass. Both do full steps (forward, backward, clipping, AdamW)
of the same network on the same number of sequences per step. A further ratio gives the reference the filters' work for
free, and the last one also the same number of targets per step, which is all that can be had by batching alone. Prints
one JSON object; ratios are within one run, from CPU seconds of one thread.
"""

import json
import time

import numpy as np
import torch

from tsgen.diffusion.denoising_loss import noised_batch, row_losses
from tsgen.marketdata.known_processes import StudentTAr
from tsgen.networks.history_encoder import Past
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.torch_streams import module_initialisation
from tsgen.training.mixture_anchor import fit_mixture
from tsgen.training.training_rows import make_rows
from tsgen.whitening.linear_prediction_fit import fit_linear_prediction
from tsgen.whitening.whitening_protocol import whiten_paths

PATHS, STEPS, REPEATS, LOOKBACK = 2048, 40, 5, 8


class Contest:
    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        process = StudentTAr((0.5,), dof=4.0)
        self.paths = torch.from_numpy(process.sample(PATHS, horizon, rng=np.random.default_rng(0)))
        self.whitening = fit_linear_prediction(self.paths.numpy())
        whitened = whiten_paths(self.whitening, self.paths, self.whitening.start(PATHS))
        self.rows = make_rows(whitened.innovations, whitened.features, LOOKBACK)
        anchor = fit_mixture(self.rows.clean(torch.arange(5000)), n_components=4, seed=0)
        with module_initialisation(0, "benchmark"):
            self.head = ScoreHead(HeadShape(1, 0, "window", LOOKBACK, 64, 2, "silu", 4, True), anchor)
        self.optimiser = torch.optim.AdamW(self.head.parameters(), lr=1e-4)
        self.generator = torch.Generator().manual_seed(0)

    def step(self, clean: torch.Tensor, past: Past) -> int:
        batch = noised_batch(clean, generator=self.generator)
        loss = row_losses(self.head(batch.noisy, batch.tau, past), batch.target).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
        self.optimiser.step()
        return len(clean)

    def draw(self, sequences: int) -> torch.Tensor:
        return torch.randint(PATHS, (sequences,), generator=self.generator)

    def all_periods(self, sequences: int) -> int:
        rows = (self.draw(sequences)[:, None] * self.horizon + torch.arange(self.horizon)).flatten()
        return self.step(self.rows.clean(rows), self.rows.past(rows))

    def one_period_filters_free(self, sequences: int) -> int:
        rows = self.draw(sequences) * self.horizon + torch.randint(self.horizon, (sequences,), generator=self.generator)
        return self.step(self.rows.clean(rows), self.rows.past(rows))

    def one_period(self, sequences: int) -> int:
        """One period for the batch, as sequential models do: its past is filtered from the start of the path."""
        period = int(torch.randint(self.horizon, (1,), generator=self.generator))
        paths = self.paths[self.draw(sequences)]
        seen = whiten_paths(self.whitening, paths[:, : period + 1], self.whitening.start(sequences))
        rows = make_rows(seen.innovations, seen.features, LOOKBACK)
        last = torch.arange(sequences) * (period + 1) + period
        return self.step(rows.clean(last), rows.past(last))


def targets_per_second(work, sequences: int) -> float:
    work(sequences)
    rates = []
    for _ in range(REPEATS):
        start = time.process_time()
        targets = sum(work(sequences) for _ in range(STEPS))
        rates.append(targets / (time.process_time() - start))
    return float(np.median(rates))


def compare(horizon: int, sequences: int) -> dict:
    contest = Contest(horizon)
    parallel = targets_per_second(contest.all_periods, sequences)
    single = targets_per_second(contest.one_period, sequences)
    free = targets_per_second(contest.one_period_filters_free, sequences)
    wide = targets_per_second(contest.one_period_filters_free, sequences * horizon)
    return {
        "horizon": horizon,
        "sequences_per_step": sequences,
        "parallel_targets_per_second": round(parallel),
        "one_period_targets_per_second": round(single),
        "ratio": round(parallel / single, 1),
        "asked": horizon / 2,
        "ratio_filters_free": round(parallel / free, 1),
        "ratio_filters_free_same_targets_per_step": round(parallel / wide, 2),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = [compare(horizon, n) for horizon in (32, 128) for n in (8, 32)]
    print(json.dumps({"torch": torch.__version__, "threads": 1, "results": results}, indent=2))
