"""The film of a training: filter and feature maps epoch by epoch, as a still strip and as an animated gif."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from PIL.Image import Image

FILE = "training.npz"  # as the rook experiment leaves it
STILLS = (0, 10, 40, 100, 300, 1500)  # epochs
FRAMES = (*range(41), *range(50, 301, 10), *range(350, 1501, 50))
ZOOM = 3  # pixels of the gif for one of a map
SECONDS = 0.12  # a frame; the last one stays
COLUMNS = 2  # types side by side in the gif
FAINT = 0.02  # maxima below it, and maps below this share of the other, are shown as black
GAP = 4  # pixels of a map between filter and maps


@dataclass(frozen=True)
class Reel:
    """The film of one run.

    Args:
        epochs: int [e].
        filters: float [e, k, k].
        maps: float [e, 2, rows, columns], of the class at the upper left and of the one at the bottom right.
    """

    epochs: np.ndarray
    filters: np.ndarray
    maps: np.ndarray

    def at(self, epoch: int) -> int:
        """The index of the last picture that is not after an epoch."""
        return int((self.epochs <= epoch).sum()) - 1

    def maxima(self, index: int) -> tuple[float, float]:
        """What global max pooling makes of both maps."""
        one, two = self.maps[index].max((1, 2))
        return float(one), float(two)


def load(content: bytes) -> Reel:
    """Reads the film of one run, the bytes of FILE."""
    import numpy as np

    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return Reel(file["epoch"], file["filter"].astype(np.float32), file["maps"].astype(np.float32))


def picture(reel: Reel, index: int) -> np.ndarray:
    """Filter (blue negative, red positive) and both maps side by side: uint8 [rows, columns, 3].

    Both maps share one scale, so the brighter one has the larger maximum; a maximum that can be seen is marked.
    """
    import numpy as np
    from matplotlib import colormaps

    kernel, maps = reel.filters[index], reel.maps[index]
    side = maps.shape[1]
    enlarged = np.kron(kernel / max(np.abs(kernel).max(), 1e-9) / 2 + 0.5, np.ones((side // len(kernel),) * 2))
    parts = [_padded(colormaps["RdBu_r"](enlarged)[..., :3], side)]
    scale = max(maps.max(), FAINT)
    for one in maps:
        grey = np.repeat((0.12 + 0.88 * one / scale)[..., None], 3, 2)  # grey, to stand out from the white around
        if one.max() > FAINT * scale:
            grey[np.unravel_index(one.argmax(), one.shape)] = (1.0, 0.35, 0.0)
        parts += [np.ones((side, GAP, 3)), _padded(grey, side)]
    return (255 * np.concatenate(parts, 1)).round().astype(np.uint8)


def strip(reels: dict[str, Reel]) -> Figure:
    """A row a type, a column an epoch."""
    from matplotlib.figure import Figure

    last = max((int(reel.epochs[-1]) for reel in reels.values()), default=0)
    stills = [e for e in STILLS if e <= last] or [0]
    figure = Figure(figsize=(2.6 * len(stills), 1.08 * max(1, len(reels)) + 0.4), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.01, w_pad=0.02)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots(max(1, len(reels)), len(stills), squeeze=False)
    for line, (conv, reel) in zip(axes, reels.items(), strict=False):
        for axis, epoch in zip(line, stills, strict=True):
            index = reel.at(epoch)
            axis.imshow(picture(reel, index), interpolation="nearest")
            axis.set_xlabel("max {:.2f} | {:.2f}".format(*reel.maxima(index)), fontsize=8, labelpad=2)
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(conv, fontsize=9)
    for axis, epoch in zip(axes[0], stills, strict=True):
        axis.set_title(f"epoch {epoch}: filter, map of class 0, map of class 1", fontsize=7)
    return figure


def gif(reels: dict[str, Reel]) -> bytes:
    """All types side by side, epoch by epoch."""
    last = max(int(reel.epochs[-1]) for reel in reels.values())
    frames = [_frame(reels, epoch) for epoch in FRAMES if epoch <= last]
    times = [round(1000 * SECONDS)] * (len(frames) - 1) + [3000]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
    return file.getvalue()


def _frame(reels: dict[str, Reel], epoch: int) -> Image:
    from PIL import Image, ImageDraw

    pictures = {conv: Image.fromarray(picture(reel, reel.at(epoch))) for conv, reel in reels.items()}
    width = ZOOM * max(p.width for p in pictures.values())
    height = ZOOM * max(p.height for p in pictures.values())
    rows = -(-len(pictures) // COLUMNS)
    frame = Image.new("RGB", (COLUMNS * (width + 20) + 20, rows * (height + 34) + 30), "white")
    draw = ImageDraw.Draw(frame)
    draw.text((20, 8), f"epoch {epoch}   filter | map, rook upper left | map, rook bottom right", "black")
    for number, (conv, shown) in enumerate(pictures.items()):
        row, column = divmod(number, COLUMNS)
        x, y = 20 + column * (width + 20), 30 + row * (height + 34)
        one, two = reels[conv].maxima(reels[conv].at(epoch))
        draw.text((x, y), f"{conv}: largest {one:.2f} | {two:.2f}", "black")
        frame.paste(shown.resize((ZOOM * shown.width, ZOOM * shown.height), Image.Resampling.NEAREST), (x, y + 14))
    return frame.quantize(128)


def _padded(values: np.ndarray, side: int) -> np.ndarray:
    """White around a smaller picture, in the middle of `side` rows and columns."""
    import numpy as np

    rows, columns = side - values.shape[0], side - values.shape[1]
    around = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    return np.pad(values, around, constant_values=1.0)
