"""Images and outputs that need not fit in memory: anything that has a shape, a dtype and takes slices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equivariance.errors import UserError, reason

Prepare = Callable[[Tensor], Tensor]


class Source:
    """An image of which parts are read.

    Args:
        image: [C, *space], of numpy, memmap, zarr, torch or the like.
        prepare: makes of a part as it is stored, as a tensor, what the model takes, pixel by pixel; None: nothing.
        like: one of the model's weights; None: it has none, and takes the image's own type.
    Raises: UserError: it has no axes of space or more than three, or is of a type that the model does not take.
    """

    def __init__(self, image: Any, prepare: Prepare | None, like: Tensor | None) -> None:
        shape = list(getattr(image, "shape", ()))
        if not 2 <= len(shape) <= 4 or 0 in shape:
            raise UserError(f"image: shape {shape}; allowed: [C, *space], 1 to 3 axes of space")
        self.image, self.prepare = image, prepare
        self.sides = tuple(int(n) for n in image.shape[1:])
        part = self.read(tuple(slice(0, 1) for _ in self.sides), raw=True)
        self.dtype = like.dtype if like is not None else part.dtype if part.is_floating_point() else torch.float32
        self.device = like.device if like is not None else torch.device("cpu")
        if prepare is None and not part.is_floating_point():
            raise UserError(
                f"image: {str(part.dtype)[6:]}, the model takes {str(self.dtype)[6:]};"
                " allowed: prepare=lambda part: part / 255, or the like"
            )
        self.channels = self.ready(part).shape[0]

    def read(self, space: tuple[slice, ...], raw: bool = False) -> Tensor:
        """A part [C, *space] as the model takes it, or as it is stored.

        Raises: UserError: of a type that torch has not.
        """
        part = self.image[(slice(None), *space)]
        if not isinstance(part, Tensor):
            try:
                part = torch.from_numpy(np.array(part))  # a copy: a memmap may be read-only
            except TypeError as error:
                raise UserError(f"image: {reason(error)}") from None
        return part if raw else self.ready(part)

    def ready(self, part: Tensor) -> Tensor:
        """A part of it as the model takes it."""
        return (part if self.prepare is None else self.prepare(part)).to(self.dtype)

    def digest(self) -> str:
        """Of its shape and of the pixels at its two ends."""
        found = hashlib.sha256(str((self.channels, self.sides)).encode())
        for ends in (tuple((0, 16) for _ in self.sides), tuple((max(0, n - 16), n) for n in self.sides)):
            found.update(self.read(tuple(slice(*end) for end in ends)).double().cpu().numpy().tobytes())
        return found.hexdigest()[:16]


def weights_digest(model: nn.Module) -> str:
    """Of all parameters and buffers."""
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


def target(out: Any, shape: tuple[int, ...], dtype: torch.dtype, record: Path | None) -> Any:
    """The array that the output goes to.

    Args:
        out: None: a new one in memory; a path: a .npy file; or an array that takes slices.
        shape: [C, *space].
        dtype: of the model.
        record: of a run that is to go on; its file then holds a part of the output already.
    Raises: UserError: a file without a record of what it holds, or an array of another shape.
    """
    kind = np.dtype({torch.float64: "f8", torch.float16: "f2"}.get(dtype, "f4"))
    if out is None:
        return np.zeros(shape, kind)
    if isinstance(out, str | Path):
        path, goes_on = Path(out), record is not None and record.exists()
        if path.exists() and not goes_on:
            raise UserError(f"out={path}: is there already, without a record of its tiles; allowed: another path")
        mode = "r+" if goes_on and path.exists() else "w+"
        try:
            made = np.lib.format.open_memmap(path, mode, *(() if mode == "r+" else (kind, shape)))
        except (OSError, ValueError) as error:
            raise UserError(f"out={path}: {reason(error)}") from error
        out = made
    if tuple(out.shape) != shape:
        raise UserError(f"out: shape {list(out.shape)}; allowed: {list(shape)}")
    return out


def beside(out: Any) -> Path | None:
    """Where the record of an output lies: beside its file; None where that is not known."""
    path = out if isinstance(out, str | Path) else getattr(out, "filename", None)
    return Path(f"{path}.tiles") if path is not None else None
