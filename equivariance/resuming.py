"""Training that goes on where it was killed: a checkpoint an epoch in the run's directory, until the run is done.

Where a run's directory is, the job that computes it says by `resumable`; no experiment needs to know.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sweeps.records import write
from sweeps.terminal import complain

if TYPE_CHECKING:
    from equivariance.train import Recipe, Row

FILE = "training.pt"
DIGEST = 32  # bytes before the content, of which they are the SHA-256
_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


@contextmanager
def resumable(folder: Path, anew: bool = False) -> Iterator[None]:
    """Training in this block leaves its checkpoints in a run's directory, whose name is the run's identity.

    Args:
        folder: the directory; the checkpoint goes when the block ends well.
        anew: an earlier checkpoint is not used.
    """
    if anew:
        (folder / FILE).unlink(missing_ok=True)
    with following(folder):
        yield
    (folder / FILE).unlink(missing_ok=True)


@contextmanager
def following(folder: Path) -> Iterator[None]:
    """The same for a process that helps another one, whose checkpoint it is."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def checkpoint() -> Checkpoint | None:
    """That of the run that is computed; None: nobody said where it is."""
    folder = _FOLDER.get()
    return Checkpoint(folder / FILE) if folder else None


@dataclass(frozen=True)
class Checkpoint:
    """Model, optimiser, stopping rule, history and random numbers after an epoch, in one file.

    Args:
        path: of the file, in the run's directory.
    """

    path: Path

    def save(self, model: nn.Module, recipe: Recipe, rows: list[Row], ended: bool) -> None:
        """Replaces the file as a whole.

        Args:
            model: as it is after an epoch.
            recipe: its optimiser and rule have a state.
            rows: one an epoch.
            ended: whether the rule wants no further epoch.
        Raises: OSError: a full disk, say; the earlier file stays.
        """
        state = {
            "identity": self.path.parent.name,
            "model": model.state_dict(),
            "optimiser": recipe.optimiser.state_dict(),
            "rule": vars(recipe.rule),
            "rows": rows,
            "ended": ended,
            "random": torch.get_rng_state(),
            "random_gpu": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        }
        file = io.BytesIO()
        torch.save(state, file)
        content = file.getvalue()
        write(self.path, hashlib.sha256(content).digest() + content)

    def restore(self, model: nn.Module, recipe: Recipe) -> tuple[list[Row], bool]:
        """Puts all back as it was; rows and `ended` as saved, or none and False where there is nothing to go on with.

        A file that is torn, or another run's, is left aside, which a line says.
        """
        try:
            state = self._read(model)
            if state is None:
                return [], False
            recipe.optimiser.load_state_dict(state["optimiser"])
        except (ValueError, KeyError, OSError) as error:
            complain(f"{self.path}: no checkpoint of this run ({error}); training begins anew")
            return [], False
        model.load_state_dict(state["model"])
        vars(recipe.rule).update(state["rule"])
        for _ in state["rows"]:  # the order of the examples goes on from there
            recipe.order()
        torch.set_rng_state(state["random"])
        if len(state["random_gpu"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state["random_gpu"])
        return state["rows"], state["ended"]

    def _read(self, model: nn.Module) -> dict[str, Any] | None:
        """The content; None: there is no file. Raises: ValueError: it is not this run's, or broken."""
        try:
            whole = self.path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(whole[DIGEST:]).digest() != whole[:DIGEST]:
            raise ValueError("it is torn")
        state = torch.load(io.BytesIO(whole[DIGEST:]), map_location="cpu", weights_only=True)
        if state["identity"] != self.path.parent.name:
            raise ValueError(f"it is that of {state['identity']}")
        if {k: v.shape for k, v in state["model"].items()} != {k: v.shape for k, v in model.state_dict().items()}:
            raise ValueError("it is of another network")
        return state
