"""A network of one's own, and where its feature map is: what its last global pool takes, or a named module's output.

Calls of torch functions are counted on a blank image; on any other image, or another reader's map, in training too,
the network runs up to the same call. So whatever a forward method writes out after its last module (a ReLU, a sum)
takes part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from equivariance.errors import UserError, reason
from sweeps.registry import look_here

# Side in pixels of a blank image on which a map is looked for: large enough that strides leave more than a pixel.
SIDE = 256
CONVOLUTIONS = (torch.conv2d, nn.functional.conv2d)


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
    except (ImportError, AttributeError, SyntaxError, SystemExit) as error:
        raise UserError(f"arch.name={name}: cannot be imported ({reason(error)})") from error
    except TypeError as error:
        raise UserError(f"arch.name={name} arch.kwargs={kwargs}: {reason(error)}") from error
    if not isinstance(found, nn.Module):
        raise UserError(f"arch.name={name}: gives a {type(found).__name__}; allowed: an nn.Module")
    return found


def feature_map(network: nn.Module, name: str, module: str | None, blank: Tensor) -> Callable[[Tensor], Tensor]:
    """The part of a network up to its last feature map.

    Args:
        network: maps images [N, C, H, W] to anything.
        name: its name in the config.
        module: dotted name of the module whose output (the last, where it is called more than once) is the map; None:
            what the last global pool takes, or the output itself where that is a map.
        blank: an image of SIDE pixels a side, on which the map is looked for.
    Raises: UserError: no such module, or no map.
    """
    if module is not None:
        return _named(network, module, blank)
    calls = _Calls()
    try:
        with torch.no_grad(), calls:
            out = network(blank)
    except Exception as error:  # other people's code: it may fail in any way
        raise UserError(
            f"{name}: fails on a blank image of {SIDE} pixels ({reason(error)});"
            " allowed: arch.features=MODULE, whose output is the feature map"
        ) from error
    if isinstance(out, Tensor) and _is_map(out):
        return network
    if calls.last is None:
        raise UserError(
            f"{name}: no map is pooled over all of space; allowed: arch.features=MODULE, whose output is one"
        )
    call = calls.last
    return lambda images: _stopped(_Calls(call), network, images)


def _named(network: nn.Module, name: str, blank: Tensor) -> Callable[[Tensor], Tensor]:
    parts = dict(network.named_modules())
    if name not in parts:
        raise UserError(f"arch.features={name}: no such module; allowed: {', '.join(list(parts)[1:13])} …")
    called = 0

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal called
        called += 1

    hook = parts[name].register_forward_hook(count)
    try:
        with torch.no_grad():
            network(blank)
    except Exception:  # a classifier for images of one size, say; what precedes it has been counted
        called = max(called, 1)
    finally:
        hook.remove()
    if not called:
        raise UserError(f"arch.features={name}: this module takes no part in the network's output")
    return lambda images: _until(parts[name], called, network, images)


def _until(module: nn.Module, call: int, network: nn.Module, images: Tensor) -> Tensor:
    called = 0

    def stop(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal called
        called += 1
        if called == call:
            raise _Found(output)

    hook = module.register_forward_hook(stop)
    try:
        network(images)
    except _Found as found:
        return found.features
    finally:
        hook.remove()
    raise UserError("arch.features: the network takes another way on this image than on a blank one")


def _stopped(calls: _Calls, network: nn.Module, images: Tensor) -> Tensor:
    try:
        with calls:
            network(images)
    except _Found as found:
        return found.features
    raise UserError("the network takes another way on this image than on a blank one; allowed: arch.features=MODULE")


class _Calls(TorchFunctionMode):
    """Counts calls of torch functions that take a map, each function's own: in training, others come in between.

    Args:
        stop: the function and the number of its call before which the map that it takes is carried out; None: all are
            run, and `last` is the last that makes of a map what is none.
    """

    def __init__(self, stop: tuple[Any, int] | None = None) -> None:
        super().__init__()
        self.stop, self.count = stop, Counter[Any]()
        self.last: tuple[Any, int] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the call, or ends the network before it."""
        maps = [a for a in (*args, *(kwargs or {}).values()) if isinstance(a, Tensor) and a.dim() == 4]
        self.count[func] += bool(maps)
        call = (func, self.count[func])
        if maps and call == self.stop:
            raise _Found(maps[0])
        out = func(*args, **(kwargs or {}))
        made = out[0] if isinstance(out, tuple) and out else out  # values and their indices, of a maximum
        taken = next(filter(_is_map, maps), None)
        if taken is not None and isinstance(made, Tensor) and not _is_map(made):
            unrolled = made.dim() == 2 and made.numel() == taken.numel()
            # Each place then has weights of its own.
            self.last = None if unrolled or func in CONVOLUTIONS else call
        return out


def _is_map(tensor: Tensor) -> bool:
    return tensor.dim() == 4 and tensor.shape[2] * tensor.shape[3] > 1
