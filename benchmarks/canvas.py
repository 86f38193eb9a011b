"""`python -m benchmarks canvas`: a network on the ordinary tensor and on the canvas, alternating in one process.

Each row is the quadrant experiment: pictures of 56×56 at the top left and, 64 pixels on, at the bottom right of a
canvas of 120 + 2·border; the canvas holds both places of each picture, times are per image of the batch (n). `engine`
is what the automatic choice takes, and `canvas ms` times that choice. `err` is the largest difference of the pooled
features from float64 over their largest entry, `dense err` that of dense float32; `MACs` the ratio of multiply-adds.

What each lever brought at border 512 (eval, conv=same, one CPU thread, medians of 3, dense over canvas; 16 pictures,
each at both places):

- windows on a compressed ground alone: ResNet-18 26× (`--unshared`), at 23× fewer multiply-adds;
- one window for both places until an edge comes into reach: ResNet-18 26× → 53×, BagNet-33 1076×, a train step of
  ResNet-18 (8 pictures) 42×;
- `--tolerance 1e-6`, which crops what is below float32 rounding and so lets the places go on sharing: DenseNet-121 4×
  → 38×, its error unchanged at 1.0e-6 (dense float32: 7e-7); at 1e-7 next to nothing is cropped, the error is the
  same;
- cat written straight to its place instead of padding each part first: DenseNet-121, exact, 605 → 490 ms;
- channels_last: ResNet-18 13.7 → 10.9 ms on the canvas, 821 → 579 ms dense;
- the ordinary tensor inside a network as soon as the windows fill three quarters of the map: what makes border 0 pay,
  ResNet-18 1.16×, BagNet-33 5×; where windows and calls would still cost more, the automatic choice runs dense.

What runs add to that, for dense networks too (`--memory kept`): freed memory stays with the process instead of coming
anew from the kernel page by page. DenseNet-121 56 → 43 ms on the canvas, 2226 → 1472 ms dense; BagNet-33 17.6 → 14.1
and 15724 → 9601 ms; ResNet-18 13.0 → 12.4 and 655 → 480 ms; with 32 pictures DenseNet-121 103 → 58 ms a picture.

Gates (squeeze-and-excitation) give each image a background of its own, which a depthwise convolution cuts and pads
anew: in its own memory layout instead of by index_select, shared by both places while their gates are equal, and
trimmed by asking one image first, EfficientNet-B0 went from 5.5× to 15× at 1e-6. Exact, 15× is out of reach: its
receptive field is wider than the picture's distance from any edge, so windows and backgrounds hold most of the last
maps and the multiply-adds fall 4.2× only (9.5× at 1e-6, where float64 trims no more than float32 does: what remains is
no noise).

Convolution types that let maps grow (`--conv unbounded`, border 512, multiply-adds of ConvNeXt-Tiny an image): dense
115 → 303 G; the canvas' windows 47 → 63 G, which is inherent, as no edge cuts them any more; the background 15 → 205 G
once for the whole batch, 6 of 70 G an image for 32: the exact engine does not notice that it continues itself. At 1e-6
(2 pictures) the canvas takes 56 → 118 ms, dense 2880 → 7589 ms: 52× and 64×. In timm's ConvMixer-1024/20 windows are
nearly all: 107 → 227 G an image, dense 152 → 683 G. At border 64 (`--arch timm:convmixer_1024_20_ks9_p14 --border 64
--pictures 1`) the canvas would take 1.03 times dense's multiply-adds, so runs are dense: 18.6 s an image on a core.

Folding batch norm into convolutions was not needed: convolution is 0.9 of ResNet-18's time. Border 4096 takes 1.02
times (ResNet-18) and 1.03 times (BagNet-33) what border 512 takes; MobileNetV3-Large the same, EfficientNet-B0 0.77
times, as fewer windows come near an edge.
"""

import argparse
import contextlib
import ctypes
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from equivariance import memory
from equivariance.canvas import Canvas, cost, place
from equivariance.models import Classifier
from equivariance.models.trunk import trunk
from equivariance.registries import CONVS

