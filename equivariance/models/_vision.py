"""Importing torchvision where its compiled half cannot load."""

import importlib
import sys
from functools import lru_cache
from types import ModuleType

# The two operators that torchvision 0.28 decorates without asking whether they exist.
UNGUARDED = ("nms", "qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@lru_cache(1)
def torchvision_module() -> ModuleType:
    """Imports torchvision; beside a CPU build of torch, its pure-Python half.

    A torchvision wheel built for CUDA cannot load its operators beside a CPU torch, and then fails at import on two
    decorators that need them (pytorch/vision #8985). They are declared here *after* that exact failure only: declaring
    them beside a healthy torchvision registers them twice and ends the process.

    Returns: The torchvision module; classification networks and transforms work either way, `ops.nms` does not.
    Raises: RuntimeError: torchvision fails for any other reason.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    import torch

    for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    for operator in UNGUARDED:
        torch.library.define(f"torchvision::{operator}", SCHEMA)
    return importlib.import_module("torchvision")
