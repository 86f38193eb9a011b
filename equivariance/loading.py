"""Labelled pictures on their way to a network: drawn and read ahead by threads, moved to its device."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from equivariance.train import Examples

# Batches that are read ahead, for each thread.
AHEAD = 2


@dataclass(frozen=True)
class Loaded(Examples):
    """Examples whose inputs depend on the epoch, and may be made while the network computes.

    Threads, not processes: decoding runs outside Python's lock, and a sweep's workers may start no processes.

    Args:
        drawn: makes of indices int64 [b] and an epoch what the model takes, on the CPU; asked by several threads.
        device: where the model is.
        workers: threads; 0: none.
    """

    drawn: Callable[[Tensor, int], Tensor]
    device: torch.device
    workers: int

    def batches(self, chunks: Sequence[Tensor], epoch: int = 0) -> Iterator[Any]:
        """As of all examples, in order, whatever the number of threads."""
        made = ahead(chunks, lambda chunk: self.drawn(chunk.cpu(), epoch), self.workers)
        return (inputs.to(self.device, non_blocking=True) for inputs in made)


def loaded(labels: Tensor, drawn: Callable[[Tensor, int], Tensor], device: torch.device, workers: int) -> Loaded:
    """Examples of labels int64 [n] for a model on a device; see `Loaded`."""
    return Loaded(labels.to(device), lambda chosen: drawn(chosen.cpu(), 0).to(device), drawn, device, workers)


def ahead(items: Sequence[Any], make: Callable[[Any], Any], threads: int) -> Iterator[Any]:
    """What is made of each item, in order, some of it before it is asked for.

    Args:
        items: in order.
        make: of one of them; what it raises is raised when its turn comes.
        threads: 0: none, and nothing ahead.
    """
    if not threads:
        yield from map(make, items)
        return
    left, waiting = iter(items), deque[Future[Any]]()
    pool = ThreadPoolExecutor(threads)
    try:
        waiting.extend(pool.submit(make, item) for item in islice(left, AHEAD * threads))
        while waiting:
            found = waiting.popleft().result()
            waiting.extend(pool.submit(make, item) for item in islice(left, 1))
            yield found
    finally:
        pool.shutdown(cancel_futures=True)
