"""A fan chart in one call, for notebooks."""

import html
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tsgen.errors import DataError
from tsgen.marketdata import ReturnPanel
from tsgen.report.fan_numbers import fan_numbers
from tsgen.report.figures_fan import fan_figure
from tsgen.scenario_set import ScenarioSet


def fan_chart(
    scenarios: ScenarioSet,
    *,
    weights: Mapping[str, float] | pd.Series | None = None,
    realised: ReturnPanel | None = None,
    periods: str = "periods",
) -> go.Figure:
    """Fan chart of cumulated returns: quantile bands, the first scenarios and, if known, what happened.

    Parameters
    ----------
    scenarios : ScenarioSet
    weights : mapping or Series from asset to fraction of initial wealth, optional
        Bought at the as-of date and held; equal weights by default. ``{"AAPL": 1.0}`` shows one asset.
    realised : ReturnPanel, optional
        Returns after the as-of date, same assets.
    periods : str
        Unit of the horizontal axis, for example ``"trading days"``.

    Returns
    -------
    plotly Figure

    Raises
    ------
    DataError
        If weights name unknown assets, or ``realised`` has other assets or starts before the as-of date.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]], [[0.2]]], assets=["A"], kind="simple")
    >>> fan_chart(s).layout.title.text
    'Equally weighted portfolio, 3 scenarios'
    """
    if weights is None:
        title, fractions = "Equally weighted portfolio", np.full(scenarios.n_assets, 1.0 / scenarios.n_assets)
    else:
        fractions = np.zeros(scenarios.n_assets)
        for asset, fraction in weights.items():
            fractions[scenarios.position(str(asset))] = float(fraction)
        only = [a for a, f in zip(scenarios.assets, fractions, strict=True) if f]
        title = html.escape(only[0]) if len(only) == 1 else "Portfolio"
    if realised is not None:
        if realised.assets != scenarios.assets:
            raise DataError(
                f"realised must have the assets of the scenarios: expected {list(scenarios.assets)}, got "
                f"{list(realised.assets)}. Use realised.select(scenarios.assets)."
            )
        if scenarios.asof is not None and realised.dates[0] <= scenarios.asof:
            raise DataError(
                f"realised must start after the as-of date {scenarios.asof.date()}: it starts "
                f"{realised.dates[0].date()}. "
                "Use realised.after(scenarios.asof)."
            )
    numbers = fan_numbers(scenarios, fractions, test=realised)
    return fan_figure(numbers, title=f"{title}, {scenarios.n_scenarios:,} scenarios", periods=periods)
