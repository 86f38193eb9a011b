"""Pooled features of frozen networks: computed once for each content, kept, and used again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from equivariance.data.quadrant import Quadrant
from equivariance.edition import EDITION
from equivariance.engine import pooled
from equivariance.errors import NotFinite
from equivariance.finite import finite
from equivariance.models import Classifier
from sweeps.records import write


def cached(
    folder: Path,
    model: Classifier,
    weights: str,
    task: Quadrant,
    pictures: Tensor,
    engine: str,
    what: str,
    anew: bool = False,
) -> Tensor:
    """The same, from a file where a run with this content has left one.

    The key is content: weights and statistics, pictures, geometry, convolution type, pooling and engine. Runs that
    differ in the head's seed or optimiser only share a file.

    Args:
        folder: where the files are kept; one that cannot be read, or has what is not finite, is made anew.
        model: see `pooled`, as are the others.
        weights: `digest` of the model.
        task: the geometry.
        pictures: the pictures.
        engine: `canvas` or `dense`.
        what: names the work.
        anew: compute and replace what is kept.
    """
    path = folder / f"{_key(model, weights, task, pictures, engine)}.safetensors"
    try:
        if anew:
            raise FileNotFoundError
        return finite(load(path.read_bytes())["features"], what).to(pictures.device)
    except (OSError, SafetensorError, KeyError, NotFinite):  # torn by a full disk, say
        pass
    features = pooled(model, task, pictures, engine, what)
    write(path, save({"features": features.cpu().contiguous()}))
    return features


def digest(model: Classifier) -> str:
    """What a network's trunk is and holds, in 64 characters: its structure, weights and statistics."""
    found = hashlib.sha256(f"{model.trunk}".encode())
    for name, tensor in sorted(model.trunk.state_dict().items()):
        found.update(name.encode())
        _take(found, tensor)
    return found.hexdigest()


def _key(model: Classifier, weights: str, task: Quadrant, pictures: Tensor, engine: str) -> str:
    boundary: tuple[object, ...] = (model.feature_map.conv, model.feature_map.background)
    if not model.feature_map.sampling.strided:
        boundary = (*boundary, model.feature_map.sampling)
    found = hashlib.sha256(
        f"{EDITION} {pictures.device.type} {task} {boundary} {model.pooling} {engine} {weights}".encode()
    )
    _take(found, pictures)
    return found.hexdigest()[:32]


def _take(digest: hashlib._Hash, tensor: Tensor) -> None:
    """Feeds it type, shape and content."""
    flat = tensor.detach().cpu().contiguous().flatten()
    digest.update(f"{tensor.dtype} {list(tensor.shape)}".encode())
    digest.update(flat.view(torch.uint8).numpy().data)
