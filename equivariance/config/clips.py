"""The sections of data sets of videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config.base import Kinds, Section, Seed, Share

Count = Annotated[int, Field(ge=8, le=100_000)]  # videos of a split
Side = Annotated[int, Field(ge=8, le=512)]  # pixels
Scale = Annotated[float, Field(gt=0, le=1)]  # of a crop, as a share of the shorter side


class Films(Section):
    """What all of them have."""

    name: str
    root: str | None  # folder of the data set
    frames: Annotated[int, Field(ge=2, le=256)]  # of a clip
    side: Side  # of a clip
    scales: Annotated[list[Scale], Field(min_length=1)]  # of training crops, one at random
    flip: bool  # training clips mirrored left-right, half of them
    clips: Annotated[int, Field(ge=1, le=1000)]  # of a video, at most, where it is not trained on
    seed: Seed

    @property
    def length(self) -> int:
        """Frames of a clip, with what lies around what is shown."""
        return self.frames


class Moving(Films):
    """Patches of photographs that move over others."""

    name: Literal["moving"]
    root: None
    flip: Literal[False]  # mirrored left is right
    clips: Literal[1]
    train: Count
    validation: Count
    test: Count
    patch: Annotated[int, Field(ge=2, le=512)]  # pixels a side, before it is zoomed
    placement: Literal["centre", "random", "biased"]
    event: Literal["whole", "early", "late", "class"]  # when the patch moves; class: in blank time, early or late
    border: Annotated[int, Field(ge=0, le=4096)]  # frames of blank before and after, of event=class

    @model_validator(mode="after")
    def _fits(self) -> Moving:
        if self.patch > self.side:
            raise ValueError(f"data.patch={self.patch}: allowed: up to data.side={self.side}")
        if self.border and self.event != "class":
            raise ValueError(f"data.border={self.border}: allowed: 0 with data.event={self.event}, more with class")
        if self.event == "class":
            self._pairs()
        return self

    def _pairs(self) -> None:
        """Each event is early in one video and late in the next."""
        if self.placement == "biased":
            raise ValueError("data.placement=biased: allowed: centre | random with data.event=class")
        for split in ("train", "validation", "test"):
            if getattr(self, split) % 2:
                raise ValueError(f"data.{split}={getattr(self, split)}: allowed: even with data.event=class")

    @property
    def length(self) -> int:
        """Frames of a clip; of event=class as many blank ones as those of the event, and the border on both sides."""
        return 2 * (self.frames + self.border) if self.event == "class" else self.frames


class Videos(Films):
    """Videos in a folder of class folders."""

    name: Literal["clips"]
    decoder: Literal["pyav", "torchcodec"]  # decoders may pick other frames
    resize: Side  # shorter side of the frames that are kept
    validation: Annotated[Share, Field(gt=0)]  # of the videos that are not tested on, by whole groups
    cache: str | None  # folder of decoded frames; null: that of the user
    workers: Annotated[int, Field(ge=0, le=256)]  # threads that read frames while the network computes; 0: none

    @model_validator(mode="after")
    def _fits(self) -> Videos:
        if not self.root:
            raise ValueError(f"data.root=null: data={self.name} needs a folder; allowed: data.root=FOLDER")
        if self.resize < self.side:
            raise ValueError(f"data.resize={self.resize}: allowed: from data.side={self.side}")
        return self

    def files(self) -> list[Path]:
        """The videos and lists of splits, to be part of a run's identity.

        Raises: UserError: no such folder, or no videos in it.
        """
        from equivariance.data.clips import tree

        return tree.held(Path(str(self.root)))


class OwnVideos(Videos):
    """Videos without published splits."""

    test: Annotated[Share, Field(gt=0)]  # of all videos, by whole groups


class Published(Videos):
    """UCF101 or HMDB51, with their published splits."""

    name: Literal["ucf101", "hmdb51"]  # type: ignore[assignment]
    split: Literal[1, 2, 3]
    splits: Literal["disjoint", "shared"]  # shared: validation repeats the test videos, as released


def film_kinds() -> Kinds:
    """The section of the config of every data set of videos."""
    return {"moving": Moving, "clips": OwnVideos, "ucf101": Published, "hmdb51": Published}
