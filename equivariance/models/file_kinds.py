"""What a file is that holds no tensors."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

# How other files begin.
KINDS = {
    b"version https://git-lfs": "a Git LFS pointer: the file itself was not fetched (git lfs pull)",
    b"<": "an HTML or XML page, as servers send where there is no file",
    b"{": "JSON text",
    b"\x89HDF": "an HDF5 file, of Keras for instance",
    b"\x93NUMPY": "an array of NumPy",
    b"\x1f\x8b": "a gzip archive: unpack it",
    b"GGUF": "a GGUF file",
}


def kind(path: Path, error: Exception) -> str:
    """In a few words.

    Args:
        path: the file.
        error: what `torch.load` raised for it, which names the class of a pickled object.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    for beginning, name in KINDS.items():
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(beginning):
            return name
    if start[:2] == b"PK":
        return _archive(path, error)
    if start[:1] == b"\x80":
        return _pickled(error)
    if start.isascii() and "".join(start.decode().split()).isprintable():
        return "text"
    return "a damaged safetensors file" if path.suffix == ".safetensors" else "something unknown, or damaged"


def _archive(path: Path, error: Exception) -> str:
    try:
        names = zipfile.ZipFile(path).namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return "an archive that ends too early, or is damaged"
    if any(name.endswith("/constants.pkl") for name in names):
        return "a TorchScript program: save network.state_dict() instead"
    if not any(name.endswith("data.pkl") for name in names):
        return "a zip archive of other files"
    return _pickled(error)


def _pickled(error: Exception) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    if named is None:
        return "a pickle that torch.save did not write, or that ends too early, or is damaged"
    return f"a pickled object of {named[1]}, which could run code when loaded: save network.state_dict() alone"
