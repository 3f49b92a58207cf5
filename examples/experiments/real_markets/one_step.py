"""One step ahead: energy scores, value at risk and expected shortfall of fixed portfolios."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import tsgen
from tsgen.evaluation import (
    expected_shortfall_test,
    independence_test,
    joint_var_es_score,
    kupiec_test,
    model_confidence_set,
    paired_difference,
)
from tsgen.evaluation.daily_forecasts import series_names, series_of
from tsgen.evaluation.dated_scenarios import scenarios_at
from tsgen.return_kind import convert_returns

Array = NDArray[np.float64]
LEVELS = (0.95, 0.975, 0.99)
N_SCENARIOS, N_ENERGY, N_SIMULATED = 1024, 512, 499
ES_LEVEL = 0.975


class Record(NamedTuple):
    """Forecasts of one model; leading axis date."""

    energy: Array
    """(date,), in training standard deviations."""
    losses: Array
    """(date, portfolio)."""
    var: Array
    """(date, level, portfolio)."""
    shortfall: Array
    """(date, level, portfolio)."""
    simulated: Array
    """(date, simulation, portfolio): losses drawn from the forecast."""


def _energy(scenarios: Array, realised: Array) -> float:
    x = torch.from_numpy(scenarios)
    pairs = torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))
    return float(torch.linalg.vector_norm(x - torch.from_numpy(realised), dim=1).mean() - 0.5 * pairs)


def record_of(model: Any, panel: tsgen.ReturnPanel, first: int, deviation: Array, *, seed: int) -> Record:
    """Forecasts of every date from row ``first`` on, each made the evening before."""
    dates = panel.dates[first - 1 : -1]
    portfolios = slice(None) if panel.values.shape[1] == 1 else slice(panel.values.shape[1], None)
    parts: list[tuple[Any, ...]] = []
    rng = np.random.default_rng(seed)
    for row, paths in enumerate(scenarios_at(model, panel, dates, N_SCENARIOS, 1, seed=seed), start=first):
        realised = panel.values[row]
        energy = _energy(paths[:N_ENERGY, 0] / deviation, realised / deviation)

        def losses(values: Array) -> Array:
            return -series_of(convert_returns(values, from_kind=panel.kind, to_kind="simple"))[..., portfolios]

        forecast = np.sort(losses(paths[:, 0]), axis=0)
        places = [round(level * N_SCENARIOS) for level in LEVELS]
        # at this place a scenario more is beyond the quantile with the probability of its level, whatever the law
        var = np.quantile(forecast, LEVELS, axis=0, method="weibull")
        shortfall = np.stack([forecast[p:].mean(axis=0) for p in places])
        drawn = forecast[rng.integers(0, N_SCENARIOS, N_SIMULATED)]
        parts.append((energy, losses(realised[None])[0], var, shortfall, drawn.astype(np.float32)))
    return Record(*(np.stack(column) for column in zip(*parts, strict=True)))


def joined(records: list[Record]) -> Record:
    """Records of several origins, one after the other."""
    return Record(*(np.concatenate(parts) for parts in zip(*records, strict=True)))


def _tests(record: Record, portfolio: int, *, independence: bool) -> dict[str, Any]:
    losses = record.losses[:, portfolio]
    found: dict[str, Any] = {}
    for i, level in enumerate(LEVELS):
        hits = losses > record.var[:, i, portfolio]
        name = f"VaR {100 * level:g}%"
        found[name] = {"hits_percent": 100 * hits.mean(), "kupiec_p": kupiec_test(hits, level=level).p_value}
        if independence:
            found[name]["independence_p"] = independence_test(hits).p_value
    i = LEVELS.index(ES_LEVEL)
    if not np.any(losses > record.var[:, i, portfolio]):
        return found  # no exceedance: the shortfall is not defined, the tests of the value at risk judge that
    shortfall = expected_shortfall_test(
        losses,
        record.var[:, i, portfolio],
        record.shortfall[:, i, portfolio],
        record.simulated[:, :, portfolio].T.astype(np.float64),
        level=ES_LEVEL,
    )
    found["ES 97.5%"] = {
        "z1": shortfall.z1,
        "z1_p": shortfall.z1_p_value,
        "z2": shortfall.z2,
        "z2_p": shortfall.z2_p_value,
    }
    return found


def _joint_scores(record: Record) -> Array:
    i = LEVELS.index(ES_LEVEL)
    columns = range(record.losses.shape[1])
    return np.stack(
        [
            joint_var_es_score(record.losses[:, p], record.var[:, i, p], record.shortfall[:, i, p], level=ES_LEVEL)
            for p in columns
        ],
        axis=1,
    )


def summary(records: dict[str, Record], assets: tuple[str, ...]) -> dict[str, Any]:
    """Differences to the generator, tests of every portfolio, and the confidence set of the joint score."""
    own = records["generator"]
    names = series_names(assets)[-own.losses.shape[1] :]
    result: dict[str, Any] = {"n_dates": len(own.energy), "energy": float(own.energy.mean())}
    joint = {name: _joint_scores(r) for name, r in records.items()}
    for name, record in records.items():
        if name != "generator":
            energy = paired_difference(own.energy, record.energy)
            tail = paired_difference(joint["generator"].mean(axis=1), joint[name].mean(axis=1))
            equal = paired_difference(joint["generator"][:, 0], joint[name][:, 0])
            result[f"against {name}"] = {
                "energy_percent": 100 * energy.difference / record.energy.mean(),
                "energy_t": energy.t,
                "joint_score": tail.difference,
                "joint_score_t": tail.t,
                "joint_score_first": equal.difference,
                "joint_score_first_t": equal.t,
            }
    for name in ("generator", "FHS-GJR"):
        result[f"tests of {name}"] = {
            series: _tests(records[name], p, independence=p == 0) for p, series in enumerate(names)
        }
    compared = {k: v.mean(axis=1) for k, v in joint.items() if k != "own residuals"}
    table = model_confidence_set(compared, seed=0)
    result["confidence set"] = {str(k): [float(v.mean_score), float(v.p_value)] for k, v in table.iterrows()}
    return result
