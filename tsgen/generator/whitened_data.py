"""Which whitening a configuration means, its fit, and the innovations that heads are trained on."""

from torch import Tensor

from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.training_data import TrainingData
from tsgen.training.head_selection import Comparison
from tsgen.training.training_rows import TrainingRows, make_rows
from tsgen.whitening.factor_volatility_fit import fit_factor_volatility
from tsgen.whitening.identity import IdentityWhitening
from tsgen.whitening.own_lags import OwnLagWhitening
from tsgen.whitening.own_lags_fit import fit_own_lags, surprises
from tsgen.whitening.path_whitening_choice import choose_family, fit_family
from tsgen.whitening.regime_switching import RegimeSwitchingWhitening
from tsgen.whitening.volatility_fit import check_panel_values, fit_volatility
from tsgen.whitening.whitening_protocol import Whitening, whiten_paths

FILTER_BURN_IN = 60
"""First dates of a panel whose filters are still settling: not trained on."""
LARGEST_DENSE_PANEL = 40
"""Assets beyond which moving correlations of all pairs are mostly noise: factors take their place.

Of 55 independent normal series, 2,500 dates, one-step variances were 18 % too large, and grew in roll-outs."""


def fit_whitening(paths: Tensor, *, is_panel: bool, config: GeneratorConfig, family: str) -> Whitening:
    """Fit the configured whitening; ``family`` names the closed form for paths that held-out data chose."""
    if config.whitening == "identity":
        return IdentityWhitening.fit(paths)
    if not is_panel:
        return fit_family(family, paths.numpy())
    wide = config.whitening == "factor" or paths.shape[2] > LARGEST_DENSE_PANEL
    returns = paths[0].numpy()
    check_panel_values(returns)
    lags = fit_own_lags(returns)
    left = returns if lags is None else surprises(returns, lags)
    inner = fit_factor_volatility(left) if wide else fit_volatility(left)
    return inner if lags is None else OwnLagWhitening(inner, lags)


def choose_whitening(
    data: TrainingData, training_part: Tensor, config: GeneratorConfig
) -> tuple[Whitening, list[Comparison]]:
    """Whitening of the training part; closed forms for paths compete on the paths that are held out."""
    if data.is_panel or config.whitening == "identity":
        return fit_whitening(training_part, is_panel=data.is_panel, config=config, family=""), []
    whitening, scores = choose_family(training_part.numpy(), data.paths[len(training_part) :].numpy())
    record = [
        Comparison(f"whitening {s.family}", s.loss, s.difference, s.standard_error, s.accepted, 0) for s in scores
    ]
    return whitening, record


def whitened_rows(whitening: Whitening, paths: Tensor, config: GeneratorConfig, device: str) -> TrainingRows:
    """Innovations and features of every period."""
    whitened = whiten_paths(whitening, paths, whitening.start(len(paths)), largest_mixed=whitening.largest_mixed)
    rows = make_rows(whitened.innovations, whitened.features, config.head.lookback)
    if isinstance(whitening, RegimeSwitchingWhitening):
        rows = rows._replace(regime_shapes=whitening.shapes)
    return rows.to(device)
