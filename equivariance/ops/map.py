"""The tensor that a network runs on when it is read: a feature map that stands for a tensor it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, NoReturn, TypeVar
from weakref import ReferenceType, ref

import torch
from torch import Tensor
from torch._C import DisableTorchFunctionSubclass

from equivariance.ops import descriptions as d
from equivariance.ops.layout import Layout

Meaning = TypeVar("Meaning", bound=Callable[..., Any])

FOREIGN = "a torch.autograd.Function, such as a reentrant checkpoint,"

_PROPERTIES = (
    "shape dtype device ndim layout is_cuda is_cpu is_meta is_mkldnn is_mps is_sparse is_quantized is_nested itemsize"
)
# What the wrapper itself knows.
QUESTIONS: set[Callable[..., Any]] = {
    *(getattr(Tensor, name).__get__ for name in _PROPERTIES.split() if hasattr(Tensor, name)),
    *(Tensor.size, Tensor.dim, Tensor.numel, Tensor.nelement, Tensor.ndimension, Tensor.__len__, Tensor.get_device),
    *(Tensor.is_floating_point, Tensor.is_complex, torch.is_floating_point, torch.is_complex, torch.numel),
}


class Map(Tensor):
    """Shape, dtype and device of what is stood for; every call goes to its meaning or is refused.

    A reader of networks is a subclass that registers a function for each description that `means` something to it: the
    function is given the description and the maps. A description without one is refused.

    Attributes:
        form: how the map lies in the tensor that this stands for.
        refusal: makes the error of a call that has no meaning for this reader, from the call in words and the reason.
    """

    form: Layout
    refusal: Callable[[str, str | None], Exception]
    meanings: ClassVar[dict[type, Callable[..., Any]]]
    _kin: list[ReferenceType[Map]]  # maps whose tensors would share memory with this one's

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.meanings = {}

    @classmethod
    def means(cls, kind: type) -> Callable[[Meaning], Meaning]:
        """Registers what a description means to this reader."""

        def register(meaning: Meaning) -> Meaning:
            cls.meanings[kind] = meaning
            return meaning

        return register

    @classmethod
    def wrap(cls: Any, size: Sequence[int], like: Tensor, parts: Sequence[Tensor]) -> Any:
        """The bare wrapper of `size`, with the dtype and device of `like`; tracked where any part is."""
        tracked = torch.is_grad_enabled() and any(part.requires_grad for part in parts)
        self = Tensor._make_wrapper_subclass(cls, size, dtype=like.dtype, device=like.device, requires_grad=tracked)
        self._kin = [ref(self)]
        return self

    def guard(self) -> None:
        """Has gradients refused that arrive at the wrapper; to be called once it has its parts.

        Gradients belong to the parts: a Function that takes the wrapper for an ordinary tensor sends them here, and
        the parts would go without.
        """
        with DisableTorchFunctionSubclass():
            if Tensor.requires_grad.__get__(self):  # type: ignore[attr-defined]
                self.register_hook(partial(_refuse_gradient, self.refusal))

    # -- what a reader says

    def parts(self) -> list[Tensor]:
        """The tensors behind it."""
        return []

    def asked(self) -> Tensor:
        """What answers questions of shape and type: itself, if it never changes them."""
        return self

    def fits(self, other: Any) -> bool:
        """Whether an in-place call may give this map the content of another."""
        return bool(other.shape == self.shape)

    def adopt(self, other: Any) -> None:
        """Takes over another map's content."""
        raise NotImplementedError

    def written(self, target: Tensor, result: Any) -> Tensor:
        """An ordinary tensor after a result of this reader was written into it."""
        raise d.Unknown(None, "it would change an ordinary tensor")

    # -- what is the same for all of them

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"{type(self).__name__}({list(self.shape)})"

    @property
    def requires_grad(self) -> bool:
        """Whether any part does."""
        return any(part.requires_grad for part in self.parts())

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        raise self.refusal("setting requires_grad", None)

    @property
    def axes_of_space(self) -> int:
        """How many axes of space there are."""
        return len(self.form.space)

    @property
    def images(self) -> int:
        """How many images the batch holds."""
        return int(self.shape[self.form.batch])

    @property
    def sides(self) -> tuple[int, ...]:
        """Entries of the map along each axis of space."""
        shape = self.shape
        return tuple(shape[dim] for dim in self.form.space)

    def become(self, other: Any) -> Map:
        """Takes over another map's content: what an in-place call does.

        Raises:
            Exception: the reader's refusal, where another map in use shares memory and had to change too.
            ValueError: the content has another shape, or a type that this one does not take.
        """
        if not self.fits(other):
            raise ValueError(f"an in-place op would turn {list(self.shape)} into {list(other.shape)}")
        if not torch.can_cast(other.dtype, self.dtype):
            raise ValueError(f"an in-place op would turn {self.dtype} into {other.dtype}")
        if any(found is not None and found is not self for found in (relative() for relative in self._kin)):
            raise self.refusal("an in-place op on a map that shares memory with another one in use", None)
        self.adopt(other)
        return self

    def viewed_as(self, view: Any) -> Any:
        """Notes that the tensor behind `view` may be a view of this one's; returns the view."""
        if isinstance(view, Map) and view is not self and view.dtype == self.dtype:  # a cast made a copy
            self._kin[:] = [relative for relative in self._kin if relative() is not None]
            self._kin.append(ref(view))
            view._kin = self._kin
        return view

    def refuse_foreign(self) -> None:
        """Raises the reader's refusal where a Function made this: it would get no gradient through."""
        with DisableTorchFunctionSubclass():
            foreign = self.grad_fn is not None
        if foreign:
            _refuse_gradient(self.refusal)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Describes the call and gives it its meaning."""
        kwargs = kwargs or {}
        if func in QUESTIONS:
            given = dict(kwargs)
            first = args[0] if args else given.pop("input")
            if first.asked() is not first:
                return func(first.asked(), *args[1:], **given)
            with DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        from equivariance.ops.call import describe, maps_among  # here: questions are ten times as many as calls

        maps = maps_among((*args, *kwargs.values()))
        if torch.is_grad_enabled():
            for each in maps:
                each.refuse_foreign()
        try:
            return _interpret(describe(func, args, kwargs, maps))
        except d.Unknown as unknown:
            raise maps[0].refusal(unknown.what or "", unknown.reason) from None

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Reached by what goes around `__torch_function__`, such as TorchScript."""
        found = next(a for a in _flat(args) if isinstance(a, Map))
        raise found.refusal(f"{func} from outside Python", None)


def _refuse_gradient(refusal: Callable[[str, str | None], Exception], _: Tensor | None = None) -> NoReturn:
    raise refusal(FOREIGN, None)


def _interpret(call: d.Call) -> Any:
    """The result of a call, by what its description means to the reader."""
    if isinstance(call.description, d.Answer):
        return call.description.value
    first = call.maps[0]
    if any(type(each) is not type(first) for each in call.maps):
        raise d.Unknown(f"{call.name} of maps of different kinds")
    meaning = type(first).meanings.get(type(call.description))
    if meaning is None:
        raise d.Unknown(call.name)
    try:
        result = meaning(call.description, *call.maps)
    except d.Unknown as unknown:
        raise d.Unknown(unknown.what or call.name, unknown.reason) from None
    if call.into is not None:
        return first.written(call.into, result)
    if call.in_place:
        return first.become(result)
    if call.alias:
        for view in result if isinstance(result, tuple) else (result,):
            first.viewed_as(view)
    return call.named(result) if call.named else result


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value
