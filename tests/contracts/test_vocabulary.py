"""Every function of torch on every reader: what dense gives, or the reader's own refusal in one line."""

import warnings
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from equivariance.boundary import RULES, Bounded, bounded
from equivariance.canvas import Canvas, CanvasUnsupported, place
from equivariance.errors import UserError
from equivariance.ops import Layout
from equivariance.reach import Reach, Sight, Summary

from .walk import TABLE, C, H, W, Way, functions, ways

HOMES = {"torch.Tensor": 500, "torch.nn.functional": 90, "torch": 400}  # how many functions have to be exercised there
SPOT = (4, 3)  # a pixel under both pictures
G = torch.Generator().manual_seed(0)
PICTURES = [0.6 * torch.randn(2, C, 4, 3, dtype=torch.float64, generator=G) for _ in range(2)]
COLOURS = [(0.3, -0.2, 0.5, 0.1), (0.25, 0.4, -0.6, 0.15)]
ABOUT_THE_WRAPPER = ("shape", "size", "__len__", "numel", "nelement", "device", "is_cpu", "is_meta", "itemsize", "type")
DTYPE = ("dtype", "is_floating_point", "is_complex")  # a Reach holds no numbers: its dtype is the images' all along


def canvases():
    return [place(p, (H, W), [(1, 2), (4, 1)], c) for p, c in zip(PICTURES, COLOURS, strict=True)]


PAINTED = [canvas.dense() for canvas in canvases()]


def tensors(change=0.0):
    found = [tensor.clone() for tensor in PAINTED]
    for tensor in found:
        tensor[:, :, SPOT[0], SPOT[1]] += change
    return found


def reaches():
    like = torch.empty(0, dtype=torch.float64, device="meta")
    return [Reach(Layout.plain(C, 2), (Sight(H), Sight(W)), like=like) for _ in range(2)]


MAPS = {
    "canvas": (canvases, CanvasUnsupported),
    "boundary": (lambda: [bounded(t, RULES["valid"]) for t in tensors()], UserError),
    "reach": (reaches, UserError),
}


@dataclass
class Dense:
    """What a call gives and leaves, what it gives where one pixel is another, and whether it draws random numbers."""

    found: list[Any]
    left: list[Tensor]
    moved: list[Any] | None
    random: bool


def flat(value):
    if isinstance(value, np.ndarray):
        return [torch.from_numpy(value)]
    if type(value) is Tensor and (value.layout is not torch.strided or value.is_quantized):
        return [value.dequantize() if value.is_quantized else value.to_dense()]
    return [part for each in value for part in flat(each)] if isinstance(value, (tuple, list)) else [value]


def called(way: Way, maps, seed=0):
    torch.default_generator.manual_seed(seed)  # torch.manual_seed also looks for other devices
    return flat(way(*maps))


def dense(way: Way) -> Dense | None:
    """None where torch itself has no result for such arguments."""
    left = tensors()
    try:
        found = called(way, left)
    except Exception:
        return None
    if any(part is NotImplemented for part in found):
        return None
    try:
        moved = called(way, tensors(0.37))
    except Exception:
        moved = None
    again = called(way, tensors(), 1)
    return Dense(found, left, moved, not all(map(equal, again, found)))


