"""Market data: validated return panels, readers, the catalogue of data sets, time-ordered splits.

Torch-free; sits above `scenario_set` and below everything that learns. Real prices are never copied
into this repository: the catalogue loads them from installed packages.
"""

from tsgen.marketdata.dataset_catalogue import list_datasets
from tsgen.marketdata.missing_values import MissingPolicy
from tsgen.marketdata.readers import load_returns
from tsgen.marketdata.return_panel import PanelSplit, ReturnPanel
from tsgen.marketdata.time_split import TimeSplit, time_ordered_split

__all__ = [
    "MissingPolicy",
    "PanelSplit",
    "ReturnPanel",
    "TimeSplit",
    "list_datasets",
    "load_returns",
    "time_ordered_split",
]
