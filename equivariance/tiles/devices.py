"""Batches of work on several devices at once, each with a copy of the model; results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from queue import Queue
from typing import Any

import torch

from equivariance.tiles.output import Selected


def spread(
    network: Selected, devices: list[Any], batches: Iterable[tuple[Any, ...]], task: Callable[..., Any]
) -> Iterator[Any]:
    """Results of a task for each batch.

    Args:
        network: its model is copied to each device but its own.
        devices: where.
        batches: arguments of the task; read as it goes, one batch ahead.
        task: given a network, its device and a batch.
    Raises: what the task raises, for the first batch for which it does.
    """
    free: Queue[tuple[Selected, torch.device]] = Queue()
    home = next((p.device for p in network.parameters()), torch.device("cpu"))
    for device in map(torch.device, devices):
        here = network if device == home else Selected(deepcopy(network.model).to(device), network.output)
        free.put((here, device))

    def run(*batch: Any) -> Any:
        taken = free.get()
        try:
            return task(*taken, *batch)
        finally:
            free.put(taken)

    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(len(devices)) as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(run, *batch))
                if len(waiting) > len(devices):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
