"""Large images in tiles: how much of the image a tile needs, by proof, and running a network over tiles exactly.

Reading order: output · trace (what calls see) · axis · halo · spans · plan (which tiles) · passes · running ·
mismatch · disparity · seam.
"""

from equivariance.tiles.bioimage import bioimageio
from equivariance.tiles.disparity import train_eval_disparity
from equivariance.tiles.figure import plot_seams
from equivariance.tiles.halo import Halo, halo
from equivariance.tiles.mismatch import Mismatch
from equivariance.tiles.running import tiled
from equivariance.tiles.seam import Seam, seam, seams
from equivariance.tiles.trace import Reason

__all__ = ["Halo", "Mismatch", "Reason", "Seam", "bioimageio", "halo", "plot_seams", "seam", "seams", "tiled"]
__all__ += ["train_eval_disparity"]
