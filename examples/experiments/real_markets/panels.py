"""The panels of the study, their rolling origins, and the models that are compared on them."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import arch.data.default
import arch.data.frenchdata
import arch.data.nasdaq
import arch.data.sp500
import arch.data.vix
import arch.data.wti
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import tsgen
from tsgen import baselines
from tsgen.generator.generator_config import GeneratorConfig, PresetName
from tsgen.random_streams import dated_seed
from tsgen.sampling.origin import origins_at
from tsgen.whitening.whitening_protocol import colour, whiten_paths

WhiteningChoice = Literal["conditional", "factor"]
FIRST_TEST_YEAR = 2014
STALE_FILTER = 60


@dataclass(frozen=True, kw_only=True)
class Span:
    """Fit up to the end of one year, look at the years after it."""

    fitted_to: int
    until: int


_DAILY = tuple(Span(fitted_to=a, until=b) for a, b in ((1999, 2002), (2002, 2005), (2005, 2008), (2008, 2010)))
VALIDATION = {
    "us_stocks": (*_DAILY, Span(fitted_to=2010, until=2013)),
    "us_index": (*_DAILY, Span(fitted_to=2010, until=2013)),
    "fama_french": (
        Span(fitted_to=1979, until=1989),
        Span(fitted_to=1989, until=1999),
        Span(fitted_to=1999, until=2013),
    ),
    "mixed": (Span(fitted_to=2008, until=2013),),
}
WEEKLY = "_weekly"
VALIDATION |= {f"{name}{WEEKLY}": VALIDATION[name] for name in ("us_stocks", "us_index", "mixed")}
TEST = {
    "us_stocks": (Span(fitted_to=2013, until=2022),),
    "us_index": (Span(fitted_to=2013, until=2022),),
    "fama_french": (Span(fitted_to=1999, until=2017),),
    "factor_etfs": (Span(fitted_to=2018, until=2022),),
    "mixed": (Span(fitted_to=2013, until=2018),),
}
TEST |= {f"{name}{WEEKLY}": TEST[name] for name in ("us_stocks", "us_index", "mixed")}
# no choice was ever made on these
TEST |= {
    "oil": (Span(fitted_to=2005, until=2018),),
    "vix": (Span(fitted_to=2016, until=2018),),
    "bond_yields": (Span(fitted_to=1979, until=2018),),
    "french_factors": (Span(fitted_to=1979, until=2018),),
}


def mixed_panel() -> tsgen.ReturnPanel:
    """S&P 500, Nasdaq and oil (package arch) with four stocks (package skfolio), from 1999."""
    prices = {
        "SP500": arch.data.sp500.load()["Adj Close"],
        "Nasdaq": arch.data.nasdaq.load()["Adj Close"],
        "WTI": arch.data.wti.load().iloc[:, -1],
    }
    logs = {name: np.log(series.dropna()) for name, series in prices.items()}
    stocks = tsgen.load_returns("us_stocks").returns[["JPM", "JNJ", "XOM", "WMT"]].cumsum()
    table = pd.DataFrame(logs).join(stocks, how="inner").dropna()
    levels = pd.DataFrame(np.exp(table - table.iloc[0]) * 100.0)
    return tsgen.load_returns(levels, kind="log")


def _levels(table: pd.DataFrame) -> tsgen.ReturnPanel:
    return tsgen.load_returns(table.dropna().astype(float), kind="log")


def french_factors() -> tsgen.ReturnPanel:
    """Market, size, value and the riskless rate, monthly from 1926, from percent (package arch)."""
    frame = arch.data.frenchdata.load().astype(float) / 100.0
    months = pd.to_datetime(frame.index.asi8.astype(str), format="%Y%m")  # the package reads 192607 as nanoseconds
    return tsgen.ReturnPanel(frame.set_axis(months + pd.offsets.MonthEnd(0)), kind="simple")


# of package arch: oil from 1986, the index of implied volatility from 2014, monthly yields of two ratings from 1919
BUILT = {
    "mixed": mixed_panel,
    "oil": lambda: _levels(arch.data.wti.load()),
    "vix": lambda: _levels(arch.data.vix.load()),
    "bond_yields": lambda: _levels(arch.data.default.load()),
    "french_factors": french_factors,
}


def panel_of(name: str, until: int) -> tsgen.ReturnPanel:
    """A panel up to the end of a year: later returns are not even in memory."""
    daily = name.removesuffix(WEEKLY)
    panel = BUILT[daily]() if daily in BUILT else tsgen.load_returns(daily)
    panel = panel if panel.dates[-1].year <= until else panel.split(f"{until}-12-31")[0]
    return panel if name == daily else weekly(panel)


def weekly(panel: tsgen.ReturnPanel) -> tsgen.ReturnPanel:
    """Log returns from Friday to Friday; a last week that is not over is left out."""
    sums = panel.to_kind("log").returns.resample("W-FRI").sum()
    sums = sums[sums.index <= panel.dates[-1]]
    before = pd.DataFrame(0.0, index=sums.index[:1] - pd.Timedelta(days=7), columns=sums.columns)
    return tsgen.load_returns(100.0 * np.exp(pd.concat([before, sums]).cumsum()), kind="log")


class OwnResiduals:
    """The generator's whitening with its training innovations, whole rows redrawn: what the innovation law adds."""

    def __init__(self, generator: Any, train: tsgen.ReturnPanel) -> None:
        self.assets, self.kind, self.whitening = generator.assets, generator.kind, generator.whitening
        paths = torch.from_numpy(train.values.copy())[None]
        rows = whiten_paths(self.whitening, paths, self.whitening.start(1)).innovations[0, STALE_FILTER:]
        self.rows = rows - rows.mean(dim=0)

    def sample(self, *arguments: Any, **options: Any) -> Any:
        """Only dated scenarios are needed."""
        raise NotImplementedError("use sample_at")

    def sample_at(
        self, panel: tsgen.ReturnPanel, dates: pd.DatetimeIndex, n_scenarios: int, horizon: int, *, seed: int
    ) -> Iterator[NDArray[np.float64]]:
        """Scenarios of shape (n_scenarios, horizon, asset) as of each date."""
        observed = (panel.dates.get_indexer(dates) + 1).tolist()
        for date, origin in zip(
            dates, origins_at(self.whitening, torch.from_numpy(panel.values.copy()), observed, 1), strict=True
        ):
            rng = np.random.default_rng(dated_seed(seed, date.isoformat()))
            state, periods = self.whitening.hold(origin.state, n_scenarios), []
            for _ in range(horizon):
                rows = self.rows[torch.from_numpy(rng.integers(0, len(self.rows), n_scenarios))]
                periods.append(colour(self.whitening.predict(state), rows))
                state = self.whitening.imagine(state, periods[-1])
            yield torch.stack(periods, dim=1).numpy()


def fitted_models(
    train: tsgen.ReturnPanel, *, preset: PresetName, whitening: WhiteningChoice, seed: int
) -> dict[str, Any]:
    """The generator, the bootstrap of its own residuals, and the baselines of the comparison."""
    config = replace(GeneratorConfig.preset(preset), whitening=whitening)
    generator = tsgen.fit_generator(train, config, seed=seed)
    fhs = baselines.FilteredHistoricalSimulation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits that needed a guard say so in their notes
        models = {
            "generator": generator,
            "own residuals": OwnResiduals(generator, train),
            "FHS-EWMA": fhs.fit(train, filter="ewma"),
            "FHS-GJR": fhs.fit(train, filter="gjr"),
            "GARCH-t": baselines.GarchCcc.fit(train),
        }
        if len(train.assets) > 1:
            models["GARCH-t, DCC"] = baselines.GarchCcc.fit(train, correlation="dynamic")
    return models
