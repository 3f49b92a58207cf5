"""Nearly linear-quadratic policy gradient: where it converges, how fast, and what it earns in a factor market.

    OMP_NUM_THREADS=1 python examples/experiments/nearly_lq_policy/run.py [--seeds 5]

Writes results.json beside this file and prints the tables. One core, about ten minutes.
"""

import argparse
import json
import time
from pathlib import Path

import factor_market as fm
import numpy as np
from scipy.optimize import minimize

from portfolio.dynamic import (
    ControlProblem,
    DescentSettings,
    KernelFeatures,
    NearlyLinearSystem,
    PolicyTraining,
    QuadraticObjective,
    descend,
    fit_nearly_lq_policy,
    garleanu_pedersen,
    identify_system,
    lq_surrogate,
    policy_value,
)
from tsgen.errors import DataError

CONSTANTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
STATE, CONTROL, FEATURES, N_STARTS, RANDOM_STARTS, HORIZON = 3, 2, 3, 100, 6, 30
SAME = 1e-6  # relative gap of the cost below which two ends are called the same


def make_problem(constant: float, seed: int, radius: float = 0.9) -> tuple[ControlProblem, np.ndarray]:
    """Problem and surrogate gains: transition of that radius, C of norm 1, three kernels of that Lipschitz constant."""
    rng = np.random.default_rng(seed)
    a, b, c = (rng.normal(size=(STATE, n)) for n in (STATE, CONTROL, FEATURES))
    centres = rng.normal(size=(FEATURES, STATE))
    features = KernelFeatures(centres=centres, width=1.0, strength=constant / np.sqrt(FEATURES))
    system = NearlyLinearSystem(
        transition=radius * a / np.abs(np.linalg.eigvals(a)).max(),
        control=b,
        nonlinear=c / np.linalg.norm(c, 2),
        features=features,
    )
    objective = QuadraticObjective(state_cost=np.eye(STATE), control_cost=np.eye(CONTROL))
    surrogate = lq_surrogate(system, objective)
    start = rng.normal(size=(N_STARTS, STATE))
    problem = ControlProblem(
        system=system, objective=objective, initial_states=start, horizon=HORIZON, terminal=surrogate.value
    )
    return problem, surrogate.gains


def brute_force(problem: ControlProblem, starts: list[np.ndarray], constant: float) -> tuple[np.ndarray, float]:
    """Best end of BFGS from many starts, in units in which the features are of order one."""
    unit = np.hstack([np.ones(STATE), np.full(FEATURES, 1.0 / constant)])

    def function(theta: np.ndarray) -> tuple[float, np.ndarray]:
        gains = theta.reshape(problem.shape) * unit
        if not np.isfinite(cost := problem.cost(gains)) or cost > 1e12:
            return 1e12, np.zeros_like(theta)
        visit = problem.visit(gains)
        return visit.cost, (visit.gradient * unit).ravel()

    ends = [minimize(function, (k / unit).ravel(), jac=True, method="BFGS", options={"gtol": 1e-9}) for k in starts]
    best = min(ends, key=lambda end: end.fun)
    return best.x.reshape(problem.shape) * unit, float(best.fun)


def one(constant: float, seed: int) -> dict:
    problem, surrogate = make_problem(constant, seed)
    rng = np.random.default_rng(1000 + seed)
    randoms = [surrogate + rng.normal(size=problem.shape) * np.abs(surrogate).mean() for _ in range(RANDOM_STARTS)]
    optimum, best = brute_force(problem, [surrogate, np.zeros(problem.shape), *randoms], constant)
    settings = DescentSettings(max_iterations=80)
    exact = descend(problem, surrogate, settings)
    estimated = descend(
        problem, surrogate, DescentSettings(gradient="zeroth_order", max_iterations=25), rng=np.random.default_rng(seed)
    )
    plain = descend(problem, surrogate, DescentSettings(preconditioned=False, max_iterations=100))
    others = [descend(problem, k, settings) for k in randoms if problem.radius(k) < 1 and problem.cost(k) < 1e6]
    nothing = descend(problem, np.zeros(problem.shape), settings)
    best = min([best, *(result.cost for result in (exact, estimated, plain, nothing, *others))])

    def arrived(result) -> bool:
        return bool(result.cost - best <= SAME * best)

    weight = np.hstack([np.ones(STATE), np.full(FEATURES, constant)])
    return {
        "constant": constant,
        "seed": seed,
        "optimal_cost": best,
        "start_gap": exact.steps[0].cost / best - 1,
        "factor": exact.contraction(best),
        "iterations": len(exact.steps) - 1,
        "arrived": arrived(exact),
        "gap": exact.cost / best - 1,
        "distance": float(np.linalg.norm((exact.gains - optimum) * weight)),
        "distance_raw": float(np.linalg.norm(exact.gains - optimum)),
        "zeroth_factor": estimated.contraction(best),
        "zeroth_gap": estimated.cost / best - 1,
        "zeroth_distance": float(np.linalg.norm((estimated.gains - optimum) * weight)),
        "plain_factor": plain.contraction(best),
        "plain_gap": plain.cost / best - 1,
        "random_admissible": len(others),
        "random_arrived": sum(arrived(r) for r in others),
        "random_iterations": float(np.mean([len(r.steps) - 1 for r in others])) if others else None,
        "random_start_gap": float(np.median([r.steps[0].cost / best - 1 for r in others])) if others else None,
        "nothing_start_gap": nothing.steps[0].cost / best - 1,
        "nothing_iterations": len(nothing.steps) - 1,
        "nothing_arrived": arrived(nothing),
    }


