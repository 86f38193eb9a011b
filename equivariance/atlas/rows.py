"""Rows of many networks: which are wanted, in which order, by several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, zip_longest
from multiprocessing import get_context
from pathlib import Path

import torch

from equivariance.atlas import gather
from equivariance.atlas.table import SECONDS, Rows, written
from equivariance.errors import UserError
from sweeps.terminal import track

Named = tuple[str, str, str]  # library, family, name
EVERY = 20  # networks after which the table is written


def add(
    known: Rows, out: Path, only: str = "", families: bool = False, seconds: float = SECONDS, workers: int = 1
) -> None:
    """Adds the networks that are not in the table yet; one of each family first, so that each is soon there.

    Args:
        known: the table; changed in place, and written every few networks and at the end, however it comes.
        out: where it is kept.
        only: part of the names that are wanted.
        families: whether one convolutional network of a family is enough.
        seconds: of one processor core that a network may take.
        workers: processes.
    Raises: UserError: a process was killed.
    """
    listed = [[(library, family, name) for name in names] for library, family, names in gather.families()]
    rounds = chain.from_iterable(zip_longest(*listed))
    wanted = [each for each in rounds if each and only in each[2] and (each[0], each[2]) not in known]
    there = {(row["library"], row["family"]) for row in known.values() if row["kind"] == gather.CONVOLUTIONAL}

    def enough(each: Named) -> bool:
        return families and each[:2] in there

    try:
        found = _alone(wanted, enough, seconds) if workers == 1 else _together(wanted, enough, seconds, workers)
        for number, row in enumerate(track(found, len(wanted), "networks"), 1):
            known[row.library, row.network] = gather.plain(row)
            if row.kind == gather.CONVOLUTIONAL:
                there.add((row.library, row.family))
            if number % EVERY == 0:
                written(known, out)
    except BrokenProcessPool as error:
        raise UserError(
            f"--workers {workers}: a process was killed, for memory perhaps; the same command goes on where it stopped,"
            " fewer take less"
        ) from error
    finally:
        written(known, out)


def _alone(wanted: Iterable[Named], enough: Callable[[Named], bool], seconds: float) -> Iterator[gather.Row]:
    for each in wanted:
        if not enough(each):
            yield gather.row(*each, seconds)


def _together(
    wanted: Iterable[Named], enough: Callable[[Named], bool], seconds: float, workers: int
) -> Iterator[gather.Row]:
    """In the order in which they are done."""
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        running: set[Future[gather.Row]] = set()
        for each in wanted:
            if enough(each):
                continue
            running.add(pool.submit(gather.row, *each, seconds))
            if len(running) > workers:  # one waits for each that is done, and no more: of a family one may be enough
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        yield from (one.result() for one in running)
