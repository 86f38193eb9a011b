"""A tensor subclass that stands for a tensor it does not hold: what both forms of canvas are."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .dispatch import GETTERS, dispatch, op_name
from .errors import CanvasUnsupported

FOREIGN = "a torch.autograd.Function, such as a reentrant checkpoint,"


class Wrapper(Tensor):
    """Shape, dtype and device of what is stood for; every function goes to its rule or is refused."""

    @classmethod
    def wrap(cls: Any, size: Sequence[int], parts: Sequence[Tensor]) -> Any:
        """The bare wrapper of `size`, like its parts; to be guarded once it has them."""
        tracked = torch.is_grad_enabled() and any(part.requires_grad for part in parts)
        first = parts[0]
        return Tensor._make_wrapper_subclass(cls, size, dtype=first.dtype, device=first.device, requires_grad=tracked)

    def guard(self) -> None:
        """Has gradients refused that arrive at the wrapper instead of its parts.

        A Function that takes it for an ordinary tensor sends them here, and the parts would go without.
        """
        with torch._C.DisableTorchFunctionSubclass():
            if Tensor.requires_grad.__get__(self):  # type: ignore[attr-defined]
                self.register_hook(_refuse_gradient)

    def parts(self) -> list[Tensor]:
        """The ordinary tensors behind it."""
        raise NotImplementedError

    @property
    def requires_grad(self) -> bool:  # type: ignore[override]
        """Whether any part does."""
        return any(part.requires_grad for part in self.parts())

    def refuse_foreign(self) -> None:
        """Raises CanvasUnsupported where a Function made this: it would get no gradient through."""
        with torch._C.DisableTorchFunctionSubclass():
            foreign = self.grad_fn is not None
        if foreign:
            raise CanvasUnsupported(FOREIGN)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in GETTERS:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if kwargs.get("out") is not None:
            raise CanvasUnsupported(f"{op_name(func)} with out=")
        for argument in args:
            for operand in argument if isinstance(argument, (list, tuple)) else (argument,):
                if isinstance(operand, Wrapper):
                    operand.refuse_foreign()
        return dispatch(func, cls)(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Reached by what goes around `__torch_function__`, such as TorchScript."""
        raise CanvasUnsupported(f"{func} from outside Python")


def _refuse_gradient(_: Tensor) -> None:
    raise CanvasUnsupported(FOREIGN)
