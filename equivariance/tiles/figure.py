"""Mismatch against halo, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from equivariance.tiles.seam import Seam


def plot_seams(found: Sequence[Seam], path: str | Path) -> None:
    """Draws what tiles cost against the halo, the exact halo marked; and against the distance from the seam.

    Args:
        found: of one network, image and tile, for several halos.
        path: of the figure; its suffix says of which kind.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    halos = [max(max(pair) for pair in seam.halo) for seam in found]
    smallest = max(min((s.all.rms for s in found if s.all.rms > 1e-6 * s.scale), default=1e-6) / 100, 1e-12)
    for name, values in (
        ("largest", [s.all.largest / s.scale for s in found]),
        ("root mean square", [s.all.rms / s.scale for s in found]),
        ("places of another class", [s.all.changed for s in found]),
    ):
        left.plot(halos, values, "o-", markersize=4, label=name)
    if (exact := next((s.exact for s in found), None)) is not None:
        left.axvline(exact, color="black", linestyle="--", linewidth=1, label=f"exact halo: {exact} pixels")
    for halo, seam in zip(halos, found, strict=True):
        rows = [(d, m.rms / seam.scale) for d, m in seam.by_distance if d < float("inf")]
        right.plot(*zip(*rows, strict=True), label=f"halo {halo}") if rows else None
    left.set(xlabel="halo (pixels)", ylabel="mismatch / output (rms), or share")
    right.set(xlabel="distance from the next seam (pixels)", ylabel="mismatch / output (both rms)")
    for axes in (left, right):
        axes.set_yscale("symlog", linthresh=smallest)
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)
