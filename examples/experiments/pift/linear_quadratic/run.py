"""Policy iteration where everything is exact: rates, divergence and its cures, and the limit of continuous time.

    OMP_NUM_THREADS=1 python examples/experiments/pift/linear_quadratic/run.py

Writes results.json beside this file; about three minutes on one core. References are Gaussian: random covariances of d
assets (static), AR(1) and VAR(1) paths generated period by period. Three seeds wherever there is randomness.
"""

import json
import platform
from itertools import islice
from pathlib import Path

import numpy as np

from tsgen.marketdata.known_processes import Arma, VarProcess
from tsgen.steering.linear_quadratic import (
    ExplicitUpdate,
    Gaussian,
    ImplicitUpdate,
    LinearControl,
    PolicyIterationError,
    QuadraticReward,
    SteeringProblem,
    angle_chain,
    balanced_step,
    conditionals,
    continue_in_temperature,
    denoising_chain,
    falling_temperatures,
    gaussian_divergence,
    geometric_alpha_bars,
    iterate_policy,
    linear_rate,
    measured_rate,
    optimal_control,
    optimality_gap,
    policy_iterates,
    predicted_to_converge,
    process_conditionals,
    reference_ratio,
    step_errors,
    tilted_gaussian,
    uniform_angles,
)

SEEDS, DIMENSIONS = (0, 1, 2), tuple(range(1, 9))


def static_law(d: int, seed: int) -> Gaussian:
    rng = np.random.default_rng([seed, d])
    a = rng.standard_normal((d, d))
    return Gaussian(rng.standard_normal(d), a @ a.T / d + 0.3 * np.eye(d))


def reward_of(d: int, seed: int, sign: float) -> QuadraticReward:
    rng = np.random.default_rng([seed, d, 7])
    a = rng.standard_normal((d, d))
    return QuadraticReward(hessian=sign * a @ a.T / d, gradient=rng.standard_normal(d))


def chain_of(laws, n_steps: int, kind: str):
    if kind == "angle":
        return angle_chain(laws, uniform_angles(n_steps))
    return denoising_chain(laws, geometric_alpha_bars(n_steps), control_start=kind == "denoising from the start")


def static(d: int, seed: int, sign: float, beta: float, *, n_steps: int = 30, kind: str = "angle") -> SteeringProblem:
    law = static_law(d, seed)
    chain = chain_of(conditionals(*law, n_assets=d), n_steps, kind)
    return SteeringProblem(chain=chain, reward=reward_of(d, seed, sign), temperature=beta)


def path(process, periods: int, beta: float, *, n_steps: int = 20) -> SteeringProblem:
    """Sum of all returns near -10; its weight puts the reference's curvature in noise units at 0.133."""
    chain = chain_of(process_conditionals(process, periods), n_steps, "angle")
    ones = np.ones(chain.n_states)
    unit = SteeringProblem(chain=chain, reward=QuadraticReward.near(-10.0, direction=ones), temperature=1.0)
    weight = 0.133 / reference_ratio(unit)
    return SteeringProblem(
        chain=chain, reward=QuadraticReward.near(-10.0, direction=ones, weight=weight), temperature=beta
    )


def processes() -> dict:
    found: dict = {f"AR(1) {phi}": (Arma((phi,), (), start="stationary"), 10) for phi in (0.5, 0.8, -0.5)}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        found[f"VAR(1) 2 assets, seed {seed}"] = VarProcess.random_first_order(2, spectral_radius=0.6, rng=rng), 6
    return found


def linear_rewards() -> list[dict]:
    rows = []
    for kind in ("angle", "denoising from the start", "denoising"):
        for d in DIMENSIONS:
            gaps = []
            for seed in SEEDS:
                problem = static(d, seed, 0.0, 1.0, kind=kind)
                gaps.append(optimality_gap(problem, iterate_policy(problem, ExplicitUpdate()).control).end_gap)
            rows.append({"chain": kind, "assets": d, "largest_divergence_to_the_tilt": max(gaps)})
    return rows


