"""Fit of the residual map: what the head generates against the residuals it was trained on.

A map is fitted wherever there are residuals enough, and no held-out data are asked: over rolling origins it was better
than none on daily panels of several series by 0.1 to 0.3 % of the quantile loss and equal on a single index, it makes
the choice between the laws under it harmless, and on Gaussian noise it costs a tenth of a percent. The last fifth of
a panel, which decided before, says less than that (``examples/experiments/real_markets``). The fewer residuals there
are, the less the map moves.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import genpareto
from torch import Tensor

from tsgen.random_streams import addressed_normals, stream_key
from tsgen.sampling.adapted_sampler import ConditionalSampler, innovations_given, noise_shape, prepare_run
from tsgen.torch_streams import torch_stream
from tsgen.training.training_rows import TrainingRows
from tsgen.whitening.factor_root import FactorRoot
from tsgen.whitening.mixing import mixed_back
from tsgen.whitening.moving_correlation import DirectedRoot
from tsgen.whitening.residual_map import ResidualMap

Array = NDArray[np.float64]

BANK = 122_880
"""Innovations drawn from the head: their own standard deviation is known to half a percent, tails of kurtosis six."""
_BANK_NUMBERS = 30_000_000  # of wide panels, 240 MB: fewer draws of more assets
_TAIL = 0.10
_TAIL_LEVELS = np.array([0.001, 0.002, 0.005, 0.01])
_CORE_LEVELS = np.linspace(0.02, 0.98, 49)
LEVELS = np.concatenate([_TAIL_LEVELS, _CORE_LEVELS, 1.0 - _TAIL_LEVELS[::-1]])
_SMALLEST_STEP = 1e-4
_SMALLEST_MEDIAN = 0.2  # of the mean excess: half of it at a shape of a third, .69 of an exponential tail
FEWEST_RESIDUALS = 250
"""Fewer residuals have no tail to fit: 25 exceedances a side."""
_ENOUGH_RESIDUALS = 1_000  # for a whole map; weekly and monthly panels with fewer did best with about n / 1,000 of it


def _upper_tail(values: Array, levels: Array) -> Array:
    """What values exceed with the probabilities `levels`, below a tenth: generalised Pareto beyond that threshold.

    The shape is shrunk towards an exponential tail and kept below a third: a maximum-likelihood shape from a few
    hundred exceedances has a standard error of 0.05 to 0.1. A series that rests on most dates has exceedances most of
    which are next to nothing, as no such tail has: its quantiles stay empirical.
    """
    threshold = float(np.quantile(values, 1.0 - _TAIL))
    excess = values[values > threshold] - threshold
    if len(excess) == 0 or np.median(excess) < _SMALLEST_MEDIAN * excess.mean():
        return np.asarray(np.quantile(values, 1.0 - levels), dtype=np.float64)
    shape = float(np.clip(0.7 * genpareto.fit(excess, floc=0)[0] + 0.03, -0.1, 0.35))
    return threshold + genpareto.isf(levels / _TAIL, shape, scale=float(excess.mean() * (1.0 - shape)))


def residual_quantiles(values: Array) -> Array:
    """Quantiles of residuals at `LEVELS`: empirical between 10 % and 90 %, generalised Pareto beyond.

    Parameters
    ----------
    values : ndarray of shape (row,)

    Returns
    -------
    ndarray of shape (level,)
        Strictly increasing.
    """
    quantiles = np.asarray(np.quantile(values, LEVELS), dtype=np.float64)
    low, high = LEVELS < _TAIL, LEVELS > 1.0 - _TAIL
    quantiles[low] = -_upper_tail(-values, LEVELS[low])
    quantiles[high] = _upper_tail(values, 1.0 - LEVELS[high])
    return _increasing(quantiles)


def _increasing(quantiles: Array) -> Array:
    """Ties (a series with many zero returns) become steps of one ten-thousandth."""
    steps = _SMALLEST_STEP * np.arange(len(quantiles))
    return np.asarray(np.maximum.accumulate(quantiles - steps) + steps, dtype=np.float64)


@torch.no_grad()
def innovation_bank(sampler: ConditionalSampler, data: TrainingRows, rows: Tensor, *, seed: int) -> Array:
    """Innovations that the head generates in the contexts of randomly chosen rows, shape (draw, asset).

    There are `BANK` draws, fewer of more than 240 assets.

    Every context is used with a noise and with its negative: what is left of the bank's sampling error would be a mean
    of each generated period, and 60 periods add it up.
    """
    run = prepare_run(sampler)
    block = sampler.config.block_size
    pairs = min(BANK, _BANK_NUMBERS // data.innovations.shape[2]) // 2
    picked = rows[torch.randint(len(rows), (pairs,), generator=torch_stream(seed, "residual map"))]
    key = stream_key(seed, "residual map")
    parts = []
    for i, part in enumerate(picked.split(block)):
        shape = noise_shape(run, len(part), data.innovations.shape[2])
        noise = torch.from_numpy(addressed_normals(key, block=i, period=0, shape=shape))
        context = sampler.head.context(data.past(part))
        parts += [innovations_given(sampler.head, run, context, n) for n in (noise, -noise)]
    return torch.cat(parts).double().numpy()


def common_direction(sampler: ConditionalSampler) -> Array:
    """Unit loads of the equally weighted portfolio in the long run; zeros where nothing is mixed, or by factors.

    The first principal direction, which was mapped before, missed that portfolio's 2.5 and 5 % quantiles by a
    twentieth where volatilities differ (correlation .95 with it on 20 stocks).

    Of 500 assets the portfolio is the market factor, whose law is known worse from its own few thousand residuals than
    from all coordinates together: mapped, it took the error of the covariance from 0.95 and 1.0 of that of principal
    components to 1.1 and 1.3 on two of three panels (as in ``benchmarks/wide_panel.py``, Student-t).
    """
    whitening = sampler.whitening
    prediction = whitening.predict(whitening.start(1))
    by_factors = isinstance(prediction.root, DirectedRoot) and isinstance(prediction.root.slow, FactorRoot)
    if prediction.root is None or by_factors or whitening.n_assets == 1:
        return np.zeros(whitening.n_assets)
    loads = mixed_back(prediction.root, prediction.scale[:, None])[0, 0].double().numpy()
    return loads / np.linalg.norm(loads)


def fit_residual_map(bank: Array, residuals: Array, direction: Array) -> ResidualMap:
    """Map the law of generated innovations to the law of residuals, the whole way if there are 1,000 of them.

    With n residuals quantiles move n / 1,000 of the way: those of 300 residuals are no better known than the law's.

    Parameters
    ----------
    bank : ndarray of shape (draw, asset)
        From `innovation_bank`.
    residuals : ndarray of shape (row, asset)
        Whitened training returns.
    direction : ndarray of shape (asset,)
        From `common_direction`.

    Returns
    -------
    ResidualMap
        float64. The mapped bank has mean zero: the expected return is the whitening's location and nothing else.
    """
    n_assets = bank.shape[1]
    share = min(1.0, len(residuals) / _ENOUGH_RESIDUALS)
    residuals = residuals - residuals.mean(axis=0)
    source = np.stack([_increasing(np.quantile(bank[:, i], LEVELS)) for i in range(n_assets)])
    target = np.stack([residual_quantiles(residuals[:, i]) for i in range(n_assets)])
    target = share * target + (1.0 - share) * source
    identity = np.linspace(-1.0, 1.0, len(LEVELS))[None]
    ends = [torch.from_numpy(np.concatenate([x, identity])) for x in (source, target)]
    by_asset = ResidualMap(ends[0], ends[1], torch.zeros(n_assets, dtype=torch.float64))
    if not direction.any():
        return _centred(by_asset, bank)
    along = _increasing(np.quantile(by_asset(torch.from_numpy(bank)).numpy() @ direction, LEVELS))
    wanted = share * residual_quantiles(residuals @ direction) + (1.0 - share) * along
    rows = [torch.from_numpy(np.concatenate([x, y[None]])) for x, y in ((source, along), (target, wanted))]
    return _centred(ResidualMap(rows[0], rows[1], torch.from_numpy(direction.copy())), bank)


def _centred(found: ResidualMap, bank: Array) -> ResidualMap:
    """Shift the targets until the mapped bank has mean zero, along the common direction too."""
    for _ in range(3):  # the shift of a coordinate moves the common direction a little, and back
        mean = found(torch.from_numpy(bank)).mean(dim=0)
        along = mean @ found.direction
        target = found.target.clone()
        target[:-1] -= (mean - along * found.direction)[:, None]
        target[-1] -= along
        found = found._replace(target=target)
    return found
