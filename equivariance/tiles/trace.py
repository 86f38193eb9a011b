"""What a network's calls see of an image of some size: one run without values, and what was noted on the way."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from math import lcm
from typing import Any
from weakref import finalize

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.errors import UserError, reason
from equivariance.ops import calling_module
from equivariance.ops.call import maps_among, op_name
from equivariance.ops.pixels import is_pointwise
from equivariance.reach import Reach, Sight, Summary, Unseen, reach
from equivariance.tiles.arguments import at_the_end, bound, number, of_the_image, summaries
from equivariance.tiles.output import Selected
from equivariance.tiles.watching import Watching

Key = tuple[Any, int]  # a function and which of its calls
NORMS = (F.group_norm, F.instance_norm)
MEANS = ("mean", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")


@dataclass(frozen=True)
class Reason:
    """A layer that keeps tiles from being exact, and why.

    Args:
        layer: path and class.
        why: in words.
    """

    layer: str
    why: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.why}"


@dataclass(frozen=True)
class Statistic:
    """A call that takes statistics of all of a map.

    Args:
        key: the function and which of its calls.
        reason: its layer, and what it does.
        sights: what the units of the map see, one an axis.
        summable: whether sums over tiles give it.
    """

    key: Key
    reason: Reason
    sights: tuple[Sight, ...]
    summable: bool


@dataclass(frozen=True)
class Step:
    """What a call did.

    Args:
        call: its function and module, in words.
        sights: what the units of its result see, one an axis; none of what was made of a statistic alone.
        numbers: that a pointwise call was given beside maps and parameters.
    """

    call: str
    sights: tuple[Sight, ...]
    numbers: tuple[Any, ...] = ()


@dataclass
class Trace:
    """A run of a network on an image without values.

    Args:
        sides: of the image, in pixels.
        statistics: calls that depend on the whole image, in order; the network is traced as if they were known.
        reasons: layers that keep tiles from being exact in other ways.
        course: each call that gives a map, or something made of statistics.
        memory: bytes of all maps that are alive at once, at most, for one image; what kernels need besides not counted.
        sights: what the units of the output see, one an axis.
        channels: of the output.
    """

    sides: tuple[int, ...]
    statistics: list[Statistic] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    course: list[Step] = field(default_factory=list)
    memory: int = 0
    sights: tuple[Sight, ...] = ()
    channels: int = 0

    def grid(self) -> tuple[int, ...]:
        """Pixels along each axis after which all that the network computes repeats."""
        every = [self.sights, *(s.sights for s in self.statistics)]
        return tuple(lcm(*(sight.period for sight in axis)) for axis in zip(*every, strict=True))

    def digest(self) -> str:
        """Of all that was noted of the calls: what the network is, but for its weights."""
        return hashlib.sha256(repr((self.sides, self.course)).encode()).hexdigest()[:16]


class Unfollowed(Unseen):
    """A network cannot be followed to its end.

    Args:
        unseen: the operation that is not known.
        trace: what was noted before it.
    """

    def __init__(self, unseen: Unseen, trace: Trace) -> None:
        super().__init__(str(unseen).removesuffix("; no certificate for this network"))
        self.trace = trace

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All that keeps tiles from being exact, as far as it could be followed."""
        what, _, layer = str(self).removesuffix(")").rpartition(" (called in ")
        return (*self.trace.reasons, *(s.reason for s in self.trace.statistics), Reason(layer, what or str(self)))


def trace(network: Selected, sides: tuple[int, ...], channels: int) -> Trace:
    """What a network's calls see of an image of these sides.

    Args:
        network: the model and which output is the map.
        sides: pixels along each axis.
        channels: of the image.
    Raises: Unfollowed: an operation whose reach is not known. UserError: the model fails on such an image, or its
        output is no map [N, C, *space].
    """
    found = Trace(sides)
    with torch.no_grad(), _Watch(found):
        try:
            # Tiles have the image's edge with the units that padding repeats there: what those see is not asked.
            last = reach(network, *sides, channels=channels, edges=False)  # type: ignore[arg-type]
        except Unseen as unseen:
            raise Unfollowed(unseen, found) from None
        except UserError:
            raise
        except Exception as error:  # other people's code: it may fail in any way
            raise UserError(f"the model fails on images of {list(sides)} pixels: {reason(error)}") from error
    if not isinstance(last, Reach) or not last.form.is_plain:
        raise UserError(f"the model's output is no map [N, C, {', '.join('DHW'[-len(sides) :])}]")
    found.sights, found.channels = last.sights, last.form.channels[0]
    return found


class _Watch(Watching):
    """Notes what calls see, which take statistics, and what is alive."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace, self.count = trace, Counter[Any]()
        self._alive: dict[int, int] = {}

    def see(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The call, looked at."""
        self.count[func] += 1
        given = (*args, *kwargs.values())
        maps = [m for m in maps_among(given) if isinstance(m, Reach)]
        if not maps and not summaries(given):
            return func(*args, **kwargs)
        for each in maps:
            self._count(each)
        if maps and func in NORMS and of_the_image(func, args, kwargs):
            self._note(func, maps[0], "its statistics are those of the whole image", True)
            found: Any = maps[0].clone()
        else:
            found = func(*args, **kwargs)
        numbers = tuple(map(number, given)) if is_pointwise(func) else ()
        for part in found if isinstance(found, tuple) else (found,):
            self._count(part)
            if isinstance(part, Reach | Summary) and not at_the_end(func, maps, part):
                sights = part.sights if isinstance(part, Reach) else ()
                self.trace.course.append(Step(f"{op_name(func)} in {calling_module()}", sights, numbers))
                self._look(func, maps, summaries(given), part)
        self._forbidden(func, args, kwargs)
        return found

    def _look(self, func: Any, maps: list[Reach], given: list[Tensor], part: Reach | Summary) -> None:
        """Notes a statistic that comes in here."""
        alone = isinstance(part, Summary)
        if maps and not given and (alone or part.pools - frozenset().union(*(m.pools for m in maps))):
            plain = maps[0].form.is_plain and alone and part.numel() == maps[0].form.channels[0]
            self._note(func, maps[0], "it sees all of the image at once", op_name(func) in MEANS and plain)

    def _forbidden(self, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if func is F.batch_norm and bound(func, args, kwargs)["training"]:
            self._forbid(
                "batch norm in train mode: its statistics are those of the batch of tiles; allowed: model.eval()"
            )
        if func is F.interpolate and bound(func, args, kwargs)["align_corners"]:
            self._forbid("interpolate with align_corners=True: where it samples depends on the size of the image")
        if func is F.pad and bound(func, args, kwargs)["mode"] == "circular":
            self._forbid("circular padding joins opposite edges of the image")

    def _note(self, func: Any, map: Reach, why: str, summable: bool) -> None:
        key = (func, self.count[func])
        if not any(s.key == key for s in self.trace.statistics):
            self.trace.statistics.append(Statistic(key, Reason(calling_module(), why), map.sights, summable))

    def _forbid(self, why: str) -> None:
        found = Reason(calling_module(), why)
        if found not in self.trace.reasons:
            self.trace.reasons.append(found)

    def _count(self, tensor: Any) -> None:
        """Counts a tensor as long as it is alive."""
        if isinstance(tensor, Reach | Summary) and id(tensor) not in self._alive:
            self._alive[id(tensor)] = tensor.numel() * tensor.dtype.itemsize
            finalize(tensor, self._alive.pop, id(tensor), 0)
            self.trace.memory = max(self.trace.memory, sum(self._alive.values()))
