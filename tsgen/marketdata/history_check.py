"""`check_history`: whether a panel can be the history that scenarios start from. Below generators and baselines."""

from tsgen.errors import ConfigError, DataError
from tsgen.marketdata.return_panel import ReturnPanel
from tsgen.return_kind import ReturnKind

_REGULAR = ("daily", "weekly", "monthly", "quarterly", "yearly")
_SHORTEST_JUDGED = 10  # the gaps of fewer dates say little on their frequency


def check_history(
    history: ReturnPanel, *, assets: tuple[str, ...], kind: ReturnKind, frequency: str, model: str
) -> int:
    """Number of recorded dates, if the history has the assets, the return kind and the frequency of the training data.

    Parameters
    ----------
    history : ReturnPanel
    assets : tuple of str
    kind : {"log", "simple"}
    frequency : str
        Of the training data; compared where both are regular and the history has ten dates or more.
    model : str
        What messages call the asker: ``"generator"`` or ``"baseline"``.

    Raises
    ------
    ConfigError
        If it is no `ReturnPanel`.
    DataError
        If assets, kind or frequency differ.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"A": [0.01, -0.02]}, index=pd.bdate_range("2024-01-01", periods=2))
    >>> check_history(
    ...     ReturnPanel(frame, kind="log"), assets=("A",), kind="log", frequency="daily", model="generator"
    ... )
    2
    """
    if not isinstance(history, ReturnPanel):
        raise ConfigError(
            f"history must be a ReturnPanel ending at the as-of date: got {type(history).__name__}. Use "
            "tsgen.load_returns for prices or ReturnPanel(returns, kind=...) for returns, and panel.until(date)."
        )
    if history.assets != assets:
        missing = [a for a in assets if a not in history.assets]
        raise DataError(
            f"history must have the assets of the training data in their order: expected {list(assets)}, got "
            f"{list(history.assets)}{f' (missing {missing})' if missing else ''}. "
            f"Use history.select({model}.assets)."
        )
    if history.kind != kind:
        raise DataError(
            f"history has {history.kind} returns, the {model} was trained on {kind} returns. "
            f"Use history.to_kind({kind!r})."
        )
    judged = history.n_dates >= _SHORTEST_JUDGED and history.frequency in _REGULAR and frequency in _REGULAR
    if judged and history.frequency != frequency:
        raise DataError(
            f"history is {history.frequency}, the {model} was trained on {frequency} returns: one period would pass "
            "for another. Give a history of the same frequency."
        )
    return history.n_dates
