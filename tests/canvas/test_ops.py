"""Each op by itself against dense PyTorch, on a scene whose windows touch edges and lie in the open."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.canvas import Canvas

from .oracle import Scene, opened, relative_error

C = 4


def _scene(dtype=torch.float64, at=((0, 0), (11, 9), (30, 20))):
    pictures = torch.randn(2, C, 7, 6, dtype=dtype, generator=torch.Generator().manual_seed(0))
    corners = [corner for corner in at for _ in range(2)]
    return Scene(pictures, (37, 33), corners, torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=dtype))


def _weight(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


OPS = {
    "conv 3 same": lambda x: F.conv2d(x, _weight(5, C, 3, 3), _weight(5), padding="same"),
    "conv even same": lambda x: F.conv2d(x, _weight(5, C, 4, 2), padding="same", dilation=(1, 3)),
    "conv valid": lambda x: F.conv2d(x, _weight(5, C, 3, 1), padding="valid", stride=(2, 3)),
    "conv strided": lambda x: F.conv2d(x, _weight(5, C, 3, 3), None, 2, (1, 4), 2),
    "conv stride beyond kernel": lambda x: F.conv2d(x, _weight(5, C, 1, 1), None, 5),
    "conv grouped": lambda x: F.conv2d(x, _weight(8, 2, 3, 3), groups=2, padding=40),
    "full": lambda x: F.conv2d(F.pad(x, (2, 2, 2, 2)), _weight(5, C, 3, 3)),
    "max": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max ceil": lambda x: F.max_pool2d(x, (3, 2), 2, ceil_mode=True),
    "max dilated": lambda x: F.max_pool2d(x, 2, 3, 1, 3),
    "max whole": lambda x: F.max_pool2d(x, (37, 33)),
    "avg": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "avg ceil": lambda x: F.avg_pool2d(x, 3, 2, 1, True),
    "avg ceil without pad": lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
    "avg without pad": lambda x: F.avg_pool2d(x, 3, 1, 1, False, False),
    "avg divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
    "avg whole": lambda x: F.avg_pool2d(x, (37, 33), stride=1),
    "adaptive avg 1": lambda x: F.adaptive_avg_pool2d(x, 1),
    "adaptive avg 7": lambda x: F.adaptive_avg_pool2d(x, 7),
    "adaptive avg 3, none": lambda x: F.adaptive_avg_pool2d(x, (3, None)),
    "adaptive avg of each cell": lambda x: F.adaptive_avg_pool2d(x, (None, 33)),
    "adaptive max 1": lambda x: F.adaptive_max_pool2d(x, 1),
    "adaptive max 5, 6": lambda x: F.adaptive_max_pool2d(x, (5, 6)),
    "mean": lambda x: x.mean((-1, -2)),
    "mean keepdim": lambda x: torch.mean(x, dim=[2, 3], keepdim=True),
    "sum": lambda x: x.sum((2, 3)),
    "amax": lambda x: x.amax((2, 3)),
    "flatten": lambda x: torch.flatten(x, 1),
    "pad uneven": lambda x: F.pad(x, (1, 0, 200, 3), value=0.5),
    "pad negative": lambda x: F.pad(x, (-1, 4, 2, -5)),
    "pad reflect": lambda x: F.pad(x, (3, 0, 5, 7), mode="reflect"),
    "pad replicate": lambda x: F.pad(x, (3, 60, 0, 7), mode="replicate"),
    "pad circular": lambda x: F.pad(x, (3, 1, 5, 0), mode="circular"),
    "pad circular, cropped first": lambda x: F.pad(x, (2, -1, -3, 4), mode="circular"),
    "pad reflect, cropped after": lambda x: F.pad(x, (2, -1, -3, 4), mode="reflect"),
    "slice": lambda x: x[:, :, 2:-3, :-1],
    "slice strided": lambda x: x[..., ::2, 1::3],
    "slice channels": lambda x: x[:, 1:3],
    "chunk": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "split": lambda x: torch.split(x, [1, 3], 1)[1],
    "upsample": lambda x: F.interpolate(x, scale_factor=(2, 3)),
    "batch norm train": lambda x: F.batch_norm(x, None, None, _weight(C), _weight(C), training=True),
    "batch norm eval": lambda x: F.batch_norm(x, _weight(C), _weight(C).abs(), _weight(C), _weight(C)),
    "layer norm": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (C,), _weight(C)).permute(0, 3, 1, 2),
    "linear": lambda x: F.gelu(F.linear(x.permute(0, 2, 3, 1), _weight(5, C))).permute(0, 3, 1, 2),
    "scale": lambda x: 2 - _weight(C, 1, 1) * x / 3 + _weight(1, C, 1, 1),
    "own square": lambda x: x * x - x,
    "add narrower": lambda x: x + F.conv2d(x, _weight(C, C, 5, 5), padding=2),
    "cat": lambda x: torch.cat([x, F.avg_pool2d(x, 3, 1, 1), x], 1),
    "add dense": lambda x: x + opened(x),
    "cat by axis": lambda x: torch.cat([x, x], axis=1),
    "cat of dtypes": lambda x: torch.cat([x.float(), x], 1),
    "permute by name": lambda x: torch.permute(torch.permute(x, dims=(0, 2, 3, 1)), dims=(0, 3, 1, 2)),
    "batch norm without scale": lambda x: F.batch_norm(x, None, None, None, _weight(C), training=True),
    "cat dense": lambda x: torch.cat([opened(x), x], 1),
    "maximum": lambda x: torch.maximum(x, F.avg_pool2d(x, 3, 1, 1)),
    "clamp pow": lambda x: x.clamp(min=0.1).pow(2).sqrt(),
    "prelu": lambda x: F.prelu(x, _weight(C)),
    "dropout eval": lambda x: F.dropout(x, 0.5, training=False),
    "to": lambda x: x.float().double().contiguous(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("op", OPS)
def test_op(op):
    x = _scene()
    wanted, found = OPS[op](x.painted()), OPS[op](x.canvas())
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    assert relative_error(opened(found), wanted) < 1e-13


@pytest.mark.parametrize("op", ["conv 3 same", "max", "full", "add narrower", "cat", "slice", "chunk", "layer norm"])
def test_op_stays_a_canvas(op):
    assert isinstance(OPS[op](_scene().canvas()), Canvas)


IN_PLACE = {
    "relu_": lambda x: x.relu_(),
    "relu inplace": lambda x: F.relu(x, inplace=True),
    "relu6 inplace": lambda x: nn.ReLU6(True)(x),
    "add_": lambda x: x.add_(1.5),
    "+=": lambda x: x.__iadd__(F.avg_pool2d(x, 3, 1, 1)),
    "*=": lambda x: x.__imul__(_weight(C, 1, 1)),
    "+= dense": lambda x: x.__iadd__(opened(x)),
    "+= wider dtype": lambda x: x.__iadd__(opened(x).float()),
    "of what contiguous gives": lambda x: x.contiguous().to(torch.float64).add_(1),
}


@pytest.mark.parametrize("op", IN_PLACE)
def test_in_place_ops_change_the_canvas_itself(op):
    scene = _scene()
    canvas, image = scene.canvas(), scene.painted()
    wanted = IN_PLACE[op](image)
    assert IN_PLACE[op](canvas) is canvas
    assert relative_error(canvas.dense(), wanted) < 1e-13
    assert torch.equal(scene.pictures, _scene().pictures)


def test_an_in_place_op_keeps_the_dtype():
    scene = _scene(torch.float32)
    canvas, image = scene.canvas(), scene.painted()
    for x in (canvas, image):
        x.add_(_weight(C, 1, 1)).mul_(x.double())
    assert canvas.dtype == canvas.dense().dtype == torch.float32
    assert relative_error(canvas.dense(), image) < 1e-6


@pytest.mark.parametrize(
    "op",
    [
        lambda x: F.pad(x, (0, 0, 0, 0), mode="reflect"),
        lambda x: F.pad(x, (-2, 0, -1, 0), mode="replicate"),
        lambda x: F.interpolate(x, scale_factor=1),
        lambda x: F.interpolate(x[:, :, :1, :1], scale_factor=3),
        Canvas.dense,
    ],
)
@pytest.mark.parametrize("covered", [True, False])
def test_writing_into_a_copy_leaves_its_source_alone(op, covered):
    scene = _scene()
    if covered:
        scene.size, scene.corners = (7, 6), [(0, 0)] * 2
    canvas = scene.canvas()
    copy = op(canvas)
    wanted = opened(copy).clone() + 1
    copy += 1
    assert torch.equal(opened(copy), wanted)
    assert torch.equal(canvas.dense(), scene.painted())
    assert torch.equal(scene.pictures, _scene().pictures)


def test_running_statistics():
    scene, norms = _scene(), [nn.BatchNorm2d(C, momentum=m).double() for m in (0.1, None) for _ in range(2)]
    for dense, canvas in (norms[:2], norms[2:]):
        for _ in range(2):
            dense(scene.painted())
            canvas(scene.canvas())
        for wanted, found in zip(dense.buffers(), canvas.buffers(), strict=True):
            assert relative_error(found, wanted) < 1e-13


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_dtypes(dtype):
    scene, conv = _scene(dtype), nn.Conv2d(C, 3, 3, padding=1, dtype=dtype)
    with torch.inference_mode():
        wanted, found = conv(scene.painted()), conv(scene.canvas())
        assert found.dtype == dtype
        assert relative_error(found.dense(), wanted) < (1e-6 if dtype == torch.float32 else 1e-2)


def test_a_canvas_made_in_inference_mode_leaves_training_alone():
    """Cached index tensors must not be born in inference mode: autograd refuses to save those."""
    net = nn.Sequential(nn.Conv2d(C, C, 3, 2, padding=1, padding_mode="reflect"), nn.BatchNorm2d(C)).double()
    scene = _scene(at=((1, 2), (12, 14)))
    with torch.inference_mode():
        net(scene.canvas())
    net(scene.canvas()).mean((2, 3)).sum().backward()


def test_what_a_canvas_says_of_itself():
    canvas = _scene().canvas()
    assert isinstance(canvas, torch.Tensor)
    assert (canvas.shape, canvas.size(2), canvas.dim(), canvas.ndim, len(canvas)) == ((6, C, 37, 33), 37, 4, 4, 6)
    assert (canvas.dtype, canvas.device.type, canvas.numel()) == (torch.float64, "cpu", 6 * C * 37 * 33)
    assert not canvas.requires_grad
    assert "[6, 4, 37, 33]" in repr(canvas)