def quadratic_rewards() -> list[dict]:
    rows = []
    for d in (1, 2, 4, 8):
        for seed in SEEDS:
            means, corrected = {}, {}
            for n_steps in (10, 30, 100, 300):
                problem = static(d, seed, -1.0, 0.5, n_steps=n_steps)
                both = [
                    optimality_gap(
                        problem, iterate_policy(problem, ImplicitUpdate(), correct_covariance=c).control
                    ).end_gap
                    for c in (False, True)
                ]
                means[n_steps], corrected[n_steps] = both
            rows.append(
                {
                    "assets": d,
                    "seed": seed,
                    "means_only": means,
                    "covariance_corrected": corrected,
                    "shrinks_from_30_to_300": means[30] / means[300],
                }
            )
    return rows


def seen(problem: SteeringProblem, update, *, n: int = 80) -> float:
    optimum = optimal_control(problem).control
    iterates = (i.control for i in islice(policy_iterates(problem, update), n))
    return measured_rate([step_errors(c, optimum) for c in (LinearControl.none(problem.chain), *iterates)])


def rates() -> list[dict]:
    cases = []
    for seed in SEEDS:
        for kind in ("angle", "denoising"):
            name = f"static, 4 assets, concave, {kind}, seed {seed}"
            cases += [(name, static(4, seed, -1.0, beta, kind=kind)) for beta in (10.0, 3.0, 1.0)]
            edge = static(4, seed, 1.0, 1e6, kind=kind).smallest_temperature
            for margin in (5.0, 2.0, 1.1):
                name = f"static, 4 assets, convex, {margin} x the smallest temperature, {kind}, seed {seed}"
                cases.append((name, static(4, seed, 1.0, margin * edge, kind=kind)))
    for name, (process, periods) in processes().items():
        cases += [(name, path(process, periods, beta)) for beta in (1.0, 0.3)]
    rows = []
    for name, problem in cases:
        theory, measured = linear_rate(problem), None
        if predicted_to_converge(problem):
            measured = seen(problem, ExplicitUpdate())
        rows.append(
            {
                "case": name,
                "temperature": problem.temperature,
                "theory": theory,
                "measured": measured,
                "relative_error": None if measured is None else measured / theory - 1.0,
                "reference_ratio": reference_ratio(problem),
            }
        )
    return rows


def iterations(problem: SteeringProblem, update, *, accuracy: float = 1e-11, n: int = 300) -> int | str:
    optimum = optimal_control(problem).control
    try:
        for count, iterate in enumerate(islice(policy_iterates(problem, update), n), start=1):
            if iterate.control.distance(optimum) < accuracy:
                return count
    except PolicyIterationError as error:
        return f"ran away after {len(error.changes)}"
    return f"not within {n}"


def divergence_and_cures() -> list[dict]:
    rows = []
    for name, (process, periods) in processes().items():
        for beta in (1.0, 0.15, 0.1, 0.03, 0.01, 0.003):
            problem = path(process, periods, beta)
            row = {
                "case": name,
                "temperature": beta,
                "rate": linear_rate(problem),
                "reference_ratio": reference_ratio(problem),
                "balanced_step": balanced_step(problem),
                "implicit": iterations(problem, ImplicitUpdate()),
            }
            for eta in (1.0, 0.5, 0.25):
                row[f"explicit {eta}"] = iterations(problem, ExplicitUpdate(step_size=eta), n=150)
                row[f"predicted {eta}"] = predicted_to_converge(problem, eta)
            try:
                found = continue_in_temperature(
                    problem, ExplicitUpdate(), temperatures=falling_temperatures(1.0, beta, 0.7)
                )
                row["continuation"] = found.iterations
            except PolicyIterationError as error:
                row["continuation"] = f"ran away after {len(error.changes)}"
            rows.append(row)
    return rows


