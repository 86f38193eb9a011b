"""What a canvas cannot do exactly it refuses, in one line that names op, module and way out."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from equivariance.canvas import CanvasUnsupported, place

from .oracle import scene

UNLISTED = {
    "instance_norm": lambda x: F.instance_norm(x, torch.zeros(3), torch.ones(3)),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, torch.ones(3, 2, 2, 2)),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "softmax": lambda x: F.softmax(x, 2),
    "fft_fft2": torch.fft.fft2,
    "matmul": lambda x: x @ torch.ones(120, 3),
    "view": lambda x: x.view(2, -1),
    "transpose": lambda x: x.transpose(2, 3),
    "permute": lambda x: x.permute(0, 3, 2, 1),
    "unfold": lambda x: F.unfold(x, 3),
    "cumsum": lambda x: x.cumsum(2),
    "mean": lambda x: x.mean(2),
    "sum": lambda x: x.sum((0, 2, 3)),
    "amax": lambda x: x.amax((1, 2)),
    "max": lambda x: x.max(),
    "var": lambda x: x.var(3),
    "norm": lambda x: x.norm(p=1, dim=(2, 3)),
    "scaled_dot_product_attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "flip": lambda x: x.flip(1, 2),
    "roll": lambda x: x.roll(3),
    "index_select": lambda x: x.index_select(3, torch.tensor([1])),
    "unbind": lambda x: x.unbind(0),
    "bernoulli": torch.bernoulli,
    "rrelu": lambda x: F.rrelu(x, training=True),
    "cat": lambda x: torch.cat([x, x], 2),
    "dropout": lambda x: F.dropout(x, 0.5, True),
    "max_pool2d": lambda x: F.max_pool2d(x, 2, return_indices=True),
    "mul": lambda x: x * torch.rand(2, 3, 1, 1),
    "add": lambda x: x + torch.rand(1, 4, 3, 1, 1),
    "sub": lambda x: x - x[:, :, :1, :1],
    "indexing": lambda x: x[0],
    "padding": lambda x: F.pad(x, (1, 0, 0, 0, 1, 1)),
    "layer_norm": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (120, 3)),
    "conv2d": lambda x: F.conv2d(torch.rand(1, 1, 9, 9), x),
    "out=": lambda x: torch.add(x, 1, out=torch.empty(4, 3, 120, 120)),
    "with out": lambda x: torch.add(torch.ones(4, 3, 120, 120), 1, out=x),
    "torch.autograd.Function": lambda x: Cube.apply(F.conv2d(x, torch.ones(3, 3, 1, 1, requires_grad=True))) + 1,
    "reentrant checkpoint": lambda x: checkpoint(
        nn.Conv2d(3, 3, 1), F.conv2d(x, torch.ones(3, 3, 1, 1, requires_grad=True)), use_reentrant=True
    ).dense(),
    "different batches": lambda x: x + scene(0, n=1, dtype=torch.float32).canvas(),
}


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        return grad


class Open(Cube):
    @staticmethod
    def forward(ctx, x):
        return (x * x).dense()


class Leaf(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


@pytest.mark.parametrize("op", UNLISTED)
def test_refusal_names_op_module_and_way_out(op):
    network = nn.Sequential(nn.ReLU(), nn.Sequential(Leaf(UNLISTED[op])))
    with pytest.raises(CanvasUnsupported) as refused:
        network(scene(dtype=torch.float32).canvas())
    for part in (op, "1.0 (Leaf)", "canvas.dense()"):
        assert part in str(refused.value)


def test_gradients_that_would_get_lost_in_a_function_are_refused():
    x = F.conv2d(scene(dtype=torch.float32).canvas(), torch.ones(3, 3, 1, 1, requires_grad=True))
    with pytest.raises(CanvasUnsupported, match=r"torch\.autograd\.Function"):
        Open.apply(x).sum().backward()


def test_functions_are_fine_where_nothing_learns():
    x = scene(dtype=torch.float32)
    assert torch.equal(Cube.apply(x.canvas()).dense(), x.painted() ** 3)


def test_an_op_outside_of_any_module_says_so():
    with pytest.raises(CanvasUnsupported, match="no module"):
        torch.cumsum(scene().canvas(), 2)


def test_writing_into_a_slice_is_refused_while_its_source_lives():
    canvas = scene().canvas()
    part = canvas[:, :, 1:]
    for each in (canvas, part):
        with pytest.raises(CanvasUnsupported, match="shares memory"):
            each.relu_()


def test_writing_into_a_slice_whose_source_is_gone_works():
    part = scene().canvas()[:, :, 1:]
    assert part.relu_() is part
    assert torch.equal(part.dense(), scene().painted()[:, :, 1:].relu())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corners": [(0, 0)] * 3}, "no multiple"),
        ({"corners": torch.zeros(0, 2, dtype=torch.int64)}, "no multiple"),
        ({"corners": [(0, 65), (0, 0)]}, "leaves the canvas"),
        ({"corners": [(-1, 0), (0, 0)]}, "leaves the canvas"),
        ({"background": (0.0,)}, "3 channels"),
        ({"pictures": torch.rand(3, 56, 56)}, "not \\[3, 56, 56\\]"),
    ],
)
def test_place_says_what_is_wrong(change, message):
    right = {"pictures": torch.rand(2, 3, 56, 56), "size": 120, "corners": [(0, 0)] * 2, "background": (0.0,) * 3}
    with pytest.raises(ValueError, match=message):
        place(**(right | change))


@pytest.mark.parametrize(
    "op",
    [
        lambda x: F.conv2d(x, torch.ones(1, 3, 200, 1)),
        lambda x: F.conv2d(x, torch.ones(1, 3, 3, 3), stride=2, padding="same"),
        lambda x: F.max_pool2d(x, 2, 2, 2),
        lambda x: F.pad(x, (120, 0, 0, 0), mode="reflect"),
        lambda x: x + x[:, :, 1:],
        lambda x: x[:, :, ::-1],
        lambda x: x.split([1, 1], 1),
        lambda x: F.pad(x, (1, 1), mode="circular"),
        lambda x: F.interpolate(x, scale_factor=(2,)),
        lambda x: (x[:, :1] * 1).add_(x),
    ],
)
def test_what_does_not_fit_raises_as_it_does_densely(op):
    x = scene(dtype=torch.float32)
    with pytest.raises((RuntimeError, ValueError, NotImplementedError)):
        op(x.painted())
    with pytest.raises((RuntimeError, ValueError)):
        op(x.canvas())


def test_cropping_everything_raises():
    with pytest.raises(CanvasUnsupported, match=r"without rows or columns.*canvas\.dense"):
        F.pad(scene().canvas(), (-60, -60, 0, 0))
