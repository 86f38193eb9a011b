"""Mends an installed torchvision that cannot be imported beside a CPU build of torch; run by install.sh.

A torchvision wheel built for CUDA cannot load its operators beside a CPU torch, and then fails at import on two
decorators that need them (pytorch/vision #8985). Where that exact failure shows, its own file is made to declare the
two first. Classification networks and transforms then work; `torchvision.ops.nms` does not.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

FAILURE = "operator torchvision::nms does not exist"
DECLARED = """
import torch as _torch

for _name in ("nms", "qnms"):
    if not hasattr(_torch.ops.torchvision, _name):
        _torch.library.define(
            f"torchvision::{_name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
"""


def main() -> None:
    """Changes nothing where torchvision is missing, healthy, or fails in another way."""
    tried = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, text=True)
    if tried.returncode == 0 or FAILURE not in tried.stderr:
        return
    found = importlib.util.find_spec("torchvision")
    path = Path(str(found and found.origin)).with_name("_meta_registrations.py")
    mended = path.with_suffix(".mended")  # a file of its own: the installer may share this one with other environments
    mended.write_text(DECLARED + path.read_text())
    mended.replace(path)


if __name__ == "__main__":
    main()
