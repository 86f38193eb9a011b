"""A data set of one's own: drawings, four of each kind, of which a kind is never in two splits."""

from collections.abc import Iterator

import numpy as np

from equivariance.data import Picture, Pictures, dataset


@dataset("shapes")
def shapes(data: Pictures, side: int, skipped: list[str]) -> Iterator[Picture]:
    """Coloured discs, without end; `data.seed` is that of their colours and sizes."""
    random = np.random.default_rng(data.seed)
    rows, columns = np.mgrid[:side, :side] - side / 2
    kind = 0
    while True:
        colour, radius = random.integers(64, 256, 3), random.uniform(0.2, 0.5) * side
        for number in range(4):
            disc = np.hypot(rows, columns) < radius - number
            pixels = (disc[..., None] * colour + random.integers(0, 32, (side, side, 3))).clip(0, 255)
            yield Picture(pixels.astype(np.uint8), source=f"disc {kind}.{number}", group=f"kind {kind}")
        kind += 1
