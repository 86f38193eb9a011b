"""Dense PyTorch as the oracle: what a network gives on a canvas, against what it gives on the ordinary tensor.

The bound is 1e-10 of the largest entry in float64. Some numbers are worse conditioned than that in *any* order of
summation: a gradient that is zero in theory, a batch norm over a map that is nearly constant. So each number also gets
what the dense network itself makes of pixels and weights that are wrong by `JITTER`: `SLACK` times that spread. (Wrong
in the very last bit would not do: summing one background value a thousand times rounds the same way every time.)
Where dense loses six digits so, no number is right and the case says nothing (`IllPosed`).
"""

import copy
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from equivariance.canvas import Canvas, place

BOUND = 1e-10  # relative to a tensor's largest entry
JITTER = 2.0**-42  # relative; a float64 has 52 bits
SLACK = 20.0
ROUNDING = 2.0**-46  # of a map's largest entry: its mean may be zero in theory
HOPELESS = 1e-6


class IllPosed(Exception):  # noqa: N818
    """The dense network is not determined by its inputs in float64."""


@dataclass(repr=False)
class Scene:
    """Pictures [n, C, h, w] at corners (y, x) of canvases of one size and colour."""

    pictures: Tensor
    size: tuple[int, int]
    corners: list[tuple[int, int]]
    colour: Tensor

    def __repr__(self) -> str:
        return f"Scene({list(self.pictures.shape)} at {self.corners} of {self.size})"

    def canvas(self, pictures: Tensor | None = None, tolerance: float = 0.0) -> Canvas:
        return place(self.pictures if pictures is None else pictures, self.size, self.corners, self.colour, tolerance)

    def painted(self, pictures: Tensor | None = None) -> Tensor:
        """The ordinary tensor, painted without the engine."""
        pictures = self.pictures if pictures is None else pictures
        n, (_, c, h, w) = len(self.corners), pictures.shape
        image = self.colour[None, :, None, None].expand(n, c, *self.size).clone()
        for i, (y, x) in enumerate(self.corners):
            image[i, :, y : y + h, x : x + w] = pictures[i % len(pictures)]
        return image


@dataclass
class Outcome:
    values: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)
    statistics: list[Tensor] = field(default_factory=list)


def opened(x: Tensor) -> Tensor:
    return x.dense() if isinstance(x, Canvas) else x