PICTURE, SHIFT, INNER = 56, 64, 120  # pixels
BLACK = (-2.1179, -2.0357, -1.8044)  # after ImageNet normalisation
ARCHS = ["bagnet33", "resnet18", "densenet121"]
DENSE_PIXELS = 1.4e6  # of one dense batch: bounds its time and memory


@dataclass
class Row:
    """One measurement; times in ms per image, memory in MiB."""

    arch: str
    conv: str
    border: int
    mode: str
    tolerance: float
    dense_batch: int
    canvas_batch: int
    engine: str
    dense_ms: float
    canvas_ms: float
    ratio: float
    mac_ratio: float
    max_rel_err: float
    dense_rel_err: float
    dense_mib: float
    canvas_mib: float


def main(argv: list[str]) -> None:
    options = parse(argv)
    if options.memory == "kept":
        memory.keep()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = []
    for arch in options.arch:
        for conv in options.conv:
            for border in options.border:
                rows.append(measure(arch, conv, border, options))
                if not options.json:
                    show(rows[-1], header=len(rows) == 1)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks canvas", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--arch", nargs="+", default=ARCHS, help="bagnet33, torchvision names, or timm:NAME")
    parser.add_argument("--border", nargs="+", type=int, default=[0, 128, 512], help="pixels")
    parser.add_argument("--conv", nargs="+", default=["same"], choices=CONVS.names())
    parser.add_argument("--mode", default="eval", choices=["eval", "train"])
    parser.add_argument("--pictures", type=int, default=16, help="of the canvas batch, each at both places")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--tolerance", type=float, default=1e-6, help="trim windows to this share of the largest entry (eval); 0: exact"
    )
    parser.add_argument("--unshared", action="store_true", help="give every image its own picture: no shared windows")
    parser.add_argument(
        "--engine", default="auto", choices=["auto", "canvas"], help="canvas: also where dense is cheaper"
    )
    parser.add_argument("--layout", default="channels_last", choices=["channels_last", "contiguous_format"])
    parser.add_argument(
        "--memory", default="returned", choices=["returned", "kept"], help="freed blocks (CPU); kept: as runs do"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: PyTorch's default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def measure(arch: str, conv: str, border: int, options: argparse.Namespace) -> Row:
    torch.manual_seed(0)
    layout = getattr(torch, options.layout)
    network = Classifier(trunk(*named(arch)), conv, "max")
    network.feature_map.background = BLACK  # what conv=unbounded continues
    network = network.to(options.device, memory_format=layout).train(options.mode == "train")
    scene = Scene(border, options, layout)
    choice = cost(network, scene.canvas())
    engine = choice.engine if options.engine == "auto" else "canvas"
    dense_batch = max(1, min(2 * options.pictures, int(DENSE_PIXELS / scene.size**2)))
    image, numbers = scene.dense(dense_batch)
    given: Callable[[], Tensor] = scene.canvas if engine == "canvas" else lambda: scene.canvas().dense()
    run = train_step if options.mode == "train" else evaluate
    dense_s, canvas_s = alternate(lambda: run(network, image), lambda: run(network, given()), options)
    errors = deviations(network, scene, image, numbers) if options.mode == "eval" else (float("nan"),) * 2
    dense_ms, canvas_ms = dense_s / dense_batch * 1e3, canvas_s / len(scene.corners) * 1e3
    return Row(
        *(arch, conv, border, options.mode, options.tolerance, dense_batch, len(scene.corners), engine),
        *(dense_ms, canvas_ms, dense_ms / canvas_ms, choice.ratio, *errors),
        peak_mib(lambda: run(network, image), options.device),
        peak_mib(lambda: run(network, given()), options.device),
    )


def named(arch: str) -> tuple[str, str]:
    """Library and name: `timm:NAME`, or the name of ours or torchvision's."""
    library, _, name = arch.rpartition(":")
    return library or ("equivariance" if arch == "bagnet33" else "torchvision"), name


class Scene:
    """Pictures at both places of a bordered canvas."""

    def __init__(self, border: int, options: argparse.Namespace, layout: torch.memory_format) -> None:
        n = options.pictures
        self.size, self.tolerance = INNER + 2 * border, options.tolerance
        self.corners = [(border, border)] * n + [(border + SHIFT, border + SHIFT)] * n
        pictures = torch.randn(2 * n if options.unshared else n, 3, PICTURE, PICTURE)
        self.pictures = pictures.to(options.device, memory_format=layout)
        self.layout = layout

    def canvas(self, pictures: Tensor | None = None, tolerance: float | None = None) -> Canvas:
        """The whole batch."""
        pictures = self.pictures if pictures is None else pictures
        return place(pictures, self.size, self.corners, BLACK, self.tolerance if tolerance is None else tolerance)

    def dense(self, images: int) -> tuple[Tensor, list[int]]:
        """Some images of the batch as an ordinary tensor, half of them at either place, and their numbers."""
        first = range((images + 1) // 2)
        half = len(self.corners) // 2
        numbers = [*first, *(half + i for i in first)][:images]
        shown = self.pictures[[i % len(self.pictures) for i in numbers]]
        painted = place(shown, self.size, [self.corners[i] for i in numbers], BLACK).dense()
        return painted.contiguous(memory_format=self.layout), numbers


def evaluate(network: nn.Module, images: Tensor) -> None:
    with torch.inference_mode():
        network(images)


def train_step(network: nn.Module, images: Tensor) -> None:
    network.zero_grad()
    network(images).square().mean().backward()


def alternate(
    dense: Callable[[], None], canvas: Callable[[], None], options: argparse.Namespace
) -> tuple[float, float]:
    """Median seconds of both, run in turns after one warm-up each."""
    times: tuple[list[float], list[float]] = ([], [])
    for repeat in range(options.repeats + 1):
        for run, found in zip((dense, canvas), times, strict=True):
            seconds = stopwatch(run, options.device)
            if repeat:
                found.append(seconds)
    return statistics.median(times[0]), statistics.median(times[1])


def stopwatch(run: Callable[[], None], device: str) -> float:
    """Seconds; on the CPU those of the process, which other processes on the machine do not lengthen."""
    if device == "cpu":
        begin = time.process_time()
        run()
        return time.process_time() - begin
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def deviations(network: Classifier, scene: Scene, image: Tensor, numbers: list[int]) -> tuple[float, float]:
    """Relative errors against float64 of the canvas and of the dense network, both in float32.

    The reference is the exact canvas in float64, which the tests hold to 1e-10 of dense float64.
    """
    with torch.inference_mode():
        found, dense = network.features(scene.canvas()), network.features(image)
        reference = network.double().features(scene.canvas(scene.pictures.double(), 0.0))
        network.float()
    top = reference.abs().amax()
    return float((found - reference).abs().amax() / top), float((dense - reference[numbers]).abs().amax() / top)


def peak_mib(run: Callable[[], None], device: str) -> float:
    """Peak memory of one run above what was held before it, in MiB: of the process (Linux), or of the GPU."""
    gc.collect()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # what earlier runs left behind would hide what this one takes
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before_kib = dict(status())["VmRSS"]
        run()
        return (dict(status())["VmHWM"] - before_kib) / 2**10
    return float("nan")


def status() -> Iterator[tuple[str, int]]:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            yield name, int(value.split()[0])


def show(row: Row, header: bool) -> None:
    if header:
        print(
            f"{'arch':20}{'conv':>10}{'border':>7}{'mode':>7}{'engine':>8}{'dense ms':>10} (n){'canvas ms':>11} (n)"
            f"{'ratio':>8}{'MACs':>8}{'err':>9}{'dense_err':>10}{'dense MiB':>11}{'canvas MiB':>11}"
        )
    print(
        f"{row.arch:20}{row.conv:>10}{row.border:7}{row.mode:>7}{row.engine:>8}{row.dense_ms:10.1f}{row.dense_batch:4}"
        f"{row.canvas_ms:11.2f}{row.canvas_batch:4}{row.ratio:8.2f}{row.mac_ratio:8.2f}{row.max_rel_err:9.1e}"
        f"{row.dense_rel_err:10.1e}{row.dense_mib:11.0f}{row.canvas_mib:11.0f}",
        flush=True,
    )
