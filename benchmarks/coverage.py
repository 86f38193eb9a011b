"""Which networks each reader takes, exactly: a light network of each family of torchvision and timm.

Every network runs at random weights in float64: on a canvas against dense PyTorch, under convolution types at two
places of a picture, and for its certificate. What is refused is refused with a reason, which the table gives.

    python -m benchmarks coverage                    # all of them, about a quarter of an hour on two cores
    python -m benchmarks coverage --only regnet      # families whose name contains it
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from tqdm import tqdm

from equivariance import theory
from equivariance.boundary import RULES, bounded, unwrap
from equivariance.canvas import Canvas, CanvasUnsupported
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.models.trunk import Trunk, trunk

EXACT = 1e-10  # relative to the largest entry
SHIFT = 64  # pixels between the two places, a multiple of most strides
PICTURE = 24
COLOUR = (0.25, -0.1, 0.2)
# What a refusal names where a network has attention over its map, or layers over all pixels: no convolutional network.
ATTENTION = (
    "scaled_dot_product_attention",
    "matmul",
    "bmm",
    "einsum",
    "linear over",
    "softmax over",
    "flatten",
    "unfold",
)


@dataclass
class Row:
    """What the readers make of one network; an empty string: exact or known."""

    family: str
    name: str
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
    torch.set_num_threads(max(1, torch.get_num_threads()))
    warnings.simplefilter("ignore")
    rows = []
    for each in tqdm(networks(options.libraries, options.only), unit="network"):
        row = _row(*each)
        rows.append(row)
        tqdm.write(
            f"{row.family:24} {row.name:36} {row.builds or 'yes':8} {row.canvas:8} {row.unbounded:8} {row.full:8} "
            f"{row.circular:8} {row.certificate:8} {row.known:12} {'; '.join(dict.fromkeys(row.reasons))[:150]}"
        )
    convolutional = [r for r in rows if not r.builds and not _attends(r)]
    print(f"\n{len(convolutional)} convolutional networks build of {len(rows)}")
    for reader in ("canvas", "unbounded", "full", "circular", "certificate"):
        values = [getattr(r, reader) for r in convolutional]
        wrong = [r.name for r in rows if getattr(r, reader) == "WRONG"]
        print(f"{reader:12} {sum(v == 'yes' for v in values):3} of {len(values)}; wrong: {', '.join(wrong) or 'none'}")


def _attends(row: Row) -> bool:
    return row.canvas == "refused" and any(what in row.reasons[0] for what in ATTENTION)


def networks(libraries: list[str], only: str = "") -> Iterator[tuple[str, str, str]]:
    """(library, family, name): the lightest of each torchvision family and of each timm module, found as it goes.

    Args:
        libraries: of `torchvision` and `timm`.
        only: part of the names of families that are wanted.
    """
    if "torchvision" in libraries:
        from torchvision import models

        families: dict[str, list[str]] = {}
        for name in models.list_models(module=models):
            families.setdefault(name.rstrip("0123456789").partition("_")[0].rstrip("0123456789"), []).append(name)
        for family, names in families.items():
            if only in family:
                lightest = min(names, key=lambda n: models.get_model_weights(n).DEFAULT.meta["num_params"])
                yield "torchvision", family, lightest
    if "timm" in libraries:
        import timm

        for family in timm.list_modules():
            names = timm.list_models(module=family) if only in family else []
            if names:
                yield "timm", family, _lightest(names)


LIGHT = (
    "atto",
    "femto",
    "pico",
    "nano",
    "xxs",
    "tiny",
    "mini",
    "small",
    "lite",
    "005",
    "_x",
    "050",
    "s0",
    "_b0",
    "18",
    "26",
)


def _lightest(names: list[str]) -> str:
    """The one with the fewest parameters among six whose names say that they are small; building all takes minutes."""
    import timm

    def size(name: str) -> float:
        try:
            with torch.device("meta"):
                return sum(p.numel() for p in timm.create_model(name).parameters())
        except Exception:  # some constructors compute with numbers
            return float("inf")

    likely = sorted(names, key=lambda name: (-sum(word in name for word in LIGHT), len(name), name))
    return min(likely[:6], key=size)


def _row(library: str, family: str, name: str) -> Row:
    row = Row(family, name)
    torch.manual_seed(0)
    try:
        net = _randomised(trunk(library, name)).double().eval()
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


def _places(channels: int = 3) -> tuple[Tensor, Quadrant]:
    picture = torch.randn(
        1, channels, PICTURE, PICTURE, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    return picture, Quadrant(PICTURE, PICTURE + SHIFT, 40, COLOUR)


def _canvas_error(net: nn.Module) -> float:
    picture, task = _places()
    canvas = task.both(picture)
    found, wanted = net(canvas), net(canvas.dense())
    found = found.dense() if isinstance(found, Canvas) else found
    return float((found - wanted).abs().max() / wanted.abs().max())


def _type_error(net: nn.Module, conv: str) -> float:
    """How far pooled features at two places are apart under `unbounded`; 0 under other types, which run or refuse."""
    picture, task = _places()
    pooled = []
    for label in (0, 1):
        images = task.images(picture, torch.tensor([label])).dense()
        found = unwrap(net(bounded(images, RULES[conv], COLOUR)))
        pooled.append(torch.cat([found.amax((2, 3)), found.mean((2, 3))], 1))
    return float((pooled[0] - pooled[1]).abs().max() / pooled[0].abs().max()) if conv == "unbounded" else 0.0


def _certificate(row: Row, net: nn.Module) -> float:
    size, stride = theory.receptive_field(net)
    border = theory.smallest_certified_border(net, Quadrant(56, 120, 0, COLOUR))
    row.known = f"{size}/{stride}/{border}"
    return 0.0


def _randomised(net: Trunk) -> Trunk:
    """Norm statistics, scales and shifts that are nothing special, so that nothing is exact by accident."""
    for module in net.modules():
        for name, scale, offset in (("running_mean", 0.2, -0.1), ("running_var", 1.0, 0.5)):
            statistic = getattr(module, name, None)
            if isinstance(statistic, Tensor):
                statistic.copy_(torch.rand(statistic.shape) * scale + offset)
    return net
