"""Batches of work on several devices at once, each with a copy of the model; results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from queue import Queue
from typing import Any

import torch

from equivariance.errors import UserError, reason
from equivariance.tiles.output import Selected


def spread(
    network: Selected, devices: list[torch.device], batches: Iterable[tuple[Any, ...]], task: Callable[..., Any]
) -> Iterator[Any]:
    """Results of a task for each batch.

    Args:
        network: its model is copied to each device but its own.
        devices: where, one or more.
        batches: arguments of the task; read as it goes, one batch ahead.
        task: given a network, its device and a batch.
    Raises: what the task raises, for the first batch for which it does.
    """
    free: Queue[tuple[Selected, torch.device]] = Queue()
    home = next((p.device for p in network.parameters()), torch.device("cpu"))
    for device in devices:
        free.put((network if device == home else _copied(network, device), device))

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


def devices(named: Sequence[str | torch.device]) -> list[torch.device]:
    """Devices by name.

    Raises: UserError: torch knows none of a name.
    """
    try:
        found = [torch.device(device) for device in named]
        if any(device.type == "meta" for device in found):
            raise RuntimeError("meta has no values")
        return found
    except (RuntimeError, TypeError) as error:
        raise UserError(f"devices={named}: {reason(error)}") from None


def _copied(network: Selected, device: torch.device) -> Selected:
    """Raises UserError where the device is not to be had."""
    try:
        return Selected(deepcopy(network.model).to(device), network.output)
    except (AssertionError, RuntimeError) as error:
        raise UserError(f"devices: {device}: {reason(error)}") from error
