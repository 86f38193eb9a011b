"""What `circular`, `reflect` and `replicate` say, written out: every kernel's padding by hand, on ordinary tensors."""

import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
MAX = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
AVERAGE = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
SIGNATURES = {"conv2d": CONVOLUTION, "max_pool2d": MAX, "avg_pool2d": AVERAGE}


def pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def sides(size, kernel, stride, padding, dilation, ceil):
    """Padding before and after one axis, as a published layer has it; a kernel it does not pad gets half its reach."""
    span = (kernel - 1) * dilation + 1
    before, after = padding
    if not before and not after and kernel > stride:
        before, after = (span - 1) // 2, span - 1 - (span - 1) // 2
    room = size + before + after - span
    outputs = room // stride + 1
    if ceil and room % stride and outputs * stride < size + before:
        outputs += 1
    return before, (outputs - 1) * stride + span - size - before


class Continued(TorchFunctionMode):
    """Runs a network with each convolution and pool seeing the map continued.

    Args:
        mode: of torch.nn.functional.pad.
    """

    def __init__(self, mode):
        super().__init__()
        self.mode = mode

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name not in SIGNATURES:
            return func(*args, **kwargs)
        given = dict(zip(SIGNATURES[name], args, strict=False)) | kwargs
        kernel = pair(given.get("kernel_size") or given["weight"].shape[2:])
        stride = pair(given.get("stride") or (1 if name == "conv2d" else kernel))
        dilation = pair(given.get("dilation", 1))
        padding = given.get("padding", 0)
        reaches = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        if isinstance(padding, str):
            around = [(r // 2, r - r // 2) if padding == "same" else (0, 0) for r in reaches]
        else:
            around = [(p, p) for p in pair(padding)]
        x, ceil = given["input"], given.get("ceil_mode", False)
        axes = zip(x.shape[2:], kernel, stride, around, dilation, strict=True)
        rows, cols = (sides(*axis, ceil) for axis in axes)
        given["input"] = self.padded(x, rows, cols)
        given |= {"padding": 0, "stride": stride} | ({"ceil_mode": False} if "ceil_mode" in given else {})
        return func(**given)

    def padded(self, x, rows, cols):
        grown = [max(n, 0) for n in (*cols, *rows)]
        x = F.pad(x, grown, mode=self.mode) if any(grown) else x
        return F.pad(x, [min(n, 0) for n in (*cols, *rows)])
