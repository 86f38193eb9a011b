"""Integer geometry against brute force over explicit rows."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from equivariance.canvas import axes
from equivariance.canvas.axes import BEYOND, OUTSIDE
from equivariance.ops import Kernel

AXES = st.lists(st.integers(1, 12), min_size=1, max_size=5).map(tuple)
KERNELS = st.builds(
    Kernel,
    size=st.integers(1, 4),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    before=st.integers(0, 20),
    after=st.integers(0, 20),
    ceil=st.booleans(),
)


def sights(axis, kernel):
    """The labels under each tap, output by output."""
    row = [OUTSIDE] * kernel.before + axes.runs(axis).tolist() + [OUTSIDE] * kernel.after
    row += [BEYOND] * axes.ceil_extra(sum(axis), kernel)
    starts = range(0, len(row) - kernel.span + 1, kernel.stride)
    return [tuple(row[s + kernel.dilation * t] for t in range(kernel.size)) for s in starts]


@given(AXES, KERNELS)
def test_slide_shows_every_output_once_and_in_order(axis, kernel):
    wanted = sights(axis, kernel)
    assert max(axes.output_count(sum(axis), kernel), 0) == len(wanted)
    if not wanted:
        return
    slid = axes.slide(axis, kernel)
    taps = slid.gather[
        np.arange(0, len(slid.gather) - kernel.span + 1, kernel.stride)[:, None]
        + kernel.dilation * np.arange(kernel.size)
    ]
    unrolled = [tuple(taps[keep]) for keep, times in zip(slid.keep, slid.axis, strict=True) for _ in range(times)]
    assert unrolled == wanted
    assert [wanted[i] for i in slid.first] == [tuple(taps[keep]) for keep in slid.keep]


def test_a_slid_axis_does_not_grow_with_its_length():
    kernel = Kernel(7, 2, 1, 3, 3)
    short, long = axes.slide((200,), kernel), axes.slide((200_000,), kernel)
    assert len(short.axis) == len(long.axis)
    assert len(short.gather) == len(long.gather)


@given(AXES, KERNELS, st.data())
def test_no_output_is_missed_that_sees_the_stretch(axis, kernel, data):
    length = sum(axis)
    outputs = axes.output_count(length, kernel)
    if outputs < 1:
        return
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    seen = axes.affected(start, stop, length, kernel)
    taps = np.arange(outputs)[:, None] * kernel.stride - kernel.before + kernel.dilation * np.arange(kernel.size)
    seeing = np.flatnonzero(((taps >= start) & (taps < stop)).any(1))
    assert 0 <= seen.lo < seen.hi <= outputs
    assert all(seen.lo <= o < seen.hi for o in seeing)
    assert seen.first == taps[seen.lo].min()
    assert seen.last == taps[seen.hi - 1].max() + 1


@given(AXES, st.data())
def test_labels_and_cover_and_reindex(axis, data):
    length, row = sum(axis), axes.runs(axis)
    start = data.draw(st.integers(-5, length + 5))
    stop = data.draw(st.integers(start, length + 9))
    wanted = [int(row[i]) if 0 <= i < length else OUTSIDE for i in range(start, stop)]
    assert axes.labels(axis, start, stop).tolist() == wanted
    inside = row[max(start, 0) : max(stop, 0)]
    assert axes.cover(axis, max(start, 0), max(stop, 0)).tolist() == [
        int((inside == i).sum()) for i in range(len(axis))
    ]
    source = np.array(data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=20)))
    kept, lengths = axes.reindex(axis, source)
    assert np.repeat(kept, lengths).tolist() == row[source].tolist()


@given(AXES, st.data())
def test_refine_is_common_to_all(axis, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, sum(axis)))) | {sum(axis)})
    other = tuple(np.diff([0, *cuts]).tolist())
    common, (mine, others) = axes.refine((axis, other))
    assert np.repeat(mine, common).tolist() == axes.runs(axis).tolist()
    assert np.repeat(others, common).tolist() == axes.runs(other).tolist()


@given(st.integers(3, 40), st.integers(1, 4), st.integers(1, 5), st.booleans(), st.booleans())
def test_ceil_mode_and_divisors_are_those_of_pytorch(length, size, stride, ceil, include):
    padding = size // 2
    kernel = Kernel(size, stride, 1, padding, padding, ceil)
    x = torch.rand(1, 1, 1, length, dtype=torch.float64)
    wanted = F.avg_pool2d(x, (1, size), (1, stride), (0, padding), ceil, include).flatten()
    assert len(wanted) == axes.output_count(length, kernel)
    row = F.pad(x, (padding, padding + axes.ceil_extra(length, kernel))).flatten()
    sums = torch.stack([row[i * stride : i * stride + size].sum() for i in range(len(wanted))])
    assert torch.allclose(sums / torch.tensor(axes.taps(length, kernel, include)), wanted, atol=1e-14)