def unstable_open_loop(constant: float, seed: int) -> dict:
    """The contrast where it matters: a system that explodes without control."""
    problem, surrogate = make_problem(constant, seed, radius=1.3)
    rng = np.random.default_rng(2000 + seed)
    settings = DescentSettings(max_iterations=80)
    exact = descend(problem, surrogate, settings)
    admissible, arrived, iterations = 0, 0, []
    for _ in range(100):
        start = rng.normal(size=problem.shape) * np.abs(surrogate).mean()
        if problem.radius(start) >= settings.stability_limit:
            continue
        admissible += 1
        if admissible <= 5:
            other = descend(problem, start, settings)
            arrived += other.cost - exact.cost <= SAME * exact.cost
            iterations.append(len(other.steps) - 1)
    try:
        descend(problem, np.zeros(problem.shape), settings)
        nothing = "accepted"
    except DataError:
        nothing = "refused: unstable"
    return {
        "constant": constant,
        "seed": seed,
        "iterations": len(exact.steps) - 1,
        "status": exact.status,
        "factor": exact.contraction(exact.cost),
        "random_starts_stable_of_100": admissible,
        "random_tried": min(admissible, 5),
        "random_arrived": int(arrived),
        "random_iterations": float(np.mean(iterations)) if iterations else None,
        "no_initialisation": nothing,
    }


def partial_information(seed: int, constant: float, noise: float, n_paths: int) -> dict:
    """Surrogate from identified parameters instead of the true ones, then descent on simulated costs."""
    problem, surrogate = make_problem(constant, seed)
    rng, system = np.random.default_rng(seed), problem.system
    x = np.empty((n_paths, 21, STATE))
    x[:, 0] = rng.normal(size=(n_paths, STATE))
    u = rng.normal(size=(n_paths, 20, CONTROL))
    for t in range(20):
        drift = x[:, t] @ system.transition.T + system.features.value(x[:, t]) @ system.nonlinear.T
        x[:, t + 1] = drift + u[:, t] @ system.control.T + noise * rng.normal(size=(n_paths, STATE))
    found = identify_system(x, u, system.features).system
    gains = lq_surrogate(found, problem.objective).gains
    known, unknown = descend(problem, surrogate), descend(problem, gains)
    return {
        "constant": constant,
        "seed": seed,
        "noise": noise,
        "n_paths": n_paths,
        "parameter_error": float(np.linalg.norm(found.transition - system.transition)),
        "start_gain_error": float(np.linalg.norm(gains - surrogate)),
        "start_gap": problem.cost(gains) / known.cost - 1,
        "end_gap": unknown.cost / known.cost - 1,
    }


