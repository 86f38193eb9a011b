"""Files of weights as people save them: read without running what is in them."""

from __future__ import annotations

import argparse
import pathlib
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equivariance.errors import UserError, printable
from equivariance.models.file_kinds import kind

State = dict[str, Tensor]
# Keys under which training scripts keep a network's tensors beside the rest, in the order of preference.
WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net", "module")
DEPTH = 3
# What such scripts keep beside the tensors, of classes that hold values and run nothing.
SCALAR = np._core.multiarray.scalar  # type: ignore[attr-defined]
VALUES = [
    *(argparse.Namespace, pathlib.PosixPath, pathlib.PurePosixPath),
    *(SCALAR, (SCALAR, "numpy.core.multiarray.scalar"), np.dtype),
    *(getattr(np.dtypes, f"{name}DType") for name in ("Float64", "Float32", "Int64", "Int32", "Bool")),
]


def read(path: Path) -> State:
    """The tensors of a file, by their names in it.

    Args:
        path: a file of `torch.save` (read with `weights_only=True`) or of safetensors, whatever its suffix.
    Raises: UserError: it is something else; the message says what.
    """
    try:
        with path.open("rb") as file:  # by its name torch would choose the format
            if _is_safetensors(file.read(9)):
                from safetensors.torch import load_file

                return load_file(path)
            file.seek(0)
            with torch.serialization.safe_globals(VALUES), warnings.catch_warnings(action="ignore"):
                found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # unpicklers and header parsers fail in many ways; all mean: not a file of weights
        raise UserError(f"init.checkpoint={printable(path)}: not a file of tensors but {kind(path, error)}") from error
    return _unwrapped(found, path)


def under_one_prefix(state: State, names: Collection[str], source: str) -> State:
    """The tensors of one network, without the prefix that wrappers such as DistributedDataParallel give their names.

    Args:
        state: tensors by name.
        names: those that the network has to have.
        source: where the tensors come from.
    Returns: Those under the prefix that precedes all the names, or, where none does, most of them; else all.
    Raises: UserError: several prefixes would do.
    """
    wanted = set(names)
    found = Counter(prefix for key in state for prefix, name in _cuts(key) if name in wanted)
    whole = sorted(prefix for prefix, count in found.items() if count == len(wanted))
    if len(whole) > 1:
        listed = ", ".join(printable(prefix) or "no prefix" for prefix in whole)
        raise UserError(f"{source}: holds several such networks ({listed}); save the one you mean alone")
    prefix, count = found.most_common(1)[0] if found else ("", 0)
    prefix = prefix if 2 * count > len(wanted) else ""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def _cuts(key: str) -> Iterator[tuple[str, str]]:
    """A name cut in two at its beginning and after each dot."""
    for place in (0, *(match.end() for match in re.finditer(r"\.", key))):
        yield key[:place], key[place:]


def _unwrapped(found: Any, path: Path) -> State:
    for _ in range(DEPTH):
        inner = _inner(found)
        if inner is None:
            break
        found = inner
    state = _tensors(found)
    if state:
        return state
    held = ", ".join(map(str, found)) if isinstance(found, dict) else f"a {type(found).__name__}"
    raise UserError(
        f"init.checkpoint={printable(path)}: no tensors by name, but {printable(held[:120]) or 'nothing'};"
        f" allowed: what network.state_dict() gives, alone or under one of {', '.join(WRAPPERS)}"
    )


def _inner(found: Any) -> Any:
    """What a wrapper holds; None where this is no wrapper."""
    if not isinstance(found, dict):
        return None
    named = [found[key] for key in WRAPPERS if isinstance(found.get(key), dict) and found[key]]
    return named[0] if named else None


def _tensors(found: Any) -> State:
    items = found.items() if isinstance(found, dict) else ()
    return {name: tensor for name, tensor in items if isinstance(name, str) and isinstance(tensor, Tensor)}


def _is_safetensors(start: bytes) -> bool:
    return start[5:] == bytes(3) + b"{"  # the header's length in eight bytes, and the header
