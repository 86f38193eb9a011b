"""Running a network to read it: as it is written, and leaving it as it was."""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

HOLDING = (dict, list, set, OrderedDict, deque)


@contextmanager
def reading(network: Any) -> Iterator[None]:
    """Nothing is compiled, and afterwards the network holds what it held.

    That is its attributes, what their lists and dictionaries hold, and the numbers of its buffers: some networks keep
    maps, or tensors that they made for them, from one call to the next. Left as a run makes them are modules whose
    parameters it shapes (lazy ones). Of a network that is no module nothing is known.
    """
    every = network.modules() if isinstance(network, nn.Module) else ()
    modules = [m for m in every if not any(map(is_lazy, (*m.parameters(False), *m.buffers(False))))]
    attributes = [(m, dict(vars(m))) for m in modules]
    held = [(value, value.copy()) for _, had in attributes for value in had.values() if type(value) in HOLDING]
    numbers = [(t, _version(t), t.detach().clone()) for m in modules for t in m.buffers(False) if not t.is_meta]
    try:
        with uncompiled():
            yield
    finally:
        for module, had in attributes:
            vars(module).clear()
            vars(module).update(had)
        for value, had_inside in held:
            if value or had_inside:
                _refill(value, had_inside)
        with torch.no_grad():
            for tensor, version, had_before in numbers:
                if version is None or _version(tensor) != version:
                    tensor.copy_(had_before)


def uncompiled() -> Any:
    """Compiled modules run as they are written: a compiler would look for the numbers behind a map."""
    loaded = "torch._dynamo" in sys.modules  # else there is none, and to load it takes seconds
    return torch.compiler.set_stance("force_eager") if loaded else nullcontext()


def _version(tensor: Tensor) -> int | None:
    """How often a tensor was written; of those made in inference mode nobody counts."""
    return None if tensor.is_inference() else tensor._version


def _refill(value: Any, had: Any) -> None:
    value.clear()
    (value.extend if isinstance(value, list | deque) else value.update)(had)
