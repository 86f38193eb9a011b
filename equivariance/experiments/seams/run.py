"""A run of the seams experiment: a network over a large picture in tiles, by halo, against the whole at once.

Source: the mismatch of tiles and the disparity of train and eval mode are those of Buglakova et al., ICCV 2025
(arXiv 2503.19545); the exact halo is this project's.
"""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivariance.data.photos import PHOTOS
from equivariance.experiments.result import Result
from equivariance.experiments.seams.collage import CROPS, Collages
from equivariance.experiments.seams.config import SeamsRun, Steps, UNetArch
from equivariance.experiments.seams.networks import UNet
from equivariance.library import with_conv
from equivariance.models.whole import whole
from equivariance.tiles import Halo, Seam, halo, seams, tiled
from equivariance.train import Report, unheard

MEAN, STD = 0.45, 0.25  # of pixels in [0, 1], about those of photographs


def run(config: SeamsRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains a U-Net, or takes another network's random weights, and measures what tiles of a large picture cost.

    The U-Net is trained as published; the convolution type is how it then meets the edges of picture and tiles.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told the loss of every tenth part of training.
    Returns: `halo`, the exact halo in pixels, of convolutions alone where there are statistics; `exact`, `two_passes`,
        1 or 0; for each halo `rms_H`, `largest_H`, of the mismatch relative to the whole output's root mean square, and
        `changed_H`, the share of pixels whose largest channel is another; `tiled`, the largest mismatch of
        `equivariance.tiled`, so too, or -1 where it refuses; `disparity`, of train and eval mode, relative;
        `accuracy`, share of pixels told right by the whole picture at once, 0 without training; `n`, pixels.
        In `seams.csv` the mismatch by distance from the seam.
    Raises: UserError: the network takes no such picture, or its reach is not known.
    """
    torch.manual_seed(config.seed)
    arch, generator = config.arch, np.random.default_rng([config.data.seed, config.seed])
    three = isinstance(arch, UNetArch) and arch.dims == 3
    net = UNet(arch, len(PHOTOS)) if isinstance(arch, UNetArch) else whole(arch, hollow=False)  # type: ignore[arg-type]
    net.to(device)
    history = _trained(net, config, generator, report) if isinstance(config.optim, Steps) else []
    net.eval()
    sides = (config.data.depth,) * three + (config.data.side,) * 2
    pixels, labels = Collages(generator, "test", sides, 1).draw()
    image = (pixels - MEAN) / STD
    accuracy = _accuracy(net, image.to(device), labels.to(device)) if history else 0.0
    model = net if config.conv.name == "same" else with_conv(net, config.conv.rule)
    known = halo(model, 3, len(sides), config.experiment.output)
    # A side shorter than a tile is not cut.
    found = seams(model, image, config.experiment.tile, config.experiment.halos, output=config.experiment.output)
    metrics = _metrics(found, known) | {"accuracy": accuracy, "n": float(labels.numel())}
    metrics["tiled"] = _apart(model, image, config, known)
    weights = {name: tensor.detach().cpu() for name, tensor in net.state_dict().items()} if history else {}
    return Result(metrics, history, weights, {"engine": "dense"}, {"seams.csv": _rows(found)})


def _trained(
    net: nn.Module, config: SeamsRun, generator: np.random.Generator, report: Report
) -> list[dict[str, float]]:
    optim, data = config.optim, config.data
    assert isinstance(optim, Steps)
    device, losses = next(net.parameters()).device, list[float]()
    history: list[dict[str, float]] = []
    three = isinstance(config.arch, UNetArch) and config.arch.dims == 3
    sides = (min(data.train, data.depth),) * three + (data.train,) * 2
    collages = Collages(generator, "train", sides, CROPS)
    optimiser = torch.optim.Adam(net.parameters(), optim.lr)
    for step in range(1, optim.steps + 1):
        drawn = zip(*(collages.draw() for _ in range(optim.batch)), strict=True)
        pixels, labels = (torch.stack(each) for each in drawn)
        loss = F.cross_entropy(net(((pixels - MEAN) / STD).to(device)), labels.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if step % max(1, optim.steps // 10) == 0 or step == optim.steps:
            history.append({"epoch": float(len(history) + 1), "loss": float(np.mean(losses))})
            report(history[-1])
            losses.clear()
    return history


@torch.no_grad()
def _accuracy(net: nn.Module, image: Tensor, labels: Tensor) -> float:
    return float((net(image[None])[0].argmax(0) == labels).double().mean())


def _metrics(found: list[Seam], known: Halo) -> dict[str, float]:
    scale = max(found[0].scale, 1e-30)
    metrics = {
        "halo": float(max(*known.before, *known.after)),
        "exact": float(known.exact),
        "two_passes": float(known.two_passes),
        "disparity": found[0].disparity / scale,
    }
    for seam in found:
        pixels = seam.halo[-1][0]
        metrics |= {f"rms_{pixels}": seam.all.rms / scale, f"largest_{pixels}": seam.all.largest / scale}
        metrics[f"changed_{pixels}"] = seam.all.changed
    return metrics


def _apart(model: nn.Module, image: Tensor, config: SeamsRun, known: Halo) -> float:
    """The largest mismatch of tiles with the exact halo, relative to the output; -1: there is none."""
    if not known.exact and not known.two_passes:
        return -1.0
    from equivariance.tiles.output import Selected

    tile = [
        -(-max(config.experiment.tile, least) // grid) * grid
        for least, grid in zip(known.tile, known.grid, strict=True)
    ]
    device = next(model.parameters()).device
    with torch.no_grad():
        wanted = Selected(model, config.experiment.output)(image[None].to(device))[0].cpu().numpy()
    apart = tiled(model, image, tile, output=config.experiment.output) - wanted
    return float(np.abs(apart).max() / max(np.sqrt(np.mean(np.square(wanted))), 1e-30))


def _rows(found: list[Seam]) -> bytes:
    """A line a halo and distance: halo, distance, rms, largest, changed."""
    file = io.StringIO()
    file.write("halo,distance,rms,largest,changed\n")
    for seam in found:
        for distance, mismatch in seam.by_distance:
            values = (
                mismatch.rms / max(seam.scale, 1e-30),
                mismatch.largest / max(seam.scale, 1e-30),
                mismatch.changed,
            )
            file.write(f"{seam.halo[-1][0]},{distance:g},{','.join(f'{v:.6g}' for v in values)}\n")
    return file.getvalue().encode()
