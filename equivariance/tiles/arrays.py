"""Images and outputs that need not fit in memory: anything that has a shape, a dtype and takes slices."""

from __future__ import annotations

import hashlib
import re
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
        if prepare is not None:
            self._refuse_what_is_of_a_part()

    def read(self, space: tuple[slice, ...], raw: bool = False) -> Tensor:
        """A part [C, *space] as the model takes it, or as it is stored.

        Raises: UserError: of a type that torch has not.
        """
        part = self.image[(slice(None), *space)]
        if not isinstance(part, Tensor):
            copy = np.array(part)  # a memmap may be read-only
            try:
                part = torch.from_numpy(copy.astype(copy.dtype.newbyteorder("="), copy=False))
            except TypeError as error:
                raise UserError(f"image: {reason(error)}") from None
        part = part.detach()
        return part if raw else self.ready(part)

    def ready(self, part: Tensor) -> Tensor:
        """A part of it as the model takes it.

        Raises: UserError: `prepare` fails, or does not make a part of the same sides.
        """
        if self.prepare is None:
            return part.to(self.dtype)
        try:
            found = self.prepare(part.clone())  # it may write into it
        except Exception as error:  # other people's code: it may fail in any way
            raise UserError(f"prepare fails on a part {list(part.shape)} of the image: {reason(error)}") from error
        shape = list(getattr(found, "shape", ()))
        if not isinstance(found, Tensor) or len(shape) != len(self.sides) + 1 or shape[1:] != list(part.shape[1:]):
            made = f"a tensor {shape}" if isinstance(found, Tensor) else type(found).__name__
            raise UserError(f"prepare makes {made} of a part {list(part.shape)}; allowed: a tensor of the same sides")
        return found.to(self.dtype)

    def _refuse_what_is_of_a_part(self) -> None:
        """Raises UserError where `prepare` makes other pixels of half a part, as with a part's own mean."""
        part = self.read(tuple(slice(max(0, side // 2 - 8), side // 2 + 8) for side in self.sides), raw=True)
        half = (slice(None), *(slice(0, -(-side // 2)) for side in part.shape[1:]))
        if not torch.allclose(self.ready(part)[half], self.ready(part[half]), equal_nan=True):
            raise UserError("prepare makes other pixels of half a part; allowed: what takes each pixel by itself")

    def digest(self) -> str:
        """Of its shape and of pixels at its two ends and in its middle."""
        found = hashlib.sha256(str((self.channels, self.sides)).encode())
        for share in (0.0, 0.5, 1.0):
            starts = (int(share * max(0, side - 16)) for side in self.sides)
            part = self.read(tuple(slice(start, start + 16) for start in starts))
            found.update(part.double().cpu().numpy().tobytes())
        return found.hexdigest()[:16]


def weight(model: nn.Module) -> Tensor | None:
    """One of a model's weights, of the type and on the device of its images; None: it has none."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((p for p in parameters if p.is_floating_point()), None)


def weights_digest(model: nn.Module) -> str:
    """Of all parameters and buffers."""
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


def target(out: Any, shape: tuple[int, ...], dtype: torch.dtype, goes_on: bool) -> Any:
    """The array that the output goes to.

    Args:
        out: None: a new one in memory; a path: a .npy file; or an array that takes slices.
        shape: [C, *space].
        dtype: of the model.
        goes_on: whether there is a record of a run that it may hold a part of.
    Raises: UserError: a file without a record of what it holds, or an array of another shape.
    """
    kind = np.dtype({torch.float64: "f8", torch.float16: "f2"}.get(dtype, "f4"))
    if out is None:
        return np.zeros(shape, kind)
    if isinstance(out, str | Path):
        path = Path(out)
        if path.exists() and not goes_on:
            raise UserError(f"out={path}: is there already, without a record of its tiles; allowed: another path")
        try:
            if not path.exists():
                draft = path.with_name(f"{path.name}.partial")
                np.lib.format.open_memmap(draft, "w+", kind, shape)
                draft.replace(path)
            out = np.lib.format.open_memmap(path, "r+")
        except (OSError, ValueError) as error:
            raise UserError(f"out={path}: {reason(error)}") from error
    if tuple(getattr(out, "shape", ())) != shape:
        raise UserError(f"out: shape {list(getattr(out, 'shape', ()))}; allowed: {list(shape)}")
    return out


def held(part: Tensor, out: Any) -> Any:
    """A part of the output as the array takes it.

    Raises: UserError: the array has whole numbers, the output has not.
    """
    kind = str(getattr(out, "dtype", ""))
    if part.is_floating_point() and re.search(r"int|bool", kind):
        raise UserError(f"out: {kind}, the output is {str(part.dtype)[6:]}; allowed: floating-point numbers")
    if isinstance(out, Tensor):
        return part.to(out.device)
    return (part.float() if part.dtype == torch.bfloat16 else part).numpy()


def beside(out: Any) -> Path | None:
    """Where the record of an output lies: beside its file; None where that is not known."""
    path = out if isinstance(out, str | Path) else getattr(out, "filename", None)
    return Path(f"{path}.tiles") if path is not None else None
