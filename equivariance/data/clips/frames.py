"""Frames of video files, and decoded frames kept as compressed tensors: JPEG, quality 95, as the released code does."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from equivariance.data.clips.decoders import decoded, edition
from equivariance.data.picture_file import UnusableError
from equivariance.errors import UserError, printable, reason
from sweeps import records

QUALITY = 95
# Share of steps from frame to frame that may differ from the usual one; more, and the frame rate varies.
UNEVEN = 0.1


def frames(path: Path, indices: Sequence[int], decoder: str = "pyav") -> Tensor:
    """Some frames of a video file, decoded in the order in which they are shown.

    Args:
        path: of the file.
        indices: of the frames, from 0.
        decoder: `pyav` or `torchcodec`.
    Returns: uint8 [frames, 3, h, w], RGB.
    Raises: UnusableError: no video, or a broken one, or it has no such frame. UserError: the decoder cannot be used.
    """
    wanted, last = set(indices), max(indices)
    found = {}
    for number, (shown, _) in enumerate(decoded(path, decoder)):
        if number in wanted:
            found[number] = _tensor(shown)
        if number == last:
            break
    if len(found) < len(wanted):
        raise UnusableError(f"no frame {min(wanted - set(found))}")
    return torch.stack([found[i] for i in indices])


def _tensor(shown: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(shown)).permute(2, 0, 1)  # [h, w, 3] -> [3, h, w]


class Kept:
    """Frames of video files, decoded once.

    Args:
        folder: where they are kept.
        resize: pixels of their shorter side.
        decoder: `pyav` or `torchcodec`.
    """

    def __init__(self, folder: Path, resize: int, decoder: str = "pyav") -> None:
        self.folder, self.resize, self.decoder = folder, resize, decoder

    def length(self, path: Path) -> int:
        """Frames of a video, which is decoded where it is not kept yet.

        Raises: UnusableError: it cannot be used, the message is the reason. UserError: the folder cannot be written.
        """
        place = self._place(path)
        if not place.is_file():
            self._keep(path, place)
        with _opened(place) as kept:
            return len(kept.get_tensor("ends"))

    def frames(self, path: Path, indices: Sequence[int]) -> Tensor:
        """Some frames of a video that is kept, uint8 [frames, 3, h, w]."""
        with _opened(self._place(path)) as kept:
            ends, whole = [0, *kept.get_tensor("ends").tolist()], kept.get_slice("jpeg")
            packed = [whole[ends[i] : ends[i + 1]].numpy().tobytes() for i in indices]
        return torch.stack([_tensor(np.asarray(Image.open(io.BytesIO(one)).convert("RGB"))) for one in packed])

    def _place(self, path: Path) -> Path:
        state = path.stat()
        told = f"{path.absolute()} {state.st_size} {state.st_mtime_ns} {self.resize} {QUALITY} {edition(self.decoder)}"
        return self.folder / f"{hashlib.sha256(os.fsencode(told)).hexdigest()[:32]}.safetensors"

    def _keep(self, path: Path, place: Path) -> None:
        from safetensors.torch import save

        packed, times = [], []
        for shown, time in decoded(path, self.decoder):
            packed.append(self._packed(Image.fromarray(shown)))
            times.append(time)
        _even(times)
        ends = torch.tensor(np.cumsum([len(one) for one in packed]), dtype=torch.int64)
        content = save({"jpeg": torch.frombuffer(bytearray(b"".join(packed)), dtype=torch.uint8), "ends": ends})
        try:
            records.write(place, content)
        except OSError as error:
            raise UserError(f"data.cache={printable(self.folder)}: cannot be written ({reason(error)})") from error

    def _packed(self, image: Image.Image) -> bytes:
        scale = self.resize / min(image.size)
        width, height = (max(self.resize, round(length * scale)) for length in image.size)
        out = io.BytesIO()
        image.resize((width, height), Image.Resampling.BILINEAR).save(out, "JPEG", quality=QUALITY)
        return out.getvalue()


def _opened(place: Path) -> Any:
    from safetensors import safe_open

    return safe_open(place, "pt")


def _even(times: list[float | None]) -> None:
    """Refuses no frames at all, and times of which too many steps differ.

    Files tell times of frames in the order in which they are stored, so only their steps once sorted say anything.

    Raises: UnusableError: so they are.
    """
    if not times:
        raise UnusableError("no frames")
    told = np.sort([time for time in times if time is not None])
    if len(told) < 3:
        return
    steps = np.diff(told)
    usual = np.median(steps)
    # Files round times, some to a millisecond: 33, 33, 34. What varies leaves frames out, or shows one for longer.
    share = float(np.mean(np.abs(steps - usual) > usual / 4))
    if share > UNEVEN:
        raise UnusableError(f"variable frame rate ({100 * share:.0f} % of steps differ)")