def scene(
    border: int = 0, n: int = 2, dtype: torch.dtype = torch.float64, side: int = 56, seed: int = 1, step: int = 64
) -> Scene:
    """The quadrant experiment: every picture at the top left and, `step` pixels on, at the bottom right."""
    pictures = torch.randn(n, 3, side, side, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    spots = [(border, border), (border + step, border + step)]
    colour = torch.tensor([-2.1, 0.3, -1.8], dtype=dtype)
    return Scene(pictures, (56 + step + 2 * border,) * 2, [spot for spot in spots for _ in range(n)], colour)


def outcome(network: nn.Module, scene: Scene, on_canvas: bool, backward: bool = True, jitter: float = 0.0) -> Outcome:
    """Map and global pools, gradients of a random functional of them, and buffers; of a copy of the network."""
    network = copy.deepcopy(network)
    pictures = scene.pictures.clone()
    pictures.requires_grad_(backward)
    with torch.set_grad_enabled(backward):
        x = scene.canvas(pictures) if on_canvas else scene.painted(pictures)
        if jitter:
            x = _jittered(x, jitter)  # pixel by pixel, the background's too
            for p in network.parameters():
                p.data = _jittered(p.data, jitter)
        y = network(x)
        values = [opened(y)]
        if y.dim() == 4:
            values += [y.mean((2, 3)), nn.functional.adaptive_max_pool2d(y, 1)]
    result = Outcome([v.detach() for v in values], [], [b.clone() for b in network.buffers() if b.is_floating_point()])
    if backward:
        if values[0].requires_grad:  # no picture may be in sight
            _functional(values).backward()
        result.gradients = [_gradient(p) for p in (pictures, *network.parameters())]
    return result


@contextmanager
def spilled(folder: Path, least: int = 2**22) -> Iterator[None]:
    """Keeps what the backward pass needs on disk: dense BagNet-33 at border 256 would want 30 GB of memory.

    Args:
        folder: where; each file goes when it has been read.
        least: tensors with fewer entries stay in memory.
    """
    numbers = itertools.count()

    def pack(tensor: Tensor) -> Tensor | tuple[Path, torch.Size, torch.dtype]:
        if tensor.numel() < least:
            return tensor
        path = folder / f"{next(numbers)}.saved"
        tensor.detach().contiguous().numpy().tofile(path)
        return path, tensor.shape, tensor.dtype

    def unpack(saved: Tensor | tuple[Path, torch.Size, torch.dtype]) -> Tensor:
        if isinstance(saved, Tensor):
            return saved
        path, shape, dtype = saved
        tensor = torch.from_file(str(path), size=shape.numel(), dtype=dtype).view(shape)
        path.unlink()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield


def assert_equal(
    network: nn.Module, scene: Scene, backward: bool = True, jitters: int = 3, hopeless: float = HOPELESS
) -> None:
    """Values, gradients and running statistics on the canvas are those of the dense network.

    Args:
        network: run as it is.
        scene: what it sees.
        backward: compare gradients too.
        jitters: dense runs with jittered pixels and weights.
        hopeless: the share of a number by which these may move it; beyond `HOPELESS` there is no slack.

    Raises:
        IllPosed: the dense network's own numbers are noise.
    """
    dense = outcome(network, scene, False, backward)
    jittered = [outcome(network, scene, False, backward, JITTER * sign) for sign in (1.0, -1.0, 0.7)[:jitters]]
    found = outcome(network, scene, True, backward)
    for kind in ("values", "gradients", "statistics"):
        wanted = getattr(dense, kind)
        assert len(wanted) == len(getattr(found, kind))
        top = max((float(w.abs().max()) for w in wanted if w.numel()), default=0.0)
        for i, w in enumerate(wanted):
            spread = max(_distance(getattr(j, kind)[i], w) for j in jittered)
            own = float(w.abs().max()) if w.numel() else 0.0
            scale = max(own, top if kind == "gradients" else 0.0, 1e-6)
            if not spread <= hopeless * scale:
                raise IllPosed(f"{kind} {i}: {spread} of {own}")
            got = getattr(found, kind)[i]
            assert got.shape == w.shape
            floor = ROUNDING * top if kind == "values" else 0.0
            slack = SLACK if spread <= HOPELESS * scale else 1.0
            allowed = BOUND * own + slack * spread + floor + 1e-300
            assert _distance(got, w) <= allowed, (kind, i, _distance(got, w), own, spread)


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """Largest difference over the largest entry."""
    found, wanted = found.detach().double(), wanted.detach().double()
    return float((found - wanted).abs().max() / wanted.abs().max())


def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Norm statistics, scales and shifts that are nothing special, so that nothing is exact by accident."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, scale, offset in (
                (module.running_mean, 0.2, -0.1),
                (module.running_var, 1.0, 0.5),
                (module.weight, 1.0, 0.5),
                (module.bias, 0.4, -0.2),
            ):
                if tensor is not None:
                    tensor.data.copy_(torch.rand(tensor.shape, generator=generator) * scale + offset)
    return network


def _functional(values: list[Tensor]) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    weights = [torch.randn(v.shape[1:], dtype=v.dtype, generator=generator) for v in values]
    total = (values[0] * weights[0]).sum()
    return total + sum((v * w).square().sum() for v, w in zip(values[1:], weights[1:], strict=True))


def _gradient(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad.clone()


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max()) if a.numel() else 0.0


def _jittered(tensor: Tensor, size: float) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return tensor * (1 + size * (2 * torch.rand(tensor.shape, dtype=torch.float64, generator=generator) - 1))
