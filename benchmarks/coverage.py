"""Which networks each reader takes, exactly: a light network of each family of torchvision and timm.

Every network runs at random weights in float64: on a canvas against dense PyTorch, under convolution types at two
places of a picture, and for its certificate. What is refused is refused with a reason, which the table gives. The
shares are of convolutional networks; how those are told from others is said in `benchmarks/_light.py`.

    python -m benchmarks coverage                    # all of them, about half an hour of one core
    python -m benchmarks coverage --only regnet      # families whose name contains it
"""

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks._light import CONVOLUTIONAL, Light, networks
from equivariance import theory
from equivariance.canvas import Canvas, CanvasUnsupported
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap
from equivariance.models.trunk import Trunk, trunk

ROUNDING, SLACK = 4e-16, 10.0  # of an image's pixels; how much more of it is taken for rounding
EXACT = 1e-10  # relative to the largest entry
SHIFT = 64  # pixels between the two places, a multiple of most strides
PICTURE = 24
BORDER = 52  # makes images of 192 pixels, on which every stride fits
FAR = BORDER + 256 * 32  # another such border, beyond every receptive field
READERS = ("canvas", "unbounded", "full", "circular", "certificate")
COLOUR = (0.25, -0.1, 0.2)
HEAVY = 100e6  # parameters; what is no convolutional network and has more is not run


@dataclass
class Row:
    """What the readers make of one network; an empty string: exact or known."""

    family: str
    name: str
    kind: str
    builds: str = ""
    canvas: str = "-"
    unbounded: str = "-"
    full: str = "-"
    circular: str = "-"
    certificate: str = "-"
    known: str = ""
    reasons: list[str] = field(default_factory=list)


def main(arguments: list[str]) -> None:
    """Prints a row a network as it goes, then the shares."""
    parser = argparse.ArgumentParser("python -m benchmarks coverage", description=__doc__)
    parser.add_argument("--only", default="", help="part of a family's name")
    parser.add_argument("--libraries", nargs="+", default=["torchvision", "timm"])
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    rows = []
    for light in tqdm(networks(options.libraries, options.only), unit="network"):
        rows.append(row(light))
        tqdm.write(_line(rows[-1]))
    convolutional = [r for r in rows if r.kind == CONVOLUTIONAL]
    print(f"\n{len(convolutional)} convolutional networks of {len(rows)}")
    for reader in READERS:
        values = [getattr(r, reader) for r in convolutional]
        wrong = [r.name for r in rows if getattr(r, reader) in ("WRONG", "ERROR")]
        print(f"{reader:12} {values.count('yes'):3} of {len(values)}; wrong or failed: {', '.join(wrong) or 'none'}")


def _line(row: Row) -> str:
    cells = " ".join(f"{getattr(row, reader):8}" for reader in READERS)
    reasons = "; ".join(dict.fromkeys(row.reasons))[:300]
    return f"{row.family:24} {row.name:36} {row.kind:13} {row.builds or 'yes':5} {cells} {row.known:12} {reasons}"


def row(light: Light) -> Row:
    """What the readers make of a network."""
    row = Row(light.family, light.name, light.kind)
    if light.kind != CONVOLUTIONAL and light.parameters > HEAVY:
        row.builds = "heavy"
        return row
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            net = _randomised(trunk(light.library, light.name)).double().eval()
    except UserError as error:
        row.builds = "no"
        row.reasons.append(str(error))
        return row
    row.canvas = _tried(row, lambda: _canvas_error(net))
    for conv in ("unbounded", "full", "circular"):
        setattr(row, conv, _tried(row, lambda conv=conv: _type_error(net, conv)))
    row.certificate = _tried(row, lambda: _certificate(row, net))
    return row


def _tried(row: Row, run: Callable[[], float]) -> str:
    try:
        with torch.no_grad():
            error = run()
    except (UserError, CanvasUnsupported) as refused:
        row.reasons.append(str(refused).partition(" (called")[0])
        return "refused"
    except Exception as bug:
        row.reasons.append(f"{type(bug).__name__}: {str(bug).splitlines()[0] if str(bug) else ''}")
        return "ERROR"
    return "yes" if error <= EXACT else "WRONG"


def _places(pictures: int = 1, stride: int = 1) -> tuple[Tensor, Quadrant]:
    """Pictures, and two places that a multiple of the stride lies between."""
    noise = torch.Generator().manual_seed(1)
    shift = -(-SHIFT // stride) * stride
    task = Quadrant(PICTURE, PICTURE + shift, BORDER, COLOUR)
    return torch.randn(pictures, 3, PICTURE, PICTURE, dtype=torch.float64, generator=noise), task


def _canvas_error(net: nn.Module) -> float:
    picture, task = _places()
    canvas = task.both(picture)
    found, wanted = net(canvas), net(canvas.dense())
    found = found.dense() if isinstance(found, Canvas) else found
    return float((found - wanted).abs().max() / wanted.abs().max())


def _type_error(net: nn.Module, conv: str) -> float:
    """How far pooled features at two places are apart under `unbounded`; 0 under other types, which run or refuse.

    Relative to what another picture would change: features that tell no pictures apart prove nothing. Networks of many
    gates amplify rounding; what noise of a few units in the last place of the image does as well is no error.
    """
    pictures, task = _places(2, theory.receptive_field(net)[1] if conv == "unbounded" else 1)

    meets = FeatureMap(net, conv)
    meets.background = COLOUR

    def pooled(picture: Tensor, label: int, noise: float = 0.0) -> Tensor:
        images = task.images(picture, torch.full((len(picture),), label)).dense()
        images = images * (1 + noise * torch.randn(images.shape, dtype=images.dtype))
        found = meets(images)
        return torch.cat([found.amax((2, 3)), found.mean((2, 3))], 1)

    if conv != "unbounded":
        pooled(pictures[:1], 0)
        return 0.0
    (here, another), (there,) = pooled(pictures, 0), pooled(pictures[:1], 1)
    apart, told = (here - there).abs().max(), (here - another).abs().max()
    if apart > EXACT * told and apart <= SLACK * (pooled(pictures[:1], 0, ROUNDING) - here).abs().max():
        return 0.0
    return float(apart / told)


def _certificate(row: Row, net: nn.Module) -> float:
    """0 where a border certifies the network.

    The smallest above which all do is named too; there is none for networks that do not run on images of every size.
    """
    size, stride = theory.receptive_field(net)
    _, near = _places(stride=stride)
    row.known = f"{size}/{stride}/{theory.smallest_certified_border(net, near)}"
    return 0.0 if theory.certified(net, replace(near, border=FAR)) else 1.0


def _randomised(net: Trunk) -> Trunk:
    """Norm statistics of noise, and off by something: nothing is exact by accident, and no picture fades on the way.

    Nor do residual branches begin at zero, as they do by default in many: what is left may miss the picture.
    """
    norms = [module for module in net.modules() if isinstance(getattr(module, "running_var", None), Tensor)]
    for norm in norms:
        norm.momentum = 1.0  # type: ignore[assignment]
        if isinstance(getattr(norm, "weight", None), Tensor):
            norm.weight.copy_(torch.rand_like(norm.weight) + 0.5)  # type: ignore[operator, arg-type]
    net.train()(torch.randn(2, 3, 4 * PICTURE, 4 * PICTURE))
    for norm in norms:
        norm.running_mean += 0.2 * norm.running_var.sqrt() * (torch.rand_like(norm.running_var) - 0.5)
        norm.running_var *= torch.rand_like(norm.running_var) + 0.5
    return net
