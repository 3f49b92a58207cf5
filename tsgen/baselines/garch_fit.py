"""(GJR-)GARCH(1,1) margins by `arch`, with every fit examined and none trusted blindly.

A fit that did not converge, sits on its bounds or leaves residuals of the wrong size is replaced, first by a
Gaussian quasi-likelihood fit, then by the median of the accepted assets; the notes say so by name.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from arch import arch_model
from numpy.typing import NDArray

from tsgen.baselines.variance_recursion import NEWS_LIMIT, VarianceRecursion, robust_scale

# half-life of a variance shock of 1400 periods: beyond, the long-run variance is not identified
LARGEST_PERSISTENCE = 0.9995
_LEAST_OMEGA, _LARGEST_OMEGA = 1e-5, 2.0
_LEAST_DOF = 2.2
# standardised residuals have unit variance if the fit is right; sampling error is far inside these bounds
_LEAST_RESIDUAL_VARIANCE, _LARGEST_RESIDUAL_VARIANCE = 0.7, 1.5
# RiskMetrics-like numbers with a weak pull to the long-run variance, used if no asset could be fitted
_LAST_RESORT = (0.06, 0.0, 0.93)


class GarchMargins(NamedTuple):
    """Fitted margins: means of shape (asset,), the variance recursion, and notes on replaced fits."""

    mean: NDArray[np.float64]
    recursion: VarianceRecursion
    notes: list[str]


@dataclass(frozen=True)
class _Candidate:
    """One fit in units of the robust scale, and why it is not usable (empty if it is)."""

    mean: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    reason: str


def fit_garch_margins(
    values: NDArray[np.float64], assets: tuple[str, ...], *, asymmetric: bool = False
) -> GarchMargins:
    """Fit one GARCH(1,1)-t (or GJR) model per asset.

    Parameters
    ----------
    values : ndarray of shape (time, asset)
        Returns, decimals per period.
    assets : tuple of str
        For the notes.
    asymmetric : bool
        Whether losses may move the variance more than gains (GJR).

    Returns
    -------
    GarchMargins

    References
    ----------
    Bollerslev (1986), "Generalized autoregressive conditional heteroskedasticity", Journal of Econometrics 31.
    """
    centre = values.mean(axis=0)
    scale = robust_scale(values - centre)
    units = (values - centre) / scale
    beyond = np.abs(units) > NEWS_LIMIT
    notes = [
        f"{assets[i]}: {int(beyond[:, i].sum())} returns beyond {NEWS_LIMIT:g} deviations bounded for fitting"
        for i in np.flatnonzero(beyond.any(axis=0))
    ]
    bounded = np.clip(units, -NEWS_LIMIT, NEWS_LIMIT)
    fits = [_fit_one(bounded[:, i], asset, asymmetric, notes) for i, asset in enumerate(assets)]
    fits = _with_replacements(fits, assets, bounded, notes)
    columns = {name: np.array([getattr(f, name) for f in fits]) for name in ("omega", "alpha", "gamma", "beta")}
    columns["omega"] = columns["omega"] * scale**2
    mean = centre + scale * np.array([f.mean for f in fits])
    return GarchMargins(mean, VarianceRecursion.with_scale(scale=_long_run(columns, scale), **columns), notes)


def _long_run(columns: dict[str, NDArray[np.float64]], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviation from the fitted long-run variance, kept within a factor 3 of the robust scale."""
    persistence = columns["alpha"] + 0.5 * columns["gamma"] + columns["beta"]
    implied = np.sqrt(columns["omega"] / (1.0 - persistence))
    # close to a unit root the implied value is noise
    return np.clip(implied, scale / 3.0, 3.0 * scale)


def _fit_one(series: NDArray[np.float64], asset: str, asymmetric: bool, notes: list[str]) -> _Candidate:
    first = _estimate(series, asymmetric, "t")
    if not first.reason:
        return first
    second = _estimate(series, asymmetric, "normal")
    if not second.reason:
        notes.append(f"{asset}: Student-t fit not usable ({first.reason}); Gaussian quasi-likelihood fit used")
        return second
    notes.append(f"{asset}: fits not usable (Student-t: {first.reason}; Gaussian: {second.reason}); replaced")
    return second


