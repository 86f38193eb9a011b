"""Which function computes an op on a canvas."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from .errors import CanvasUnsupported

Op = Callable[..., Any]
Rule = TypeVar("Rule", bound=Op)

_RULES: dict[tuple[Op, str], Op] = {}

_PROPERTIES = """
    shape dtype device ndim layout is_cuda is_cpu is_meta is_mkldnn is_mps is_sparse is_quantized is_nested itemsize
"""

# What the wrapper itself knows; these need no rule.
GETTERS: set[Op] = {getattr(Tensor, name).__get__ for name in _PROPERTIES.split() if hasattr(Tensor, name)}
GETTERS |= {Tensor.size, Tensor.dim, Tensor.is_floating_point, Tensor.is_complex, Tensor.numel, Tensor.__len__}
GETTERS |= {torch.is_floating_point, torch.is_complex, torch.numel, Tensor.ndimension, Tensor.nelement}


def rule(*ops: Op, form: str = "Canvas") -> Callable[[Rule], Rule]:
    """Registers the decorated function as the rule of torch functions on one form of canvas."""

    def register(f: Rule) -> Rule:
        for op in ops:
            _RULES[op, form] = f
        return f

    return register


def rules(names: str, make: Callable[[Op], Op], *homes: Any, form: str = "Canvas") -> None:
    """Registers make(op) for each op of these names, parted by spaces, in each home that has it, such as torch."""
    for name in names.split():
        for home in homes:
            if (op := getattr(home, name, None)) is not None:
                _RULES[op, form] = make(op)


def dispatch(op: Op, kind: type) -> Op:
    """The rule of an op for a class of canvases.

    Raises:
        CanvasUnsupported: there is none.
    """
    for form in kind.__mro__:
        if found := _RULES.get((op, form.__name__)):
            return found
    raise CanvasUnsupported(op_name(op))


def op_name(op: Op) -> str:
    """A torch function's name as a user writes it."""
    name = getattr(op, "__name__", None) or repr(op)
    if name in ("__get__", "__set__"):
        return f"Tensor.{getattr(getattr(op, '__self__', None), '__name__', 'attribute')}"
    return str(name)
