"""A network of one's own, and where its feature map is: what its last global pool takes, or a named module's output.

Calls of torch functions are counted on a blank image; on any other image, or another reader's map, the network runs up
to the same call. So whatever a forward method writes out after its last module (a ReLU, a sum) takes part.
"""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from equivariance.errors import UserError, reason
from sweeps.registry import look_here


class _Found(BaseException):
    """Carries the feature map out of a network; no `except Exception` of the network's own keeps it."""

    def __init__(self, features: Any) -> None:
        self.features = features


def network(name: str, kwargs: dict[str, Any]) -> nn.Module:
    """Calls `module:name`.

    Raises: UserError: it is not there, fails, or gives no nn.Module.
    """
    look_here()
    try:
        found = resolve_name(name)(**kwargs)
    except (ImportError, AttributeError) as error:
        raise UserError(f"arch.name={name}: cannot be imported ({reason(error)})") from error
    except TypeError as error:
        raise UserError(f"arch.name={name} arch.kwargs={kwargs}: {reason(error)}") from error
    if not isinstance(found, nn.Module):
        raise UserError(f"arch.name={name}: gives a {type(found).__name__}; allowed: an nn.Module")
    return found


def feature_map(network: nn.Module, module: str | None, probe: Tensor) -> Callable[[Tensor], Tensor]:
    """The part of a network up to its last feature map.

    Args:
        network: maps images [N, C, H, W] to anything.
        module: dotted name of the module whose output is the map; None: what the last global pool takes, or the output
            itself where that is a map.
        probe: a blank image.
    Raises: UserError: no such module, or no map.
    """
    if module is not None:
        parts = dict(network.named_modules())
        if module not in parts:
            raise UserError(f"arch.features={module}: no such module; allowed: {', '.join(list(parts)[1:13])} …")
        return lambda images: _until(parts[module], network, images)
    counter = _Calls()
    with torch.no_grad(), counter:
        out = network(probe)
    if isinstance(out, Tensor) and _is_map(out):
        return network
    if counter.last is None:
        raise UserError("no map is pooled over all of space; allowed: arch.features=MODULE, whose output is one")
    call = counter.last
    return lambda images: _stopped(_Calls(call), network, images)


def _until(module: nn.Module, network: nn.Module, images: Tensor) -> Tensor:
    def stop(module: nn.Module, inputs: Any, output: Any) -> None:
        raise _Found(output)

    hook = module.register_forward_hook(stop)
    try:
        network(images)
    except _Found as found:
        return found.features
    finally:
        hook.remove()
    raise UserError("arch.features: this module takes no part in the network's output")


def _stopped(calls: _Calls, network: nn.Module, images: Tensor) -> Tensor:
    try:
        with calls:
            network(images)
    except _Found as found:
        return found.features
    raise UserError("the network takes another way on this image than on a blank one; allowed: arch.features=MODULE")


class _Calls(TorchFunctionMode):
    """Counts calls of torch functions.

    Args:
        stop: number of the call before which the map that it takes is carried out; None: all are run, and `last` is
            the last that makes of a map what is none.
    """

    def __init__(self, stop: int | None = None) -> None:
        super().__init__()
        self.stop, self.count = stop, 0
        self.last: int | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the call, or ends the network before it."""
        self.count += 1
        maps = [a for a in args if isinstance(a, Tensor) and a.dim() == 4]
        if self.count == self.stop and maps:
            raise _Found(maps[0])
        out = func(*args, **(kwargs or {}))
        taken = next(filter(_is_map, maps), None)
        if taken is not None and isinstance(out, Tensor) and not _is_map(out):
            unrolled = out.dim() == 2 and out.numel() == taken.numel()  # each place has weights of its own
            self.last = None if unrolled else self.count
        return out


def _is_map(tensor: Tensor) -> bool:
    return tensor.dim() == 4 and tensor.shape[2] * tensor.shape[3] > 1
