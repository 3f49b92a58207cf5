"""Small data: seven daily series, the kernel rule on all training data against held-out stopping.

S&P 500, Nasdaq and WTI oil (package arch) with four stocks (package skfolio), 2010 to 2018. Both rules see 2010 to
2016; the denoising loss of 2017 and 2018 (fixed noise, blocks of twenty days) compares them. ``forced``: one network
per context on the mixture anchor of the default generator. ``generator``: `fit_generator` with the default
configuration as it is.
"""

from dataclasses import replace
from typing import Any

import arch.data.nasdaq
import arch.data.sp500
import arch.data.wti
import numpy as np
import pandas as pd
import torch

import tsgen
from tsgen.generator import GeneratorConfig
from tsgen.networks.history_encoder import ContextKind
from tsgen.networks.score_head import HeadShape
from tsgen.training.head_selection import build_head
from tsgen.training.kernel_training import train_to_stop
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_loop import block_losses, hold_out, train_head
from tsgen.training.training_rows import TrainingRows, make_rows, split_rows
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import Whitening, whiten_paths

BEGIN, END, LAST = "2010-01-01", "2016-12-31", "2018-12-31"
STOCKS = ["JPM", "JNJ", "XOM", "WMT"]
LOOKBACK, BURN_IN, PURGE = 8, 60, 5


def panel() -> tsgen.ReturnPanel:
    """Log returns of the seven series."""
    prices = {
        "SP500": arch.data.sp500.load()["Adj Close"],
        "Nasdaq": arch.data.nasdaq.load()["Adj Close"],
        "WTI": arch.data.wti.load().iloc[:, -1],
    }
    logs = {name: np.log(series.dropna()) for name, series in prices.items()}
    stocks = tsgen.load_returns("us_stocks").returns[STOCKS].cumsum()
    table = pd.DataFrame(logs).join(stocks, how="inner").dropna().loc[BEGIN:LAST]
    return tsgen.load_returns(np.exp(table - table.iloc[0]) * 100.0, kind="log")


class Comparison:
    """Rows of the whole span, whitened with numbers of the first part; loss on the second part."""

    def __init__(self, whitening: Whitening, values: np.ndarray, n_training: int) -> None:
        paths = torch.from_numpy(values.copy())[None]
        whitened = whiten_paths(whitening, paths, whitening.start(1))
        self.data: TrainingRows = make_rows(whitened.innovations, whitened.features, LOOKBACK)
        self.training = torch.arange(BURN_IN, n_training)
        test = torch.arange(n_training, len(values))
        self.held = hold_out(self.data, test, (test - n_training) // 20, seed=12345)

    def losses(self, head: Any) -> torch.Tensor:
        """Loss of every block of twenty days."""
        return block_losses(head, self.data, self.held)


def forced_part(context: ContextKind, seed: int) -> dict[str, Any]:
    """Both rules on the same head and anchor."""
    whole = panel()
    n_training = len(whole.split(END)[0].dates)
    compare = Comparison(fit_volatility(whole.values[:n_training]), whole.values, n_training)
    data, everything, config = compare.data, compare.training, TrainingConfig()
    shape = HeadShape(7, data.features.shape[2], context, LOOKBACK, 64, 2, "silu", 4, True)
    split = split_rows(1, n_training, fraction=config.validation_fraction, purge=PURGE, skip=BURN_IN)
    held = hold_out(data, split.validation, split.validation_block, seed=seed)
    chosen = train_head(
        build_head(shape, data, split.train, seed=seed), data, split.train, config, seed=seed,
        evaluate=lambda head: float(block_losses(head, data, held).mean()),
    )  # fmt: skip
    start = build_head(shape, data, everything, seed=seed)
    refitted = (
        train_head(start, data, everything, config, seed=seed, stop_at=chosen.steps).head if chosen.steps else start
    )
    descent = train_to_stop(start, data, everything, replace(config, early_stopping="ntk"), seed=seed)
    losses = {
        "anchor": compare.losses(start), "held_out": compare.losses(refitted),
        "held_out_before_refit": compare.losses(chosen.head),
        "ntk": compare.losses(descent.head),
    }  # fmt: skip
    return {
        "part": f"network, context {context}", "seed": seed,
        "held_out_steps": chosen.steps, "ntk_steps": descent.plan.steps, "limited": descent.plan.limited,
        "radius": descent.plan.stop.radius, "noise_level": descent.plan.stop.noise_level,
        "losses": {name: values.tolist() for name, values in losses.items()},
    }  # fmt: skip


def generator_part(seed: int) -> dict[str, Any]:
    """The default generator with either rule."""
    whole = panel()
    training = whole.split(END)[0]
    losses, accepted = {}, {}
    for rule in ("held_out", "ntk"):
        config = GeneratorConfig.preset("default")
        config = replace(config, training=replace(config.training, early_stopping=rule))
        generator = tsgen.fit_generator(training, config, seed=seed)
        compare = Comparison(generator.whitening, whole.values, training.n_dates)
        losses[rule] = compare.losses(generator.head).tolist()
        accepted[rule] = [c["candidate"] for c in generator.record.comparisons if c["accepted"]]
    return {"part": "default generator", "seed": seed, "losses": losses, "accepted": accepted}


def summary(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean loss differences to held-out stopping, in thousandths; errors over blocks of the mean over seeds."""
    lines = []
    for name in sorted({part["part"] for part in parts}):
        members = [part for part in parts if part["part"] == name]
        mean = {k: np.mean([m["losses"][k] for m in members], axis=0) for k in members[0]["losses"]}
        line: dict[str, Any] = {
            "part": name,
            "seeds": len(members),
            "held-out stopping, loss": round(mean["held_out"].mean(), 5),
        }
        for other in mean:
            if other == "held_out":
                continue
            difference = 1e3 * (mean[other] - mean["held_out"])
            line[f"{other} minus held_out, x 1e-3"] = round(float(difference.mean()), 3)
            line[f"{other} standard error, x 1e-3"] = round(float(difference.std(ddof=1) / np.sqrt(len(difference))), 3)
        for steps in ("held_out_steps", "ntk_steps"):
            if steps in members[0]:
                line[steps] = [m[steps] for m in members]
        if "accepted" in members[0]:
            line["accepted"] = [m["accepted"] for m in members]
        lines.append(line)
    return lines
