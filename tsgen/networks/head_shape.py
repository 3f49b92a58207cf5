"""Which head: everything that determines the tensors of a score head."""

from typing import Literal, NamedTuple

from tsgen.networks.history_encoder import Activation, ContextKind

ResidualLaw = Literal["mixture", "student_t", "coordinates"]


class HeadShape(NamedTuple):
    """Everything that determines the tensors of a head."""

    n_assets: int
    n_features: int
    context: ContextKind
    lookback: int
    width: int
    n_blocks: int
    activation: Activation
    n_components: int
    """Components of the mixture anchor; 0 for the standard normal anchor (F = 0)."""
    learned: bool
    """Whether there is a network at all; ``False``: the anchor alone."""
    residual: ResidualLaw = "mixture"
    """Components of the anchor: fitted freely, tied to a Student-t law, or of every coordinate (wide panels)."""
    n_regimes: int = 0
    """Components of an anchor that the features of the past describe; 0: the anchor does not depend on the past."""
    guarded: bool = False
    """Whether a linear bias of the velocity is removed."""
