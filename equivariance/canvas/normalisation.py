"""Batch norm on a canvas, with exact statistics in training mode."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from equivariance.ops import Normalise

from .axes import Indices
from .canvas import Canvas
from .gather import constant
from .painting import layout
from .pieces import Ground, Window

Counts = int | Indices  # how many cells of the batch each cell of a part stands for: one number, [r, c] or [N, 1, r, c]
Moments = tuple[int, Tensor, Tensor]  # cells, mean [C], variance [C]


@Canvas.means(Normalise)
def batch_norm(op: Normalise, canvas: Canvas) -> Canvas:
    """Batch norm with the statistics of the batch, [N, C, H, W] to the same; the running ones are updated."""
    cells = canvas.shape[0] * canvas.shape[2] * canvas.shape[3]
    if cells == 1:
        raise ValueError("Expected more than 1 value per channel when training")
    parts = [window.tensor for window in canvas.windows]
    counts: list[Counts] = [len(window.spots) for window in canvas.windows]
    ground = canvas.ground
    parts.append(ground.tensor)
    counts.append(_ground_counts(canvas))
    mean, var, *normal = BatchNorm.apply(op.weight, op.bias, op.eps, counts, *parts)
    if op.running_mean is not None and op.running_var is not None:
        with torch.no_grad():
            op.running_mean.lerp_(mean.to(op.running_mean.dtype), op.momentum)
            op.running_var.lerp_((var * (cells / (cells - 1))).to(op.running_var.dtype), op.momentum)
    windows = [Window(t, window.spots) for t, window in zip(normal[:-1], canvas.windows, strict=True)]
    return canvas.like(Ground(normal[-1], ground.rows, ground.cols, ground.each), windows)


def _ground_counts(canvas: Canvas) -> Indices:
    """How many cells each ground cell stands for, outside all windows: of the whole batch [r, c], or of each image."""
    ground = canvas.ground
    shown: dict[int, Indices] = {}
    for window in canvas.windows:
        for spot in window.spots:
            start = 0 if ground.each is None else ground.each[spot.group][0]
            mine = ground.total() - ground.hidden(window.box(spot))
            mine = len(window.tensor) * mine if ground.each is None else mine[None, None].repeat(len(window.tensor), 0)
            shown[start] = shown.get(start, 0) + mine
    return shown[0] if ground.each is None else np.concatenate([shown[start] for start in sorted(shown)])


def _accumulator(tensor: Tensor) -> torch.dtype:
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


class BatchNorm(torch.autograd.Function):
    """Batch norm over a population given as parts; each cell of part i counts counts[i] times."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor | None, bias: Tensor | None, eps: float, counts: list[Counts], *parts: Tensor
    ) -> tuple[Tensor, ...]:
        """Returns the mean [C], the biased variance [C], and each part normalised."""
        moments = [_moments(part, count) for part, count in zip(parts, counts, strict=True)]
        moments = [m for m in moments if m[0] > 0]
        cells = sum(n for n, _, _ in moments)
        mean = torch.stack([m * (n / cells) for n, m, _ in moments]).sum(0)
        var = torch.stack([(v + (m - mean).square()) * (n / cells) for n, m, v in moments]).sum(0)
        ctx.save_for_backward(weight, mean, var, *parts)
        ctx.eps, ctx.counts, ctx.cells, ctx.bias_dtype = eps, counts, cells, None if bias is None else bias.dtype
        ctx.mark_non_differentiable(mean, var)
        weight, bias = (None if t is None else t.to(mean.dtype) for t in (weight, bias))
        return mean, var, *(F.batch_norm(part, mean, var, weight, bias, False, 0.0, eps) for part in parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _mean: Tensor, _var: Tensor, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The usual formula, with the statistics' share of each cell's gradient multiplied by its count."""
        weight, mean, var, *parts = ctx.saved_tensors
        wide, factor = mean.dtype, None if weight is None else weight.to(mean.dtype)
        seen = [_finite(part.to(wide), count) for part, count in zip(parts, ctx.counts, strict=True)]
        inverse = (var + ctx.eps).rsqrt()
        direct, weight_shares, bias_shares = zip(
            *(
                _frozen_backward(g.to(wide), x, factor, mean, var, inverse, ctx.eps)
                for g, x in zip(grads, seen, strict=True)
            ),
            strict=True,
        )
        for_weight, for_bias = torch.stack(weight_shares).sum(0), torch.stack(bias_shares).sum(0)
        scale = inverse if factor is None else factor * inverse
        slope = -scale * for_weight / ctx.cells * inverse
        offset = (-scale * for_bias / ctx.cells - slope * mean)[:, None, None]
        slope = slope[:, None, None]
        for_parts = [
            g.add_(offset * k).addcmul_(x, slope * k).to(part.dtype)
            for g, x, k, part in zip(direct, seen, (_as_factor(c, offset) for c in ctx.counts), parts, strict=True)
        ]
        shares = (
            None if weight is None else for_weight.to(weight.dtype),
            None if ctx.bias_dtype is None else for_bias.to(ctx.bias_dtype),
        )
        return *shares, None, None, *for_parts


def _moments(part: Tensor, counts: Counts) -> Moments:
    """Cells, mean and biased variance of one part."""
    part = part.to(_accumulator(part))
    if isinstance(counts, int):
        var, mean = torch.var_mean(part, (0, 2, 3), correction=0)
        return counts * (part.numel() // part.shape[1]), mean, var
    cells, factor = int(counts.sum()), constant(counts, part)
    part = _visible(part, counts)
    mean = (part * factor).sum((0, 2, 3)) / max(cells, 1)
    deviation = part - mean[:, None, None]
    return cells, mean, (deviation.square() * factor).sum((0, 2, 3)) / max(cells, 1)


def _visible(part: Tensor, counts: Counts) -> Tensor:
    """The part with zeros where cells stand for nothing, whatever they hold."""
    if isinstance(counts, int) or counts.all():
        return part
    return part.masked_fill(constant(counts == 0, part, torch.bool), 0.0)


def _finite(part: Tensor, counts: Counts) -> Tensor:
    """The part without infinities and NaN in cells that stand for nothing, where 0 times them would be NaN."""
    if isinstance(counts, int) or counts.all():
        return part
    return part.masked_fill(constant(counts == 0, part, torch.bool) & ~part.isfinite(), 0.0)


def _as_factor(counts: Counts, like: Tensor) -> int | Tensor:
    return counts if isinstance(counts, int) else constant(counts, like)


def _frozen_backward(
    grad: Tensor, part: Tensor, weight: Tensor | None, mean: Tensor, var: Tensor, inverse: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of part, weight and bias while mean and variance are held fixed."""
    grad, part = _regular(grad, layout(part)), _regular(part, layout(part))
    return torch.ops.aten.native_batch_norm_backward(
        grad, part, weight, mean, var, mean, inverse, False, eps, [True, True, True]
    )


def _regular(tensor: Tensor, memory_format: torch.memory_format) -> Tensor:
    """The same with the strides of a fresh tensor.

    Views of one image can have any stride along the batch, by which PyTorch's backward takes channels for rows.
    """
    if len(tensor) != 1:
        return tensor
    return torch.empty_like(tensor, memory_format=memory_format).copy_(tensor)
