"""Every function that torch lets a tensor subclass override, and ways in which a network might call it on a map."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import get_overridable_functions, resolve_name

C, H, W = 4, 9, 7  # sides that no other dimension has
G = torch.Generator().manual_seed(5)


def _weights(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=G)


_K, _B, _STATISTICS = _weights(C, C, 3, 3), _weights(C), (_weights(C), _weights(C).abs() + 0.5)
_THIN, _MASK = _weights(C, 1, 1), torch.tensor([True, False, True, True]).view(C, 1, 1)

# For functions that need more than maps and numbers: the arguments, where x is a map and y another.
TABLE: dict[str, list[Callable[[Any, Any], tuple[Any, ...]]]] = {
    "conv2d": [lambda x, y: (x, _K), lambda x, y: (x, _K, _B, 2), lambda x, y: (x, _K[:, :1], None, 1, 0, 2, C)],
    "max_pool2d": [lambda x, y: (x, 3), lambda x, y: (x, (3, 2), 2)],
    "avg_pool2d": [lambda x, y: (x, 3), lambda x, y: (x, (3, 2), 2)],
    "lp_pool2d": [lambda x, y: (x, 2.0, 3)],
    "adaptive_avg_pool2d": [lambda x, y: (x, 1), lambda x, y: (x, (3, None))],
    "adaptive_max_pool2d": [lambda x, y: (x, 1), lambda x, y: (x, 2)],
    "batch_norm": [lambda x, y: (x, *_STATISTICS, _B, _B), lambda x, y: (x, None, None, _B, _B, True)],
    "group_norm": [lambda x, y: (x, 2), lambda x, y: (x, 2, _B, _B, 0.1)],
    "instance_norm": [lambda x, y: (x,), lambda x, y: (x, *_STATISTICS, _B, _B, False)],
    "local_response_norm": [lambda x, y: (x, 2)],
    "prelu": [lambda x, y: (x, _B), lambda x, y: (x, _B[:1])],
    "pad": [lambda x, y: (x, (1, 2)), lambda x, y: (x, (0, 0, 0, 0, 1, 0), "constant", 2.0)],
    "interpolate": [lambda x, y: (x, None, 2), lambda x, y: (x, (18, 14)), lambda x, y: (x, None, 2, "bilinear")],
    "pixel_shuffle": [lambda x, y: (x, 2)],
    "channel_shuffle": [lambda x, y: (x, 2)],
    "unfold": [lambda x, y: (x, 3), lambda x, y: (x, 2, 3, 1)],
    "embedding": [lambda x, y: (x > 0, _weights(2, 3))],
    "where": [
        lambda x, y: (x > 0, x, y),
        lambda x, y: (x > 0, x, 0.5),
        lambda x, y: (_MASK, x, y),
        lambda x, y: (x, y > 0, y),
        lambda x, y: (_MASK, x, _THIN),
    ],
    "masked_fill": [lambda x, y: (x, x > 0, 0.5), lambda x, y: (x, _MASK, 0.5), lambda x, y: (x, y > 0, _THIN.sum())],
    "masked_fill_": [lambda x, y: (x, x > 0, 0.5), lambda x, y: (x, _MASK, 0.5)],
    "masked_scatter": [lambda x, y: (x, x > 0, y)],
    "clamp": [lambda x, y: (x, -0.5, 0.5), lambda x, y: (x, y, y + 1), lambda x, y: (x, _THIN)],
    "clamp_": [lambda x, y: (x, -0.5, 0.5), lambda x, y: (x, y, y + 1)],
    "clip": [lambda x, y: (x, -0.5, 0.5)],
    "clip_": [lambda x, y: (x, None, 0.5)],
    "threshold": [lambda x, y: (x, 0.1, 20.0), lambda x, y: (x, 0.1, 20.0, True)],
    "threshold_": [lambda x, y: (x, 0.1, 20.0)],
    "_threshold": [lambda x, y: (x, 0.1, 20.0, True)],
    "hardtanh": [lambda x, y: (x, -0.5, 0.25, True)],
    "hardtanh_": [lambda x, y: (x, -0.5, 0.25)],
    "lerp": [lambda x, y: (x, y, 0.25), lambda x, y: (x, y, _THIN), lambda x, y: (x, y, x)],
    "lerp_": [lambda x, y: (x, y, 0.25), lambda x, y: (x, y, y)],
    "addcmul": [lambda x, y: (x, y, x), lambda x, y: (_THIN, x, y)],
    "addcmul_": [lambda x, y: (x, y, x), lambda x, y: (x, _THIN, y)],
    "addcdiv": [lambda x, y: (x, y, x)],
    "addcdiv_": [lambda x, y: (x, y, x)],
    "polygamma": [lambda x, y: (1, x)],
    "full_like": [lambda x, y: (x, 3.0)],
    "linear": [lambda x, y: (x.permute(0, 2, 3, 1), _K[:3, :, 0, 0], _B[:3])],
    "layer_norm": [lambda x, y: (x.permute(0, 2, 3, 1), (C,)), lambda x, y: (x, (H, W)), lambda x, y: (x, (C, H, W))],
    "rms_norm": [lambda x, y: (x.permute(0, 2, 3, 1), (C,))],
    "permute": [lambda x, y: (x, (0, 2, 3, 1)), lambda x, y: (x, (1, 0, 2, 3)), lambda x, y: (x, (0, 1, 3, 2))],
    "transpose": [lambda x, y: (x, 0, 1), lambda x, y: (x, 1, -1), lambda x, y: (x, 2, 3)],
    "transpose_": [lambda x, y: (x, 0, 1)],
    "swapaxes": [lambda x, y: (x, 0, 1)],
    "movedim": [lambda x, y: (x, 1, 3), lambda x, y: (x, 1, -1), lambda x, y: (x, (0, 1), (1, 0))],
    "moveaxis": [lambda x, y: (x, 1, 0)],
    "view": [lambda x, y: (x, 2, 2, 2, H, W), lambda x, y: (x, 2, C, -1), lambda x, y: (x, -1)],
    "reshape": [lambda x, y: (x, (2, 2, 2, H, W)), lambda x, y: (x, (2, C, -1)), lambda x, y: (x, (8, 1, H, W))],
    "unflatten": [lambda x, y: (x, 1, (2, 2)), lambda x, y: (x, 1, (-1, 2)), lambda x, y: (x, 2, (3, 3))],
    "flatten": [lambda x, y: (x, 1), lambda x, y: (x, 0, 1), lambda x, y: (x, 2), lambda x, y: (x.unsqueeze(1), 1, 2)],
    "squeeze": [lambda x, y: (x.unsqueeze(1), 1), lambda x, y: (x, 1), lambda x, y: (x.unsqueeze(-1), (-1, 2))],
    "split": [lambda x, y: (x, 3, 1), lambda x, y: (x, [1, 3], 1), lambda x, y: (x, 3, 2)],
    "tensor_split": [lambda x, y: (x, 3, 1), lambda x, y: (x, (1, 3), 1)],
    "chunk": [lambda x, y: (x, 3, 1), lambda x, y: (x, 2, 3), lambda x, y: (x, 7, 1)],
    "narrow": [lambda x, y: (x, 1, 1, 2), lambda x, y: (x, 2, 0, 5), lambda x, y: (x, -3, -3, 2)],
    "narrow_copy": [lambda x, y: (x, 1, 1, 2)],
    "select": [lambda x, y: (x, 1, 1), lambda x, y: (x, 2, 1)],
    "index_select": [lambda x, y: (x, 1, torch.tensor([2, 0])), lambda x, y: (x, 2, torch.tensor([2, 0]))],
    "gather": [lambda x, y: (x, 1, torch.zeros(2, 1, H, W, dtype=torch.int64))],
    "take_along_dim": [lambda x, y: (x, torch.zeros(2, 1, H, W, dtype=torch.int64), 1)],
    "repeat": [lambda x, y: (x, 1, 2, 1, 1), lambda x, y: (x, 1, 1, 1, 2)],
    "tile": [lambda x, y: (x, (1, 2, 1, 1))],
    "repeat_interleave": [lambda x, y: (x, 2, 1), lambda x, y: (x, 2, 2)],
    "expand": [lambda x, y: (x.unsqueeze(1), 2, 3, C, H, W), lambda x, y: (x[:, :1], -1, C, -1, -1)],
    "expand_as": [lambda x, y: (x[:, :1], x), lambda x, y: (_THIN, x)],
    "roll": [lambda x, y: (x, 1, 1), lambda x, y: (x, (1, 1), (1, 2)), lambda x, y: (x, 1)],
    "flip": [lambda x, y: (x, (1,)), lambda x, y: (x, (1, 2))],
    "cumsum": [lambda x, y: (x, 1), lambda x, y: (x, 2)],
    "glu": [lambda x, y: (x, 1), lambda x, y: (x, 2)],
    "softmax": [lambda x, y: (x, 1), lambda x, y: (x, -1), lambda x, y: (x, 0), lambda x, y: (x, 1, torch.float32)],
    "log_softmax": [lambda x, y: (x, 1), lambda x, y: (x, 0)],
    "normalize": [lambda x, y: (x,), lambda x, y: (x, 2.0, (1, 2, 3)), lambda x, y: (x, 1.0, 1)],
    "norm": [lambda x, y: (x, 2, 1), lambda x, y: (x, 2, (1, 2, 3), True), lambda x, y: (x, 1, 1), lambda x, y: (x,)],
    "linalg_vector_norm": [lambda x, y: (x, 2, (2, 3)), lambda x, y: (x, 2, 1, True)],
    "cosine_similarity": [lambda x, y: (x, y, 1)],
    "conv1d": [lambda x, y: (x[:, :, 0], _K[:, :, 0])],
    "einsum": [lambda x, y: ("nchw,dc->ndhw", x, _weights(3, C)), lambda x, y: ("nchw,nchw->nc", x, y)],
    "matmul": [lambda x, y: (x.permute(0, 2, 3, 1), _weights(C, 3)), lambda x, y: (x, _weights(W, 3))],
    "__matmul__": [lambda x, y: (x.permute(0, 2, 3, 1), _weights(C, 3)), lambda x, y: (x, _weights(W, 3))],
    "tensordot": [lambda x, y: (x, _weights(C, 3), ([1], [0]))],
    "__getitem__": [
        lambda x, y: (x, (slice(None), slice(1, 3))),
        lambda x, y: (x, (slice(None), [2, 0])),
        lambda x, y: (x, (slice(None), slice(None), slice(1, 5, 2), slice(-4, None))),
        lambda x, y: (x, (slice(None), 1)),
        lambda x, y: (x, (slice(None), slice(1), slice(1, 3))),
        lambda x, y: (x, (slice(None), None, ..., slice(0, 3))),
        lambda x, y: (x, (slice(None), torch.tensor([True, False, True, True]))),
        lambda x, y: (x, (..., 2)),
        lambda x, y: (x, x > 0),
        lambda x, y: (x, 0),
        lambda x, y: (x, (slice(None), [[0, 1], [2, 3]])),
        lambda x, y: (x, (slice(None), torch.tensor(1))),
        lambda x, y: (x, (slice(None), True)),
    ],
    "__setitem__": [
        lambda x, y: (x, (slice(None), slice(0, 2)), 3.0),
        lambda x, y: (x, (slice(None), slice(0, 2)), y[:, 2:]),
        lambda x, y: (x, ..., y),
        lambda x, y: (x, slice(None), y),
        lambda x, y: (x, x > 0, 1.0),
        lambda x, y: (x, (slice(None), slice(None), 0), 1.0),
    ],
    "to": [lambda x, y: (x, torch.float32), lambda x, y: (x, "cpu", torch.float32), lambda x, y: (x, y.float())],
    "type": [lambda x, y: (x, torch.float32), lambda x, y: (x, "torch.FloatTensor"), lambda x, y: (x,)],
    "as_strided": [lambda x, y: (x, (2, 2), (1, 2))],
    "var": [lambda x, y: (x, 1), lambda x, y: (x, (2, 3)), lambda x, y: (x, (1, 2, 3))],
    "std": [lambda x, y: (x, 1), lambda x, y: (x, (2, 3)), lambda x, y: (x, 1, False, True)],
    "var_mean": [lambda x, y: (x, 1), lambda x, y: (x, (2, 3))],
    "std_mean": [lambda x, y: (x, 1), lambda x, y: (x, (2, 3))],
    "argmax": [lambda x, y: (x, 1), lambda x, y: (x, 1, True)],
    "topk": [lambda x, y: (x, 2, 1)],
    "sort": [lambda x, y: (x, 1), lambda x, y: (x, 2)],
    "dropout": [lambda x, y: (x, 0.5, False), lambda x, y: (x, 0.5, True)],
    "dropout_": [lambda x, y: (x, 0.5, False), lambda x, y: (x, 0.5, True)],
    "dropout2d": [lambda x, y: (x, 0.5, False)],
    "alpha_dropout_": [lambda x, y: (x, 0.5, False), lambda x, y: (x, 0.5, True)],
    "rrelu": [lambda x, y: (x, 0.1, 0.3, False), lambda x, y: (x, 0.1, 0.3, True)],
    "rrelu_": [lambda x, y: (x, 0.1, 0.3, False), lambda x, y: (x, 0.1, 0.3, True)],
    "copy_": [lambda x, y: (x, y), lambda x, y: (x, _THIN), lambda x, y: (x, y.float())],
    "bilinear": [lambda x, y: (x.permute(0, 2, 3, 1), y.permute(0, 2, 3, 1), _weights(3, C, C))],
    "grid_sample": [lambda x, y: (x, torch.zeros(2, 4, 4, 2, dtype=torch.float64), "bilinear", "zeros", False)],
    "conv_transpose2d": [lambda x, y: (x, _K), lambda x, y: (x, _K, None, 2)],
    "conv_transpose1d": [lambda x, y: (x[:, :, 0], _K[:, :, 0])],
    "native_batch_norm": [lambda x, y: (x, _B, _B, *_STATISTICS, False, 0.1, 1e-5)],
    "native_group_norm": [lambda x, y: (x, _B, _B, 2, C, H * W, 2, 1e-5)],
    "native_layer_norm": [lambda x, y: (x.permute(0, 2, 3, 1), (C,), None, None, 1e-5)],
    "max": [lambda x, y: (x, 1), lambda x, y: (x, y), lambda x, y: (x, 1, True), lambda x, y: (x, 2)],
    "min": [lambda x, y: (x, 1), lambda x, y: (x, y), lambda x, y: (x, _THIN)],
    "amax": [lambda x, y: (x, 1), lambda x, y: (x, (2, 3), True), lambda x, y: (x, (1, 2, 3))],
    "amin": [lambda x, y: (x, 1), lambda x, y: (x, (2, 3), True)],
    "mean": [lambda x, y: (x, 1), lambda x, y: (x, (2, 3)), lambda x, y: (x, (1, 2, 3), True), lambda x, y: (x, 0)],
    "sum": [lambda x, y: (x, 1), lambda x, y: (x, (2, 3)), lambda x, y: (x, (1, 2, 3)), lambda x, y: (x, (0, 2, 3))],
    "cat": [
        lambda x, y: ([x, y], 1),
        lambda x, y: ([x, x], 1),
        lambda x, y: ([x, y], 2),
        lambda x, y: ([x, y], 0),
        lambda x, y: ([x, torch.ones(2, 1, H, W, dtype=torch.float64)], 1),
        lambda x, y: ([x, y.float()], 1),
        lambda x, y: ((torch.ones(0, dtype=torch.float64), x), 1),
    ],
    "stack": [lambda x, y: ([x, y], 1), lambda x, y: ([x, y], 0), lambda x, y: ([x, y], -1), lambda x, y: ([x], 2)],
    "div": [lambda x, y: (x, y), lambda x, y: (x, _THIN), lambda x, y: (1.0, x)],
    "index_add": [lambda x, y: (x, 1, torch.tensor([0, 2]), y[:, :2])],
    "index_add_": [lambda x, y: (x, 1, torch.tensor([0, 2]), y[:, :2])],
    "index_fill": [lambda x, y: (x, 1, torch.tensor([0, 2]), 1.5)],
    "index_fill_": [lambda x, y: (x, 1, torch.tensor([0, 2]), 1.5)],
    "index_copy": [lambda x, y: (x, 1, torch.tensor([0, 2]), y[:, :2])],
    "index_copy_": [lambda x, y: (x, 1, torch.tensor([0, 2]), y[:, :2])],
    "index_put_": [lambda x, y: (x, (x > 0,), _THIN.sum())],
    "masked_scatter_": [lambda x, y: (x, x > 0, y)],
    "scatter": [lambda x, y: (x, 1, torch.zeros(2, 1, H, W, dtype=torch.int64), 1.0)],
    "scatter_": [lambda x, y: (x, 1, torch.zeros(2, 1, H, W, dtype=torch.int64), 1.0)],
    "select_scatter": [lambda x, y: (x, y[:, 0], 1, 0)],
    "slice_scatter": [lambda x, y: (x, y[:, :2], 1, 0, 2)],
    "diagonal_scatter": [lambda x, y: (x, y.diagonal(0, 2, 3), 0, 2, 3)],
    "renorm": [lambda x, y: (x, 2, 1, 0.5)],
    "renorm_": [lambda x, y: (x, 2, 1, 0.5)],
    "take": [lambda x, y: (x, torch.tensor([0, 5]))],
    "put_": [lambda x, y: (x, torch.tensor([0, 5]), torch.ones(2, dtype=torch.float64))],
    "outer": [lambda x, y: (x[0, :, 0, 0], y[0, :, 0, 0])],
    "trace": [lambda x, y: (x[0, 0],)],
    "t": [lambda x, y: (x[0, 0],)],
    "mm": [lambda x, y: (x[0, 0], _weights(W, 3))],
    "bmm": [lambda x, y: (x[:, 0], y[:, 0].transpose(1, 2))],
    "baddbmm": [lambda x, y: (x[:, 0], y[:, 0], _weights(2, W, W))],
    "convolution": [lambda x, y: (x, _K, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1)],
    "_conv_depthwise2d": [lambda x, y: (x, _K[:, :1], (3, 3), None, (1, 1), (0, 0), (1, 1))],
    "constant_pad_nd": [lambda x, y: (x, (1, 2), 0.5)],
    "split_with_sizes": [lambda x, y: (x, [1, 3], 1)],
    "unsafe_split_with_sizes": [lambda x, y: (x, [1, 3], 1)],
    "unsafe_split": [lambda x, y: (x, 2, 1)],
    "unsafe_chunk": [lambda x, y: (x, 2, 1)],
    "broadcast_to": [lambda x, y: (x[:, :1], (2, C, H, W))],
    "permute_copy": [lambda x, y: (x, (0, 2, 3, 1))],
    "view_copy": [lambda x, y: (x, (2, 2, 2, H, W))],
    "alpha_dropout": [lambda x, y: (x, 0.5, False), lambda x, y: (x, 0.5, True)],
    "feature_dropout": [lambda x, y: (x, 0.5, False)],
    "feature_alpha_dropout": [lambda x, y: (x, 0.5, False)],
    "native_dropout": [lambda x, y: (x, 0.5, True)],
    "max_unpool2d": [lambda x, y: (x, torch.zeros(2, C, H, W, dtype=torch.int64), 2)],
    "fold": [lambda x, y: (x.flatten(2), (10, 8), 2)],
    "binary_cross_entropy": [lambda x, y: (x.sigmoid(), y.sigmoid())],
    "nll_loss": [lambda x, y: (x, torch.zeros(2, H, W, dtype=torch.int64))],
    "poisson_nll_loss": [lambda x, y: (x, y, True, False, None, 1e-8, "mean")],
    "affine_grid": [lambda x, y: (x[0, 0, :2, :3].unsqueeze(0), (1, C, H, W))],
    "max_pool1d": [lambda x, y: (x[:, 0], 3)],
    "avg_pool1d": [lambda x, y: (x[:, 0], 3)],
    "adaptive_avg_pool1d": [lambda x, y: (x[:, 0], 1)],
    "adaptive_max_pool1d": [lambda x, y: (x[:, 0], 1)],
    "conv3d": [lambda x, y: (x.unsqueeze(2), _K.unsqueeze(2))],
    "bitwise_left_shift": [lambda x, y: ((x > 0).to(torch.int64), 1)],
    "__lshift__": [lambda x, y: ((x > 0).to(torch.int64), 1)],
    "gcd": [lambda x, y: ((x * 9).to(torch.int64), (y * 9).to(torch.int64))],
    "lcm": [lambda x, y: ((x * 9).to(torch.int64), (y * 9).to(torch.int64))],
    "type_as": [lambda x, y: (x, y.float()), lambda x, y: (_THIN.float(), x)],
    "complex": [lambda x, y: (x, y)],
    "polar": [lambda x, y: (x, y)],
    "real": [lambda x, y: (torch.complex(x, y),)],
    "imag": [lambda x, y: (torch.complex(x, y),)],
    "view_as_real": [lambda x, y: (torch.complex(x, y),)],
    "quantize_per_tensor": [lambda x, y: (x.float(), 0.1, 0, torch.qint8)],
    "fake_quantize_per_tensor_affine": [lambda x, y: (x, 0.1, 0, 0, 255)],
    "apply_": [lambda x, y: (x, lambda value: value + 1)],
    "map_": [lambda x, y: (x, y, lambda one, other: one + other)],
}
PLAUSIBLE: list[Callable[[Any, Any], tuple[Any, ...]]] = [
    lambda x, y: (x,),
    lambda x, y: (x, y),
    lambda x, y: (x, 2),
    lambda x, y: (x, 0.5),
    lambda x, y: (x, 1),
    lambda x, y: (2.5, x),
    lambda x, y: (x, _THIN),
    lambda x, y: (_THIN, x),
    lambda x, y: (x, 0, 1),
    lambda x, y: (x, (1,)),
    lambda x, y: ([x, y],),
    lambda x, y: ([x, y], 1),
    lambda x, y: (x, y, x),
    lambda x, y: (x, y, 0.5),
    lambda x, y: (x > 0,),
    lambda x, y: (x > 0, y > 0),
    lambda x, y: (x, x > 0),
]
# The same by keyword: a dict, whose "self" comes first.
KEYWORDS: list[Callable[[Any, Any], dict[str, Any]]] = [
    lambda x, y: {"input": x},
    lambda x, y: {"input": x, "other": y},
    lambda x, y: {"self": x, "other": y},
    lambda x, y: {"input": x, "dim": 1},
    lambda x, y: {"self": x, "dim": 1, "keepdim": True},
    lambda x, y: {"input": x, "min": -0.5},
    lambda x, y: {"self": x, "max": y},
    lambda x, y: {"input": x, "other": y, "alpha": 2},
    lambda x, y: {"input": x, "inplace": True},
    lambda x, y: {"input": x, "exponent": 2.0},
    lambda x, y: {"input": x, "p": 0.5, "training": False},
    lambda x, y: {"tensors": [x, y], "dim": 1},
]
# Not computations: they print, hook, hand out memory, or would end the process.
LEFT_OUT = {
    "__repr__ __format__ _cdata __reduce_ex__ __deepcopy__ share_memory_ register_hook backward __dlpack__",
    "register_post_accumulate_grad_hook __dir__ data_ptr __cuda_array_interface__ cuda xpu ipu mtia hpu _typed_storage",
    "untyped_storage storage storage_type __torch_dispatch__ pin_memory is_pinned record_stream module_load __hash__",
    "_backward_hooks set_ resize_ resize_as_ __array__ __array_wrap__ to_mkldnn _make_wrapper_subclass _make_subclass",
    "autocast",
    "requires_grad_ retain_grad compile set_default_device name volatile",
}


@dataclass(frozen=True)
class Way:
    """A function and one way to call it.

    Args:
        name: where it lives, as torch writes it.
        func: the function.
        arguments: what it takes, from two maps: in a row, or by keyword.
    """

    name: str
    func: Callable[..., Any]
    arguments: Callable[[Any, Any], Any]

    def __call__(self, x: Any, y: Any) -> Any:
        given = self.arguments(x, y)
        if not isinstance(given, dict):
            return self.func(*given)
        first = [given.pop("self")] if "self" in given else []
        return self.func(*first, **given)


def functions() -> dict[str, Callable[..., Any]]:
    """All of them, each once, by the name that torch gives it."""
    left_out = {name for line in LEFT_OUT for name in line.split()}
    found: dict[str, Callable[..., Any]] = {}
    for home, members in get_overridable_functions().items():
        for func in members:
            name = resolve_name(func) or f"{getattr(home, '__name__', home)}.{getattr(func, '__name__', func)}"
            parts = set(name.split(".")) | {getattr(func, "__name__", "")}
            if not parts & left_out and not isinstance(func, type) and "nn.init" not in name:
                found.setdefault(name, func)
    return dict(sorted(found.items()))


def ways(name: str, func: Callable[..., Any]) -> Iterator[Way]:
    """Ways to call it."""
    short = name.removesuffix(".__get__").rpartition(".")[2]
    for arguments in (*TABLE.get(short, TABLE.get(getattr(func, "__name__", ""), [])), *PLAUSIBLE):
        yield Way(name, func, arguments)
    for kwargs in KEYWORDS:
        yield Way(name, func, kwargs)