def equal(one, other) -> bool:
    if not isinstance(other, Tensor):
        return type(one) is type(other) and (one == other or one != one)
    if not isinstance(one, Tensor) or (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    if not (other.dtype.is_floating_point or other.dtype.is_complex):
        return torch.equal(one, other)
    bound = 1e-9 if other.dtype in (torch.float64, torch.complex128) else 1e-5
    return torch.allclose(one, other, bound, bound, equal_nan=True)


def opened(value):
    if isinstance(value, Canvas):
        return value.dense()
    return value.content if isinstance(value, Bounded) else value


def sees(found: Reach, one: Tensor, other: Tensor) -> bool:
    """Whether all units that changed with one pixel see it."""
    changed = ~((one == other) | (one.isnan() & other.isnan()))
    for dim, sight, pixel in zip(found.form.space, found.sights, SPOT, strict=True):
        for unit in changed.amax([d for d in range(one.dim()) if d != dim]).nonzero().flatten().tolist():
            if not sight.stride * unit + sight.first <= pixel <= sight.stride * unit + sight.last:
                return False
    return True


def fault_of_sight(way: Way, got, wanted, moved) -> str | None:
    if isinstance(got, Summary) or "batch_norm" in way.name:  # statistics of the batch tell no image from another
        return None
    if isinstance(got, Reach):
        if not isinstance(wanted, Tensor):
            return "a map for no tensor"
        images = {got.form.batch: 2}
        if [images.get(d, n) for d, n in enumerate(got.shape)] != list(wanted.shape):
            return f"shape {list(got.shape)} for {list(wanted.shape)}"
        return None if moved is None or got.pools or sees(got, wanted, moved) else "a unit sees more than it says"
    if isinstance(wanted, Tensor):
        return None if moved is None or equal(moved, wanted) else "a tensor that has lost its sight"
    asked = way.name.removesuffix(".__get__").rpartition(".")[2]
    return None if asked in ABOUT_THE_WRAPPER + DTYPE or equal(got, wanted) else f"{got} for {wanted}"


def fault_of_value(way: Way, got, wanted, moved, keeps_place: bool) -> str | None:
    if way.name.endswith(".pad") and keeps_place:
        return None  # pending until the next layer
    if not equal(opened(got), wanted):
        return f"another value: {getattr(opened(got), 'shape', got)} for {getattr(wanted, 'shape', wanted)}"
    lost = keeps_place and isinstance(wanted, Tensor) and not isinstance(got, Bounded) and {H, W} <= set(wanted.shape)
    return "a tensor that has lost its place" if lost and moved is not None and not equal(moved, wanted) else None


def fault(reader: str, way: Way, wanted: Dense) -> str | None:
    """What is wrong with what a reader makes of a call; None: nothing."""
    make, refusal = MAPS[reader]
    maps = make()
    try:
        found = called(way, maps)
    except refusal as error:
        return None if "\n" not in str(error) and "called in" in str(error) else f"refused so: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if wanted.random:
        return "numbers at random"
    if len(found) != len(wanted.found):
        return f"{len(found)} results for {len(wanted.found)}"
    for i, (got, other) in enumerate(zip(found, wanted.found, strict=True)):
        moved = None if wanted.moved is None else wanted.moved[i]
        wrong = (
            fault_of_sight(way, got, other, moved)
            if reader == "reach"
            else fault_of_value(way, got, other, moved, reader == "boundary")
        )
        if wrong:
            return wrong
    if reader != "reach" and not all(equal(opened(m), d) for m, d in zip(maps, wanted.left, strict=True)):
        return "its argument left otherwise"
    return None


def in_home(name: str, home: str) -> bool:
    found = next((h for h in HOMES if h != "torch" and name.startswith(f"{h}.")), "torch")
    return found == home


def walked(home: str, most: int | None) -> tuple[int, list[str]]:
    """How many functions were exercised, each in the ways of the table and others up to so many, and what was wrong."""
    exercised, faults = 0, []
    for name, func in functions().items():
        if not in_home(name, home):
            continue
        known = len(TABLE.get(name.rpartition(".")[2], ()))
        runs = ((way, found) for way in ways(name, func) if (found := dense(way)) is not None)
        tried = 0
        for way, wanted in islice(runs, None if most is None else max(most, known)):
            tried += 1
            found = {reader: fault(reader, way, wanted) for reader in MAPS}
            faults += [f"{name}, way {tried} on {reader}: {wrong}" for reader, wrong in found.items() if wrong]
        exercised += bool(tried)
    return exercised, faults


@pytest.mark.parametrize("home", HOMES)
def test_every_function_gives_what_dense_gives_or_is_refused(home):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exercised, faults = walked(home, 2)
    assert not faults, "\n".join(faults)
    assert exercised >= HOMES[home]


@pytest.mark.slow
@pytest.mark.parametrize("home", HOMES)
def test_every_function_in_every_way_gives_what_dense_gives_or_is_refused(home):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exercised, faults = walked(home, None)
    assert not faults, "\n".join(faults)
    assert exercised >= HOMES[home]
