"""The libraries that decode videos, behind one function: the one place that knows them.

PyAV brings FFmpeg; torchcodec takes the system's. They may differ in a frame's colours, and in the frames of odd files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equivariance.data.picture_file import UnusableError
from equivariance.errors import UserError, reason

# A frame as it is shown, uint8 [h, w, 3], RGB; and when, in units of the file's own or None where it does not say.
Shown = tuple[np.ndarray, float | None]


def decoded(path: Path, decoder: str) -> Iterator[Shown]:
    """The frames of a video file, in the order in which they are shown.

    Args:
        path: of the file.
        decoder: one of DECODERS.
    Raises: UnusableError: no video, or a broken one. UserError: the library cannot be used.
    """
    library = imported(decoder)
    try:
        yield from DECODERS[decoder].stream(library, path)
    except (UserError, UnusableError, MemoryError, GeneratorExit):
        raise
    except Exception as error:  # decoders fail on foreign bytes in every way there is
        raise UnusableError(f"cannot be decoded ({reason(error)})") from error


def imported(decoder: str) -> Any:
    """The library.

    Raises: UserError: it is not installed, or cannot be loaded, as torchcodec where there is no FFmpeg.
    """
    import importlib

    known = DECODERS[decoder]
    try:
        return importlib.import_module(known.module)
    except ImportError as error:
        install = f"videos need {known.name}; pip install {known.install}"
        raise UserError(f"data.decoder={decoder}: {install}") from error
    except (OSError, RuntimeError) as error:
        said = f"{known.name} is there but does not load (is FFmpeg?); allowed: pyav"
        raise UserError(f"data.decoder={decoder}: {said}") from error


def edition(decoder: str) -> str:
    """The library's name and version."""
    import importlib.metadata

    imported(decoder)
    known = DECODERS[decoder]
    return f"{known.name} {importlib.metadata.version(known.package)}"


def _pyav(av: Any, path: Path) -> Iterator[Shown]:
    with av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.video:
            raise UnusableError("no video in it")
        for frame in container.decode(container.streams.video[0]):
            yield np.asarray(frame.to_image().convert("RGB")), frame.pts


def _torchcodec(decoders: Any, path: Path) -> Iterator[Shown]:
    video = decoders.VideoDecoder(str(path), dimension_order="NHWC")
    for number in range(len(video)):
        try:
            frame = video.get_frame_at(number)
        except RuntimeError as error:
            if number and "no more frames" in str(error):  # packets are counted, of which the last may show nothing
                return
            raise
        yield frame.data.numpy(), frame.pts_seconds


@dataclass(frozen=True)
class Decoder:
    """A library: its name, the module that decodes, the package, what pip takes, and how it gives the frames."""

    name: str
    module: str
    package: str
    install: str
    stream: Callable[[Any, Path], Iterator[Shown]]


DECODERS = {
    "pyav": Decoder("PyAV", "av", "av", "'equivariance[video]'", _pyav),
    "torchcodec": Decoder("torchcodec", "torchcodec.decoders", "torchcodec", "torchcodec", _torchcodec),
}