def _estimate(series: NDArray[np.float64], asymmetric: bool, law: Literal["t", "normal"]) -> _Candidate:
    model = arch_model(
        series,
        mean="Constant",
        vol="GARCH",
        p=1,
        o=int(asymmetric),
        q=1,
        dist=law,
        rescale=False,
    )
    # numpy warnings of an optimiser on its way are judged by where it ends, below
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = model.fit(disp="off", show_warning=False)
        except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
            return _Candidate(0.0, 1.0, 0.0, 0.0, 0.0, f"{type(error).__name__}: {error}")
    values = {str(name): float(value) for name, value in result.params.items()}
    candidate = (values["mu"], values["omega"], values["alpha[1]"], values.get("gamma[1]", 0.0), values["beta[1]"])
    reason = _objection(candidate, values.get("nu", math.inf), int(result.convergence_flag))
    if not reason:
        reason = _residual_objection(series, candidate)
    return _Candidate(*candidate, reason)


def _objection(candidate: tuple[float, ...], dof: float, flag: int) -> str:
    """Why parameters are not usable; empty if they are."""
    _, omega, alpha, gamma, beta = candidate
    persistence = alpha + 0.5 * gamma + beta
    checks = (
        (flag == 0, f"optimiser did not converge, flag {flag}"),
        (all(math.isfinite(c) for c in candidate), "parameters are not finite"),
        (persistence <= LARGEST_PERSISTENCE, f"persistence {persistence:.4f}"),
        (min(alpha, alpha + gamma, beta) >= -1e-8, "negative coefficient"),
        (_LEAST_OMEGA <= omega <= _LARGEST_OMEGA, f"omega {omega:.3g} of the long-run variance"),
        (dof >= _LEAST_DOF, f"degrees of freedom {dof:.2f} at their bound"),
    )
    return next((text for holds, text in checks if not holds), "")


def _residual_objection(series: NDArray[np.float64], candidate: tuple[float, ...]) -> str:
    mean, omega, alpha, gamma, beta = (np.array([c]) for c in candidate)
    recursion = VarianceRecursion.with_scale(scale=np.ones(1), omega=omega, alpha=alpha, gamma=gamma, beta=beta)
    deviations = series[:, None] - mean
    size = float((deviations**2 / recursion.used(recursion.filtered(deviations)[:-1])).mean())
    if _LEAST_RESIDUAL_VARIANCE <= size <= _LARGEST_RESIDUAL_VARIANCE:
        return ""
    return f"standardised residuals have variance {size:.2f}"


def _with_replacements(
    fits: list[_Candidate], assets: tuple[str, ...], series: NDArray[np.float64], notes: list[str]
) -> list[_Candidate]:
    """Unusable fits replaced by the median coefficients of the usable ones, with their own long-run variance."""
    usable = [f for f in fits if not f.reason]
    if len(usable) == len(fits):
        return fits
    alpha, gamma, beta = _LAST_RESORT
    origin = "fixed numbers, because no asset could be fitted"
    if usable:
        alpha, gamma, beta = (float(np.median([getattr(f, n) for f in usable])) for n in ("alpha", "gamma", "beta"))
        # medians of three numbers need not sum to a stationary recursion
        beta = min(beta, LARGEST_PERSISTENCE - alpha - 0.5 * gamma)
        origin = f"medians of the {len(usable)} usable fits"
    replaced = [a for a, f in zip(assets, fits, strict=True) if f.reason]
    notes.append(
        f"{', '.join(replaced)}: alpha={alpha:.3f}, gamma={gamma:.3f}, beta={beta:.3f} from {origin}; long-run "
        "variance from the asset itself"
    )
    result = []
    for i, fit in enumerate(fits):
        variance = float(series[:, i].var())
        omega = variance * (1.0 - alpha - 0.5 * gamma - beta)
        result.append(_Candidate(float(series[:, i].mean()), omega, alpha, gamma, beta, "") if fit.reason else fit)
    return result


def standardised_residuals(values: NDArray[np.float64], margins: GarchMargins, *, warm_up: int) -> NDArray[np.float64]:
    """``e_t / sqrt(h_t)`` after the first ``warm_up`` periods, shape (time - warm_up, asset)."""
    deviations = values - margins.mean
    variances = margins.recursion.used(margins.recursion.filtered(deviations)[:-1])
    return (deviations / np.sqrt(variances))[warm_up:]