def continuous_time() -> list[dict]:
    """As the steps get finer: rate, gap, cost, and the control against the difference of two scores."""
    rows = []
    for seed in SEEDS:
        law, reward, beta = static_law(3, seed), reward_of(3, seed, -1.0), 0.5
        tilt = tilted_gaussian(law, reward, beta)
        for n_steps in (25, 50, 100, 200, 400, 800):
            problem = static(3, seed, -1.0, beta, n_steps=n_steps)
            optimum = optimal_control(problem)
            gap = optimality_gap(problem, optimum.control)
            rows.append(
                {
                    "seed": seed,
                    "steps": n_steps,
                    "rate_times_steps": linear_rate(problem) * n_steps,
                    "gap_times_steps_squared": gap.end_gap * n_steps**2,
                    "cost": gap.divergence,
                    "cost_in_the_limit": gaussian_divergence(tilt.law, law),
                    "objective": float(optimum.value.constant[0]),
                    "objective_in_the_limit": beta * tilt.log_partition,
                    "control_from_score_difference": score_departure(law, tilt.law, optimum.control, n_steps),
                    "explicit_iterations": iterations(problem, ExplicitUpdate(step_size=balanced_step(problem))),
                    "implicit_iterations": iterations(problem, ImplicitUpdate()),
                }
            )
    return rows


def score_departure(law: Gaussian, tilt: Gaussian, control: LinearControl, n_steps: int) -> float:
    """Largest difference, over the middle of the angles, of the control per noise and the score difference."""
    angles, eye = uniform_angles(n_steps), np.eye(len(law.mean))
    off = []
    for k in range(n_steps // 5, n_steps - n_steps // 5, max(n_steps // 25, 1)):
        cos, sin = np.cos(angles[k]), np.sin(angles[k])
        rho = cos / np.cos(angles[k + 1])
        before, after = (np.linalg.inv(cos**2 * g.covariance + sin**2 * eye) for g in (law, tilt))
        per_noise = rho / np.sqrt(1 - rho**2)
        off.append(np.abs(per_noise * control.gain[k] - (before - after)).max())
        level = cos * (after @ tilt.mean - before @ law.mean)
        off.append(np.abs(per_noise * control.offset[k] - level).max())
    return float(max(off))


def main() -> None:
    results = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seeds": SEEDS,
        "linear_rewards": linear_rewards(),
        "quadratic_rewards": quadratic_rewards(),
        "rates": rates(),
        "divergence_and_cures": divergence_and_cures(),
        "continuous_time": continuous_time(),
    }
    Path(__file__).with_name("results.json").write_text(json.dumps(results, indent=1) + "\n")
    print_summary(results)


def print_summary(results: dict) -> None:
    exact = [r for r in results["linear_rewards"] if r["chain"] != "denoising"]
    print(
        f"linear rewards: largest divergence to the tilt {max(r['largest_divergence_to_the_tilt'] for r in exact):.1e}"
    )
    quadratic = results["quadratic_rewards"]
    worst = max(max(r["covariance_corrected"].values()) for r in quadratic)
    shrink = [r["shrinks_from_30_to_300"] for r in quadratic]
    print(f"quadratic: corrected {worst:.1e}; means only shrinks {min(shrink):.0f} to {max(shrink):.0f} times")
    errors = [abs(r["relative_error"]) for r in results["rates"] if r["measured"] is not None]
    print(f"rates: {len(errors)} cases, largest relative error {max(errors):.3f}")
    cures = results["divergence_and_cures"]
    right = [isinstance(r[f"explicit {e}"], int) for r in cures for e in (1.0, 0.5, 0.25) if r[f"predicted {e}"]]
    print(f"rule: {sum(right)} of {len(right)} predicted to converge did; implicit {[r['implicit'] for r in cures]}")


if __name__ == "__main__":
    main()
