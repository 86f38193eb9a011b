"""Random small networks and scenes for the property test."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

from .oracle import Scene

MODES = ["zeros", "zeros", "reflect", "replicate", "circular"]


class Step(nn.Module):
    """A function as a module, named for hypothesis's report."""

    def __init__(self, name: str, f: Callable[[Tensor], Tensor], *modules: nn.Module) -> None:
        super().__init__()
        self.name, self.f, self.parts = name, f, nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x, *self.parts)

    def __repr__(self) -> str:
        return self.name


def _conv(draw, c):
    k, s, d = draw(st.sampled_from([1, 2, 3, 5])), draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2]))
    other = draw(st.sampled_from([k, 1]))
    mode = draw(st.sampled_from(MODES))
    padding = draw(st.sampled_from([0, k // 2, (k - 1) * d, 9] if mode == "zeros" else [0, k // 2, 3]))
    if mode == "zeros" and s == 1 and draw(st.booleans()):
        padding = draw(st.sampled_from(["same", "valid"]))
    groups = draw(st.sampled_from([1, 1, c]))
    out = c if groups > 1 else draw(st.integers(2, 4))
    return nn.Conv2d(c, out, (k, other), s, padding, d, groups, draw(st.booleans()), mode), out


def _norm(draw, c):
    norm = nn.BatchNorm2d(c, affine=draw(st.booleans()))
    if norm.affine:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    return norm, c


def _activation(draw, c):
    choices = [nn.ReLU(), nn.ReLU(inplace=True), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.ReLU6(True), nn.PReLU(c)]
    return draw(st.sampled_from(choices)), c


def _max_pool(draw, c):
    k, d = draw(st.integers(2, 3)), draw(st.sampled_from([1, 1, 2]))
    return nn.MaxPool2d(k, draw(st.integers(1, 3)), draw(st.integers(0, k // 2)), d, ceil_mode=draw(st.booleans())), c


def _avg_pool(draw, c):
    k = draw(st.integers(2, 3))
    ceil, include = draw(st.booleans()), draw(st.booleans())
    return nn.AvgPool2d(k, draw(st.integers(1, 3)), draw(st.integers(0, k // 2)), ceil, include), c


def _pad(draw, c):
    amounts = [draw(st.integers(-2, 12)) for _ in range(4)]
    value = draw(st.sampled_from([0.0, 0.7]))
    return Step(f"pad{amounts}={value}", lambda x: F.pad(x, amounts, value=value)), c


def _pad_mode(draw, c):
    amounts = [draw(st.integers(0, 4)) for _ in range(4)]
    mode = draw(st.sampled_from(MODES[2:]))
    return Step(f"{mode}{amounts}", lambda x: F.pad(x, amounts, mode=mode)), c


def _crop(draw, c):
    a, b, s = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    return Step(f"crop{a, b, s}", lambda x: x[:, :, a:-b:s, :-a:s] if a else x[..., ::s, b:]), c


def _upsample(draw, c):
    return nn.Upsample(scale_factor=2), c


def _scale(draw, c):
    factor = nn.Conv2d(1, c, 1)
    return Step("scale", lambda x, m: 1.5 * x * m.weight.view(1, -1, 1, 1) - m.bias.view(-1, 1, 1), factor), c


def _residual(draw, c):
    def add(x, m):
        y = m(x)
        y += x
        return y

    inplace = draw(st.booleans())
    return Step("residual", add if inplace else lambda x, m: x - m(x) * x, nn.Conv2d(c, c, 3, padding=1)), c


def _cat(draw, c):
    if c > 6:
        return _residual(draw, c)
    return Step("cat", lambda x, m: torch.cat([x, m(x)], 1), nn.Conv2d(c, 2, 3, padding=1)), c + 2


def _channels(draw, c):
    return Step("channels", lambda x: torch.cat(list(x.chunk(2, 1))[::-1], 1)), c


def _pixels(draw, c):
    def f(x, norm, linear):
        return linear(norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)

    return Step("pixels", f, nn.LayerNorm(c), nn.Linear(c, c)), c


STEPS = [_conv, _conv, _conv, _norm, _norm, _activation, _max_pool, _avg_pool, _pad, _pad_mode, _crop, _upsample]
STEPS += [_scale, _residual, _cat, _channels, _pixels]


@st.composite
def cases(draw):
    """(network in float64, in train or eval mode, and a scene)."""
    torch.manual_seed(draw(st.integers(0, 2**16)))
    channels = c = draw(st.integers(2, 3))
    layers = []
    for _ in range(draw(st.integers(2, 7))):
        layer, c = draw(st.sampled_from(STEPS))(draw, c)
        layers.append(layer)
    return nn.Sequential(*layers).double().train(draw(st.booleans())), draw(scenes(channels))


@st.composite
def scenes(draw, channels):
    """Pictures in the open, at edges, or as large as the canvas; in one place, in several, or each in several."""
    height, width = draw(st.integers(12, 60)), draw(st.integers(12, 60))
    h, w = draw(st.integers(2, 14)), draw(st.integers(2, 14))
    h, w = (height, width) if draw(st.integers(0, 9)) == 0 else (min(h, height), min(w, width))
    at = [
        (draw(st.sampled_from([0, height - h]) | st.integers(0, height - h)), draw(st.integers(0, width - w)))
        for _ in range(draw(st.integers(1, 3)))
    ]
    n = draw(st.integers(1, 2))
    repeats = draw(st.integers(1, 3))
    corners = [draw(st.sampled_from(at)) for _ in range(n * repeats)]
    pictures, colour = torch.randn(n, channels, h, w).double(), torch.randn(channels).double()
    return Scene(pictures, (height, width), corners, colour)
