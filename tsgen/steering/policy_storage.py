"""A control policy as tensors and numbers, and back: shared by finished folders and by checkpoints."""

from typing import Any

import torch
from torch import Tensor

from tsgen.steering.control_policy import ControlPolicy
from tsgen.steering.functional_records import statistic_from, statistic_record
from tsgen.steering.value_network import ValueNetwork
from tsgen.torch_streams import module_initialisation


def policy_tensors(policy: ControlPolicy) -> dict[str, Tensor]:
    """All tensors of a policy, by name."""
    network = {f"network.{k}": v.detach().cpu().contiguous() for k, v in policy.network.state_dict().items()}
    return {**network, "level_gains": policy.level_gains.contiguous()}


def policy_record(policy: ControlPolicy) -> dict[str, Any]:
    """Everything else of a policy; JSON-able."""
    return {
        "statistics": [statistic_record(s) for s in policy.statistics],
        "multipliers": list(policy.multipliers),
        "gains": list(policy.gains),
        "limit": policy.limit,
        "curved": policy.curved,
    }


def policy_from(tensors: dict[str, Tensor], record: dict[str, Any]) -> ControlPolicy:
    """Inverse of `policy_tensors` and `policy_record`."""
    state = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    width, n_features = state["hidden.0.weight"].shape
    with module_initialisation(0, "placeholder"):  # overwritten by the stored weights
        network = ValueNetwork(n_features, width)
    network.load_state_dict(state, strict=True)
    return ControlPolicy(
        statistics=tuple(statistic_from(s) for s in record["statistics"]),
        multipliers=tuple(float(x) for x in record["multipliers"]),
        network=network.requires_grad_(False),
        level_gains=tensors["level_gains"].to(torch.float32),
        gains=tuple(float(x) for x in record["gains"]),
        limit=float(record["limit"]),
        curved=bool(record["curved"]),
    )
