"""Looks at each call on the tensors that a network computes with."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from equivariance.ops.call import maps_among
from equivariance.ops.map import QUESTIONS
from equivariance.reach import Reach


class Watching(TorchFunctionMode):
    """Is given each call of a network to make, also those within maps of another reader, as `with_conv` has them."""

    def see(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The result of a call."""
        raise NotImplementedError

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        around = next((m for m in maps_among((*args, *kwargs.values())) if not isinstance(m, Reach)), None)
        if around is None:
            return self.see(func, args, kwargs)
        if func in QUESTIONS or not torch._C._is_torch_function_enabled():
            return func(*args, **kwargs)
        with self:  # what it makes of the call comes here again, on the tensors within
            return type(around).__torch_function__(func, types, args, kwargs)
