"""The look-up table against the map it stands for; products with every form of mixing matrix."""

import pytest
import torch

from tsgen.steering.quick_map import QuickMap
from tsgen.whitening.factor_root import factor_root
from tsgen.whitening.mixing import mixed, mixed_back
from tsgen.whitening.moving_correlation import DirectedRoot
from tsgen.whitening.residual_map import ResidualMap
from tsgen.whitening.whitening_protocol import Prediction

N = 3


def exact(with_direction):
    generator = torch.Generator().manual_seed(0)
    source = torch.sort(2 * torch.randn(N + 1, 12, generator=generator)).values
    target = source + 0.1 * torch.sort(torch.randn(N + 1, 12, generator=generator)).values
    direction = torch.tensor([0.6, 0.0, 0.8]) if with_direction else torch.zeros(N)
    return ResidualMap(source, target, direction)


@pytest.mark.parametrize("with_direction", [False, True])
def test_the_table_is_the_map_up_to_its_cells(with_direction):
    """Exact within a cell and in the tails; a knot inside a cell costs at most a kink over 1/32."""
    whole = exact(with_direction)
    clean = 3 * torch.randn(2000, N, generator=torch.Generator().manual_seed(1))
    table = QuickMap.of(whole)
    seen = table.see(clean)
    error = (seen.mapped - whole(clean)).abs()
    assert float(error.max()) < 0.05
    assert float(error.median()) < 1e-5
    assert float((clean - whole(clean)).abs().median()) > 0.02  # the identity would be told apart
    gradient = torch.randn(2000, N, generator=torch.Generator().manual_seed(2))
    difference = (table.pull_back(seen, gradient) - whole.pull_back(clean, gradient)).abs()
    assert float(difference.median()) < 1e-3  # slopes differ in cells with a knot only


def test_products_agree_with_dense_matrices():
    generator = torch.Generator().manual_seed(3)
    n, s = 5, 2
    slow = factor_root(
        torch.randn(N, 1, generator=generator),
        0.1 + torch.rand(N, generator=generator),
        torch.rand(n, 1, generator=generator),
    )
    axis, inner = torch.randn(N, generator=generator), torch.randn(n, N, generator=generator)
    root = DirectedRoot(
        slow, axis, inner, *torch.rand(2, n, generator=generator), 1.0 + torch.rand(n, N, generator=generator)
    )
    z, loads = torch.randn(n, N, generator=generator), torch.randn(n, s, N, generator=generator)
    shared = torch.randn(1, N, N, generator=generator)
    for form, dense in (
        (root, root.dense()),
        (shared, shared.expand(n, -1, -1)),
        (None, torch.eye(N).expand(n, -1, -1)),
    ):
        prediction = Prediction(z, torch.ones_like(z), form, z[:, :0])
        torch.testing.assert_close(mixed(prediction.root, z), (dense @ z[:, :, None])[:, :, 0])
        torch.testing.assert_close(mixed_back(prediction.root, loads), loads @ dense)
