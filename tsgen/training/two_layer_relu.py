r"""Two-layer ReLU networks and their kernels in the limit of infinite width.

    f(x) = m^{-1/2} sum_r a_r relu(w_r' x),     w_r ~ N(0, I),   a_r = +-1 fixed, w_r trained.

As the width ``m`` grows, gradient descent on ``f`` becomes gradient descent of kernel regression with

    K(x, y) = x'y P(w'x > 0, w'y > 0) = x'y (pi - angle(x, y)) / (2 pi),

and the distance of the two falls like ``m^{-1/2}``. If instead the output weights are trained, the kernel is the
arc-cosine kernel ``E[relu(w'x) relu(w'y)]``. The kernels are used by the stopping rule of
`tsgen.training.early_stopping`.
"""

import math
from typing import final

import torch
from torch import Tensor, nn

from tsgen.errors import ConfigError, ShapeError


def _check_pair(left: Tensor, right: Tensor) -> None:
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ShapeError(
            f"a kernel compares rows of inputs of one size: got shapes {tuple(left.shape)} and {tuple(right.shape)}."
        )


def _norms_and_angle(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    norms = left.norm(dim=1)[:, None] * right.norm(dim=1)[None, :]
    cosine = (left @ right.T / norms.clamp_min(torch.finfo(left.dtype).tiny)).clamp(-1.0, 1.0)
    return norms, torch.arccos(cosine)


def two_layer_relu_kernel(left: Tensor, right: Tensor) -> Tensor:
    """Tangent kernel of the two-layer ReLU network of infinite width whose first layer is trained.

    Parameters
    ----------
    left : Tensor of shape (row, input)
    right : Tensor of shape (column, input)

    Returns
    -------
    Tensor of shape (row, column)
        The same for every output; different outputs do not interact.

    Raises
    ------
    ShapeError
        If the inputs are not two tables with as many columns.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), "Neural tangent kernel", arXiv 1806.07572; Cho, Saul (2009), equation 3 (n = 0);
    Han, Razaviyayn, Xu (2024), arXiv 2401.15604, section 4.

    Examples
    --------
    >>> one = torch.tensor([[1.0, 0.0]])
    >>> two_layer_relu_kernel(one, torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])).tolist()
    [[0.5, 0.0, -0.0]]
    """
    _check_pair(left, right)
    _, angle = _norms_and_angle(left, right)
    return left @ right.T * (math.pi - angle) / (2.0 * math.pi)


def arc_cosine_kernel(left: Tensor, right: Tensor) -> Tensor:
    """``E[relu(w'x) relu(w'y)]`` for ``w ~ N(0, I)``: kernel of the output layer on random ReLU features.

    Parameters
    ----------
    left : Tensor of shape (row, input)
    right : Tensor of shape (column, input)

    Returns
    -------
    Tensor of shape (row, column)

    Raises
    ------
    ShapeError
        If the inputs are not two tables with as many columns.

    References
    ----------
    Cho, Saul (2009), "Kernel methods for deep learning", NIPS 22, equations 3 and 6 (n = 1).

    Examples
    --------
    >>> one = torch.tensor([[1.0, 0.0]])
    >>> (2.0 * arc_cosine_kernel(one, torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))).round(decimals=5).abs().tolist()
    [[1.0, 0.0]]
    """
    _check_pair(left, right)
    norms, angle = _norms_and_angle(left, right)
    return norms * (torch.sin(angle) + (math.pi - angle) * torch.cos(angle)) / (2.0 * math.pi)


@final
class TwoLayerReluNetwork(nn.Module):
    """The network of the theory: first layer trained, output signs fixed, zero at the start.

    Hidden units come in pairs with equal weights and opposite signs, so the network starts at zero exactly and its
    kernel at the start is that of ``width / 2`` independent units.

    Parameters
    ----------
    n_inputs, n_outputs : int
    width : int
        Hidden units, even.
    generator : torch.Generator
        Of the random start.
    dtype : torch.dtype

    Raises
    ------
    ConfigError
        If the width is not a positive even number.

    References
    ----------
    Han, Razaviyayn, Xu (2024), arXiv 2401.15604, section 3; Chizat, Oyallon, Bach (2019), arXiv 1812.07956 (pairs).

    Examples
    --------
    >>> network = TwoLayerReluNetwork(3, 1, 16, generator=torch.Generator())
    >>> network(torch.ones(2, 3)).tolist()
    [[0.0], [0.0]]
    """

    signs: Tensor

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        width: int,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if width < 2 or width % 2:
            raise ConfigError(f"width must be a positive even number, units come in pairs: got {width!r}.")
        half = torch.randn(width // 2, n_inputs, generator=generator, dtype=dtype)
        signs = torch.randint(2, (n_outputs, width // 2), generator=generator).to(dtype) * 2.0 - 1.0
        self.weights = nn.Parameter(torch.cat([half, half]))
        self.register_buffer("signs", signs / math.sqrt(width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (row, output) of inputs (row, input)."""
        hidden = torch.relu(inputs @ self.weights.T)
        half = hidden.shape[1] // 2
        return (hidden[:, :half] - hidden[:, half:]) @ self.signs.T