def trading(seed: int) -> list[dict]:
    given = fm.problem()
    closed = garleanu_pedersen(**given)
    rules = {name: given[name] for name in ("covariance", "costs", "risk_aversion", "discount")}
    myopic_curvature = np.linalg.inv(fm.RISK_AVERSION * given["covariance"] + given["costs"] / fm.DISCOUNT)
    exact = {
        "closed form": fm.exact_value(
            np.eye(4) - closed.trading_rate, np.linalg.inv(given["costs"]) @ closed.factor_loading
        ),
        "myopic": fm.exact_value(myopic_curvature @ given["costs"] / fm.DISCOUNT, myopic_curvature @ given["loadings"]),
    }
    rows = []
    for name, signal in (("linear", lambda f: f), ("saturating", lambda f: np.tanh(2 * f))):
        scenarios, factors = fm.simulate(1000, 400, seed, signal)
        fresh, fresh_factors = fm.simulate(4000, 400, 100 + seed, signal)
        base = None
        for label, training in {
            "affine": PolicyTraining(features=None),
            "saturating features, lifted surrogate": PolicyTraining(earnings=()),
            "saturating features, lifted surrogate and descent": PolicyTraining(),
            "saturating features, shock surrogate": PolicyTraining(start="shock", earnings=()),
            "saturating features, shock surrogate and descent": PolicyTraining(start="shock"),
        }.items():
            begin = time.perf_counter()
            policy = fit_nearly_lq_policy(
                scenarios, factors, given["costs"], fm.RISK_AVERSION, training=training, seed=seed
            )
            seconds = time.perf_counter() - begin
            value = policy_value(policy, fresh, signals=fresh_factors, **rules)
            base = value if base is None else base
            difference, error = value.better_than(base)
            linear = name == "linear" and label == "affine"
            rows.append(
                {
                    "signal": name,
                    "seed": seed,
                    "policy": label,
                    "value": value.mean,
                    "standard_error": value.standard_error,
                    "better_than_affine": difference,
                    "better_error": error,
                    "stages_taken": [stage.earnings for stage in policy.report.stages if stage.taken],
                    "exact_value": fm.exact_value(np.eye(4) - policy.gains.position, -policy.gains.factor)
                    if linear
                    else None,
                    "seconds": round(seconds, 1),
                }
            )
        if name == "linear":
            value = policy_value(closed, fresh, signals=fresh_factors, **rules)
            rows.append(
                {"signal": name, "seed": seed, "policy": "closed form", "value": value.mean, "exact": exact}
                | {"standard_error": value.standard_error}
            )
    return rows


def _range(rows: list[dict], key: str) -> str:
    values = [row[key] for row in rows if row[key] is not None and np.isfinite(row[key])]
    return f"{np.median(values):.2g} ({min(values):.2g} to {max(values):.2g})" if values else "-"


def print_table(rows: list[dict]) -> None:
    print("| constant | surrogate gap | factor | distance | plain factor | arrived | random starts arrived |")
    print("|---|---|---|---|---|---|---|")
    for constant in CONSTANTS:
        part = [row for row in rows if row["constant"] == constant]
        cells = [_range(part, key) for key in ("start_gap", "factor", "distance", "plain_factor")]
        arrived = f"{sum(r['arrived'] for r in part)}/{len(part)}"
        randoms = f"{sum(r['random_arrived'] for r in part)}/{sum(r['random_admissible'] for r in part)}"
        print(f"| {constant} | {' | '.join(cells)} | {arrived} | {randoms} |")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seeds", type=int, default=3)
    names = ("convergence", "unstable_open_loop", "partial_information", "trading")
    arguments.add_argument("--parts", nargs="+", choices=names, default=names)
    chosen = arguments.parse_args()
    seeds, target = range(chosen.seeds), Path(__file__).with_name("results.json")
    results = json.loads(target.read_text()) if target.exists() else {}
    results["setting"] = {
        "state": STATE, "control": CONTROL, "features": FEATURES, "initial_states": N_STARTS, "horizon": HORIZON,
        "random_starts": RANDOM_STARTS, "numpy": np.__version__,
    }  # fmt: skip
    unknown = ((0.0, 20), (0.1, 20), (0.1, 200), (0.1, 2000))
    for part in chosen.parts:
        if part == "convergence":
            rows = [one(constant, seed) for constant in CONSTANTS for seed in seeds]
            print_table(rows)
        elif part == "unstable_open_loop":
            rows = [unstable_open_loop(constant, seed) for constant in (0.05, 0.2, 0.5) for seed in seeds]
        elif part == "partial_information":
            rows = [partial_information(seed, 0.3, *known) for known in unknown for seed in seeds]
        else:
            rows = [row for seed in seeds for row in trading(seed)]
        for row in rows if part != "convergence" else ():
            print({key: float(f"{v:.4g}") if isinstance(v, float) else v for key, v in row.items()})
        results[part] = rows
        target.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
