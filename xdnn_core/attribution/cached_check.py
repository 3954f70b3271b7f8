"""Checks of a network that are made once, and again only when it has changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from torch import Tensor, nn

T = TypeVar("T")

# By network, what a check results and the state it results it in.
_RESULTS: WeakKeyDictionary[nn.Module, dict[Hashable, tuple[int, Any]]] = WeakKeyDictionary()


def cached_check(network: nn.Module, key: Hashable, state: int, check: Callable[[], T]) -> T:
    """Return `check()`, or what it returned for this network, key and state before."""
    results = _RESULTS.setdefault(network, {})
    if key not in results or results[key][0] != state:
        results[key] = state, check()
    return results[key][1]


def input_signature(inputs: Tensor) -> tuple[Hashable, ...]:
    """What inputs must share for a check of one to stand for the other."""
    return inputs.shape[1:], inputs.dtype, inputs.device


def structure_state(network: nn.Module) -> int:
    """Number of a network's modules, their modes, its parameters, and the values of frozen ones."""
    modules = tuple((id(module), module.training) for module in network.modules())
    parameters = tuple((id(p), -1 if p.requires_grad else p._version) for p in network.parameters())
    return hash((modules, parameters))


def value_state(network: nn.Module) -> int:
    """Number of a network's structure and values; reads counters, no values.

    Every operation in place raises a tensor's version, so a step of an optimiser or a new running
    statistic is seen; what is written through ``.data`` is not.
    """
    tensors = (*network.parameters(), *network.buffers())
    return hash((structure_state(network), tuple((t.data_ptr(), t._version) for t in tensors)))
