"""What each innermost module of a network answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def watched(model: nn.Module, look: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Calls `look` with each innermost module's name and output."""
    calls: Counter[str] = Counter()

    def hook_of(name: str) -> Any:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                calls[name] += 1
                again = f", call {calls[name]}" if calls[name] > 1 else ""
                look(f"{name} ({type(module).__name__}){again}" if name else type(module).__name__, output)

        return hook

    inner = [(name, m) for name, m in model.named_modules() if not any(True for _ in m.children())]
    hooks = [module.register_forward_hook(hook_of(name)) for name, module in inner]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
