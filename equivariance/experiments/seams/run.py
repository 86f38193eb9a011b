"""A run of the seams experiment: a network over a large picture in tiles, by halo, against the whole at once.

Source: the mismatch of tiles and the disparity of train and eval mode are those of Buglakova et al., ICCV 2025
(arXiv 2503.19545); the exact halo is this project's.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equivariance.data.photos import PHOTOS
from equivariance.experiments.result import Result
from equivariance.experiments.seams.collage import Collages
from equivariance.experiments.seams.config import Adam, SeamsRun, UNetArch
from equivariance.experiments.seams.learning import accuracy, learn, picture
from equivariance.experiments.seams.networks import UNet
from equivariance.library import with_conv
from equivariance.models.whole import output, whole
from equivariance.tiles import Halo, Seam, halo, seams, tiled
from equivariance.tiles.output import Selected
from equivariance.train import Report, unheard


class Mapped(nn.Module):
    """A network that returns the one of its outputs that is the map."""

    def __init__(self, net: nn.Module, output: str) -> None:
        super().__init__()
        self.net, self.output = net, output

    def forward(self, images: Tensor) -> Tensor:
        """That output [N, C, *space] of images [N, 3, *space]."""
        return Selected(self.net, self.output)(images)


def run(config: SeamsRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains a network, or takes its random weights, and measures what tiles of a large picture cost.

    It is trained as published; the convolution type is how it then meets the edges of picture and tiles.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: `halo`, the exact halo in pixels, of convolutions alone where there are statistics; `exact`, `two_passes`,
        1 or 0; for each halo `rms_H`, `largest_H`, of the mismatch relative to the whole output's root mean square, and
        `changed_H`, the share of pixels whose largest channel is another; `tiled`, the largest mismatch of
        `equivariance.tiled`, so too, or -1 where it refuses; `disparity`, by which batch norm with statistics of
        the picture moves the output (`train_eval_disparity`), relative, and `disparity_changed` of the classes;
        `accuracy`, share of pixels told right by the whole picture at once, 0 without training; `n`, pixels.
        In `seams.csv` the mismatch by distance from the seam.
    Raises: UserError: the network takes no such picture, or its reach is not known.
    """
    arch, data, optim = config.arch, config.data, config.optim
    axes = arch.dims if isinstance(arch, UNetArch) else 2
    torch.manual_seed(config.seed)
    net = _network(config).to(device)
    history = learn(net, data, optim, axes, config.seed, report) if isinstance(optim, Adam) else []
    net.eval()
    sides = (data.depth,) * (axes - 2) + (data.side,) * 2
    image, labels = picture(Collages(np.random.default_rng([data.seed, config.seed]), "test", sides, 1))
    right = accuracy(net, image, labels) if history else 0.0
    model = net if config.conv.name == "same" else with_conv(net, config.conv.rule)
    known = halo(model, 3, axes)
    found = seams(model, image, config.experiment.tile, config.experiment.halos)  # a shorter side is not cut
    metrics = _metrics(found, known) | {"accuracy": right, "n": float(labels.numel())}
    metrics["tiled"] = _apart(model, image.to(device), config.experiment.tile, known)
    weights = {name: tensor.detach().cpu() for name, tensor in net.state_dict().items()} if history else {}
    return Result(metrics, history, weights, {"engine": "dense"}, {"seams.csv": _rows(found)})


def _network(config: SeamsRun) -> nn.Module:
    arch: Any = config.arch
    if isinstance(arch, UNetArch):
        return UNet(arch, len(PHOTOS))
    net, named = whole(arch, hollow=False), config.experiment.output or output(arch)
    return Mapped(net, named) if named else net


def _metrics(found: list[Seam], known: Halo) -> dict[str, float]:
    scale = max(found[0].scale, 1e-30)
    metrics = {
        "halo": float(max(*known.before, *known.after)),
        "exact": float(known.exact),
        "two_passes": float(known.two_passes),
        "disparity": found[0].disparity.rms / scale,
        "disparity_changed": found[0].disparity.changed,
    }
    for seam in found:
        pixels = seam.halo[-1][0]
        metrics |= {f"rms_{pixels}": seam.all.rms / scale, f"largest_{pixels}": seam.all.largest / scale}
        metrics[f"changed_{pixels}"] = seam.all.changed
    return metrics


@torch.no_grad()
def _apart(model: nn.Module, image: Tensor, tile: int, known: Halo) -> float:
    """The largest mismatch of tiles with the exact halo, relative to the output; -1: there is none."""
    if not known.exact and not known.two_passes:
        return -1.0
    tiles = [-(-max(tile, least) // grid) * grid for least, grid in zip(known.tile, known.grid, strict=True)]
    wanted = model(image[None])[0].cpu().numpy()
    return float(np.abs(tiled(model, image, tiles) - wanted).max() / max(np.sqrt(np.mean(np.square(wanted))), 1e-30))


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
