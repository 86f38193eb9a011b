"""Which of the two engines computes a network: the canvas, or dense PyTorch where that is cheaper."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from equivariance.canvas import Canvas, CanvasUnsupported, cost
from equivariance.data.quadrant import Quadrant
from equivariance.finite import finite
from equivariance.models import Classifier
from sweeps.terminal import track

# Pixels of dense images, and pictures on a canvas, that are computed at once: bounds memory whatever the border.
PIXELS_AT_ONCE = 4_000_000
PICTURES_AT_ONCE = 32
# Pictures of which a forward pass is timed, at most.
TIMED = 8


def choose(wish: str, model: Classifier, task: Quadrant) -> str:
    """`canvas` or `dense` for a network and a geometry.

    Args:
        wish: `auto` takes the one with fewer operations, or under a tolerance, whose savings depend on the numbers, the
            one that is faster on a few pictures; `canvas` and `dense` are taken at their word.
        model: any network; one with an operation that has no exact form on a canvas goes dense under `auto`.
        task: the geometry.
    """
    if wish != "auto":
        return wish
    if model.feature_map.sampling.downsample == "polyphase":
        return "dense"  # images that lie at one place choose phases of their own
    try:
        with torch.no_grad():
            pictures = _pictures(PICTURES_AT_ONCE, model, task).to("meta")
            fewer = cost(model, task.both(pictures)).engine
    except (CanvasUnsupported, RuntimeError):  # of the latter, networks that look at numbers, of which meta has none
        return "dense"
    if fewer == "canvas" or not task.tolerance or model.training:
        return fewer
    return min(("canvas", "dense"), key=lambda engine: forward_seconds(model, task, engine))


def forward_seconds(model: Classifier, task: Quadrant, engine: str) -> float:
    """Seconds of a forward pass of one picture at both places.

    The pictures are noise, since what a tolerance saves depends on the numbers. The first of two passes warms up.
    """
    count = min(TIMED, pictures_at_once(task, engine))
    pictures = _pictures(count, model, task).to(memory_format=torch.channels_last)

    def once() -> float:
        start = time.perf_counter()
        model.features(as_input(task.both(pictures), engine)).sum().item()  # waits for a GPU
        return (time.perf_counter() - start) / count

    with torch.inference_mode():
        return min(once(), once())


def _pictures(count: int, model: Classifier, task: Quadrant) -> Tensor:
    """Noise of the type of the model's weights, beside them: [count, C, picture, picture]."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, len(task.background), task.picture, task.picture, generator=generator)
    return noise.to(next(model.parameters()))


def as_input(images: Canvas, engine: str) -> Tensor:
    """What a network is given: the canvas itself, or the ordinary tensor it stands for."""
    return images if engine == "canvas" else images.dense()


def pictures_at_once(task: Quadrant, engine: str) -> int:
    """How many pictures, each at both places, are computed at once."""
    return PICTURES_AT_ONCE if engine == "canvas" else max(1, PIXELS_AT_ONCE // task.side**2 // 2)


def pooled(model: Classifier, task: Quadrant, pictures: Tensor, engine: str, what: str) -> Tensor:
    """The pooled features of every picture at both places.

    Args:
        model: in eval mode.
        task: the geometry.
        pictures: float [n, 3, picture, picture], normalised.
        engine: `canvas` or `dense`.
        what: names the work in the progress bar.
    Returns: float [2n, C]: all pictures at the upper left, then all at the bottom right.
    Raises: NotFinite: a feature is not.
    """
    chunks = pictures.split(pictures_at_once(task, engine))
    found = []
    with torch.inference_mode():
        for chunk in track(chunks, len(chunks), what):
            found.append(model.features(as_input(task.both(chunk), engine)).unflatten(0, (2, -1)))
    return finite(torch.cat(found, 1), what).flatten(0, 1).clone()  # [2, n, C] -> [2n, C]
