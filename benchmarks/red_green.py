"""`python -m benchmarks red_green`: a Red-Green run on the ordinary tensor and once per distinct patch, alternating.

Both are the same training, one seed after another, with the released recipe: epochs of 10 batches of 200 images, each
followed by the validation. Times are seconds of the process, which other processes hardly lengthen. `run` adds what a
run costs beside its epochs (numbering the patches, the curve over 17 shifts) and extrapolates to 50 epochs.
"""

import argparse
import contextlib
import io
import json
import statistics
import time
from dataclasses import asdict, dataclass
from types import SimpleNamespace

import torch

from equivariance.experiments.red_green import run as red_green

RECIPE = {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 5e-5, "batch": 200, "patience": 50, "shuffle": False}
DATA = SimpleNamespace(train=2000, validation=1000, test=1000, splits="shared", seed=1988)
WHOLE = 50  # epochs


@dataclass
class Row:
    """One convolution type, measured."""

    conv: str
    epochs: int
    dense_epoch_s: float
    patches_epoch_s: float
    ratio: float
    dense_run_s: float
    patches_run_s: float
    run_ratio: float
    deviation: float


def main(argv: list[str]) -> None:
    options = parse(argv)
    torch.set_num_threads(options.threads)
    rows = []
    for conv in options.conv:
        rows.append(measure(conv, options))
        if not options.json:
            show(rows[-1], header=len(rows) == 1)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    dense, ours = (statistics.mean(getattr(r, key) for r in rows) for key in ("dense_run_s", "patches_run_s"))
    print(f"mean of a run: ordinary tensor {dense:.0f} s, once per patch {ours:.1f} s, ratio {dense / ours:.1f}")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks red_green", description=(__doc__ or "").split("\n\n")[1]
    )
    parser.add_argument("--conv", nargs="+", default=["valid", "same", "circular", "full"])
    parser.add_argument("--epochs", type=int, default=2, help="of each measured training")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def measure(conv: str, options: argparse.Namespace) -> Row:
    """Median times of a training of few epochs and of one epoch less, whose difference is an epoch."""
    train(conv, "auto", 1), train(conv, "dense", 1)  # warm up
    times: dict[tuple[str, int], list[float]] = {}
    losses = {}
    for _ in range(options.repeats):
        for engine in ("dense", "auto"):
            for epochs in (1, 1 + options.epochs):
                seconds, losses[engine] = train(conv, engine, epochs)
                times.setdefault((engine, epochs), []).append(seconds)
    middle = {key: statistics.median(found) for key, found in times.items()}
    epoch = {e: (middle[e, 1 + options.epochs] - middle[e, 1]) / options.epochs for e in ("dense", "auto")}
    run = {e: middle[e, 1] + (WHOLE - 1) * epoch[e] for e in ("dense", "auto")}
    return Row(
        *(conv, options.epochs, epoch["dense"], epoch["auto"], epoch["dense"] / epoch["auto"]),
        *(run["dense"], run["auto"], run["dense"] / run["auto"], abs(losses["dense"] / losses["auto"] - 1)),
    )


def train(conv: str, engine: str, epochs: int) -> tuple[float, float]:
    """Seconds of the process for a whole run, and its last training loss."""
    config = SimpleNamespace(
        conv=SimpleNamespace(name=conv), seed=0, engine=engine, data=DATA, experiment=SimpleNamespace(shifts=16),
        optim=SimpleNamespace(**RECIPE, epochs=epochs),
    )  # fmt: skip
    start = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        result = red_green.run(config, torch.device("cpu"))  # type: ignore[arg-type]
    return time.process_time() - start, result.history[-1]["train_loss"]


def show(row: Row, header: bool) -> None:
    if header:
        print(
            f"{'conv':>10}{'dense s/epoch':>15}{'patches s/epoch':>17}{'ratio':>8}{'dense run s':>13}"
            f"{'patches run s':>15}{'ratio':>8}{'loss differs by':>17}"
        )
    print(
        f"{row.conv:>10}{row.dense_epoch_s:15.2f}{row.patches_epoch_s:17.3f}{row.ratio:8.1f}{row.dense_run_s:13.0f}"
        f"{row.patches_run_s:15.1f}{row.run_ratio:8.1f}{row.deviation:17.1e}",
        flush=True,
    )
