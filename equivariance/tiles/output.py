"""Which of the things that a model returns is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import Parameter

from equivariance.errors import UserError


@dataclass(frozen=True)
class Selected:
    """A model, and which of its outputs is the map; called as the model.

    Args:
        model: maps images [N, C, *space] to a map, or to dicts and tuples that hold it.
        output: keys, names or numbers on the way to it, between dots; None: the model returns the map itself.
    Raises: UserError: it is no nn.Module.
    """

    model: nn.Module
    output: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise UserError(f"model: a {type(self.model).__name__}; allowed: an nn.Module")
        if not isinstance(self.output, str | None):
            raise UserError(f"output={self.output}: allowed: text, as '{self.output}'")

    def parameters(self) -> Iterator[Parameter]:
        """The model's."""
        return self.model.parameters()

    def __call__(self, images: Any) -> Any:
        """The map of these images.

        Raises: UserError: there is none of that name, or none was named.
        """
        found = self.model(images)
        for part in self.output.split(".") if self.output else []:
            found = _part(found, part, self.output)
        if not isinstance(found, Tensor) and not hasattr(found, "content"):
            name = f" at output={self.output}" if self.output else ""
            first, names = f"{self.output}." if self.output else "", _names(found)
            raise UserError(
                f"the model's output{name} is of type {type(found).__name__}, with {', '.join(names) or 'no parts'};"
                f" allowed: output={first}{next(iter(names), 'NAME')} or another of them"
            )
        return found


def _part(found: Any, part: str, output: str | None) -> Any:
    if isinstance(found, Mapping) and part in found:
        return found[part]
    if isinstance(found, list | tuple) and part.isdecimal() and int(part) < len(found):
        return found[int(part)]
    if not part.startswith("_") and part in _names(found):
        return getattr(found, part)
    if isinstance(found, Tensor):
        raise UserError(f"output={output}: {part} names a part of a map; allowed: the way to the map, None for all")
    allowed = ", ".join(_names(found)) or "none"
    raise UserError(f"output={output}: {part} names no part of the {type(found).__name__}; allowed: {allowed}")


def _names(found: Any) -> list[str]:
    """What its parts can be called."""
    if isinstance(found, Mapping):
        return [str(key) for key in found]
    if isinstance(found, Tensor):
        return []
    if isinstance(found, list | tuple):
        return [*map(str, range(len(found))), *getattr(found, "_fields", ())]
    return [name for name in vars(found) if not name.startswith("_")] if hasattr(found, "__dict__") else []
