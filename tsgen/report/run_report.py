"""What a report shows, as one frozen object: results only, nothing that still has to be decided.

Bottom of `tsgen.report`: figures and tables read from it, the command line fills it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from portfolio import Allocation, HorizonMoments, RealisedPerformance
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet

if TYPE_CHECKING:
    from tsgen.generator import AdaptedDiffusionGenerator


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Policy:
    """One way of choosing weights, with its outcome.

    Parameters
    ----------
    name : str
        Shown in legends and tables, for example ``"equal weight"``.
    basis : str
        What the weights were chosen from, in a few words.
    allocation : Allocation
    realised : RealisedPerformance, optional
        Buy-and-hold outcome after the as-of date; ``None`` if there are too few later data.

    Raises
    ------
    ConfigError
        If the name is empty.
    """

    name: str
    basis: str
    allocation: Allocation
    realised: RealisedPerformance | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigError("a policy needs a name for legends and tables: got an empty one.")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class RunReport:
    """Everything the report shows.

    Parameters
    ----------
    title : str
    train : ReturnPanel
        What the generator and the historical moments have seen; its last date is the as-of date.
    test : ReturnPanel, optional
        Later returns, seen by nothing that was fitted.
    scenarios : ScenarioSet
    generator : AdaptedDiffusionGenerator
        For its held-out record.
    policies : tuple of Policy
        The first one is the run's own; the others are comparisons.
    views : mapping of str to HorizonMoments
        Moments by which every policy's expected return and volatility are stated, by name.
    limits : tuple of str
        What a reader must know before believing a number (biases of the data, what was not modelled).
    facts : mapping of str to mapping
        Sections of the provenance table: name, then key and value.

    Raises
    ------
    DataError
        If assets disagree, or there is no policy.

    Notes
    -----
    No clock time belongs in here: equal results must give equal bytes.
    """

    title: str
    train: ReturnPanel
    test: ReturnPanel | None
    scenarios: ScenarioSet
    generator: "AdaptedDiffusionGenerator"
    policies: tuple[Policy, ...]
    views: Mapping[str, HorizonMoments]
    limits: tuple[str, ...] = ()
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.policies:
            raise DataError("a report needs at least one policy: got none.")
        named = {
            "train": self.train.assets,
            **({} if self.test is None else {"test": self.test.assets}),
            **{f"policy {p.name!r}": tuple(p.allocation.weights.index) for p in self.policies},
            **{f"view {name!r}": moments.assets for name, moments in self.views.items()},
        }
        for what, assets in named.items():
            if tuple(assets) != self.scenarios.assets:
                raise DataError(
                    f"{what} must have the assets of the scenarios in their order: expected "
                    f"{list(self.scenarios.assets)}, got {list(assets)}. Use select or reindex before reporting."
                )
