"""`python -m benchmarks tiles`: a U-Net over an image in tiles, by this project and by what users do today.

At the same tile and the same halo, against the whole image at once:
- `tiled`: ours; at the exact halo it first proves that its output is the whole image's, which is timed with the rest,
  and takes smaller tiles where no more of them are needed;
- `loop`: overlapping crops, the halo cut off, written out as in most scripts;
- `monai constant`, `monai gaussian`: MONAI's sliding_window_inference with the overlap that this halo makes, blended by
  either of its weights (`pip install monai`; left out where it is missing).

The largest error is of the output's root mean square. Seconds are of the processor, medians of `--repeats`, all ways
alternating in one process; memory is by how much a process of its own grows beyond what a single tile took.

Measured so (`--halos --repeats 7 --side …`, one thread of a 2-core CPU, MONAI 1.6.1) at the exact halo of 22 pixels: of
MONAI's seconds with constant weights ours takes 0.73 at 508 pixels and 0.95 at 1020; its error is 0, that of
MONAI, which averages in what the ends of tiles got wrong, 0.09 and 0.1. Proof and plan take 0.06 s at any size;
with equal tiles and no proof, as at the other halos, the first four ways take the same within 7 %.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from equivariance.tiles import halo, tiled

Way = Callable[[nn.Module, np.ndarray, int, int], np.ndarray]


class UNet(nn.Module):
    """Three levels of two convolutions with batch norm, transposed convolutions on the way up."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = [width, 2 * width, 4 * width]
        self.down = nn.ModuleList(self._level(a, b) for a, b in zip([3, *wide[:2]], wide, strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairwise(wide))
        self.join = nn.ModuleList(self._level(2 * a, a) for a in wide[:2])
        self.last = nn.Conv2d(width, 4, 1)

    @staticmethod
    def _level(before: int, after: int) -> nn.Sequential:
        halves = ((before, after), (after, after))
        layers = [(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(inplace=True)) for a, b in halves]
        return nn.Sequential(*layers[0], *layers[1])

    def forward(self, images: Tensor) -> Tensor:
        """Class scores [N, 4, H, W] of images [N, 3, H, W]."""
        maps = [self.down[0](images)]
        for level in list(self.down)[1:]:
            maps.append(level(nn.functional.max_pool2d(maps[-1], 2)))
        found = maps.pop()
        for up, join in zip(reversed(self.up), reversed(self.join), strict=True):
            found = join(torch.cat([up(found), maps.pop()], 1))
        return self.last(found)


@dataclass
class Row:
    """What one way came to."""

    way: str
    halo: int
    error: float
    seconds: float
    mebibytes: float


def guessed(model: nn.Module, image: np.ndarray, tile: int, halo: int) -> np.ndarray:
    return tiled(model, image, tile, halo)


def proved(model: nn.Module, image: np.ndarray, tile: int, halo: int) -> np.ndarray:
    return tiled(model, image, tile)


def whole(model: nn.Module, image: np.ndarray, tile: int, halo: int) -> np.ndarray:
    return model(torch.from_numpy(image)[None])[0].numpy()


def loop(model: nn.Module, image: np.ndarray, tile: int, halo: int) -> np.ndarray:
    height, width = image.shape[1:]
    out = np.zeros((4, height, width), np.float32)
    for top in range(0, height, tile - 2 * halo):
        for left in range(0, width, tile - 2 * halo):
            y, x = max(0, min(top - halo, height - tile)), max(0, min(left - halo, width - tile))
            found = model(torch.from_numpy(image[:, y : y + tile, x : x + tile])[None])[0].numpy()
            bottom, right = min(top + tile - 2 * halo, height), min(left + tile - 2 * halo, width)
            out[:, top:bottom, left:right] = found[:, top - y : bottom - y, left - x : right - x]
    return out


def monai(mode: str) -> Way:
    from monai.inferers import sliding_window_inference  # not while it is timed

    def run(model: nn.Module, image: np.ndarray, tile: int, halo: int) -> np.ndarray:
        images = torch.from_numpy(image)[None]
        found = sliding_window_inference(images, (tile, tile), 1, model, overlap=2 * halo / tile, mode=mode)
        return found[0].numpy()

    return run


def ways(exact: bool) -> dict[str, Way]:
    found: dict[str, Way] = {"tiled": proved if exact else guessed, "loop": loop}
    if importlib.util.find_spec("monai"):
        found |= {f"monai {mode}": monai(mode) for mode in ("constant", "gaussian")}
    return found | {"whole image": whole}


def main(argv: list[str]) -> None:
    options = parse(argv)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = UNet(options.width).eval()
    image = np.random.default_rng(0).random((3, options.side, options.side), dtype=np.float32)
    exact = halo(model)
    if not options.json:
        print(exact, f"\n{'way':18}{'halo':>6}{'error':>12}{'s':>9}{'MiB':>9}", flush=True)
    rows = []
    for pixels in sorted({*options.halos, max(*exact.before, *exact.after)}):
        for row in compared(options, model, image, pixels, pixels == max(*exact.before, *exact.after)):
            rows.append(row)
            if not options.json:
                print(f"{row.way:18}{row.halo:6}{row.error:12.2g}{row.seconds:9.3f}{row.mebibytes:9.0f}", flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks tiles", description=__doc__)
    parser.add_argument("--side", type=int, default=1020, help="pixels a side of the image")
    parser.add_argument("--tile", type=int, default=256, help="pixels a side of a tile, halo included")
    parser.add_argument("--halos", type=int, nargs="*", default=[8, 16, 32], help="pixels, beside the exact one")
    parser.add_argument("--width", type=int, default=16, help="channels of the first level")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


@torch.no_grad()
def compared(options: argparse.Namespace, model: nn.Module, image: np.ndarray, pixels: int, exact: bool) -> list[Row]:
    """All ways at one halo."""
    wanted = whole(model, image, options.tile, pixels)
    seconds: dict[str, list[float]] = {name: [] for name in ways(exact)}
    errors: dict[str, float] = {}
    for _ in range(options.repeats):
        for name, way in ways(exact).items():
            began = time.process_time()
            found = way(model, image, options.tile, pixels)
            seconds[name].append(time.process_time() - began)
            errors[name] = float(np.abs(found - wanted).max() / np.sqrt(np.mean(np.square(wanted))))
    return [
        Row(name, pixels, errors[name], statistics.median(each), grown(name, model, image, options.tile, pixels, exact))
        for name, each in seconds.items()
    ]


def grown(name: str, model: nn.Module, image: np.ndarray, tile: int, pixels: int, exact: bool) -> float:
    """By how much a process grows that goes one way, in MiB."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_measured, args=(there, name, exact, model, image, tile, pixels))
    child.start()
    found = float(here.recv())
    child.join()
    return found


def _measured(
    pipe: object, name: str, exact: bool, model: nn.Module, image: np.ndarray, tile: int, pixels: int
) -> None:
    torch.set_num_threads(1)
    with torch.no_grad():
        way = ways(exact)[name]
        way(model, np.zeros_like(image[:, :tile, :tile]), tile, pixels)  # what is imported and kept once
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: proc_pid_clear_refs(5)
        before = _kibibytes("VmRSS")
        way(model, image, tile, pixels)
    pipe.send((_kibibytes("VmHWM") - before) / 1024)  # type: ignore[attr-defined]


def _kibibytes(name: str) -> int:
    """A line of the process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
