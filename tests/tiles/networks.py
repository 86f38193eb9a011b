"""Small networks whose output is a map, in one, two and three dimensions, in the ways people write them."""

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import nn

C = 3
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


class Dense(nn.Module):
    """Steps one after another, each with random weights and a smooth activation."""

    def __init__(self, axes, steps, seed=0):
        super().__init__()
        self.axes, self.steps = axes, steps
        self.random = torch.Generator().manual_seed(seed)
        self.weights, self.seed = [], seed

    def weight(self, *shape):
        """The next weights, the same in each run."""
        if self.at == len(self.weights):
            self.weights.append(torch.randn(shape, dtype=torch.float64, generator=self.random))
        self.at += 1
        return self.weights[self.at - 1]

    def forward(self, x):
        self.at = 0
        for name, numbers in self.steps:
            x = globals()[name](self, x, **numbers)
        return x


def conv(net, x, kernel=3, stride=1, dilation=1, before=1, after=1, mode="constant"):
    x = F.pad(x, (before, after) * net.axes, mode) if before or after else x
    weight = net.weight(C, x.shape[1], *(kernel,) * net.axes)
    return CONV[net.axes](x, weight, net.weight(C), stride, 0, dilation).tanh()


def up(net, x, kernel=2, stride=2, padding=0, extra=0):
    weight = net.weight(x.shape[1], C, *(kernel,) * net.axes)
    return TRANSPOSED[net.axes](x, weight, net.weight(C), stride, padding, min(extra, stride - 1)).tanh()


def resize(net, x, scale=2, mode="linear"):
    mode = {"linear": LINEAR[net.axes], "cubic": "bicubic" if net.axes == 2 else LINEAR[net.axes]}.get(mode, mode)
    return F.interpolate(x, scale_factor=scale, mode=mode)


def pool(net, x, kernel=2):
    return POOL[net.axes](x, kernel)


def crop(net, x, start=1, stop=0):
    return x[(slice(None), slice(None), *(slice(start, -stop if stop else None),) * net.axes)]


def unet(net, x, how="up", mode="nearest"):
    """Down by 2, up again to the size of what was there before, and both side by side."""
    low = conv(net, F.avg_pool2d(x, 2) if net.axes == 2 else pool(net, x))
    high = (
        up(net, low) if how == "up" else F.interpolate(low, x.shape[2:], mode=LINEAR[net.axes] if mode else "nearest")
    )
    return conv(net, torch.cat([high, x], 1), 1, before=0, after=0)


ints = st.integers
STEPS = {
    "conv": st.fixed_dictionaries(
        {
            "kernel": ints(1, 3),
            "stride": ints(1, 2),
            "dilation": ints(1, 2),
            "before": ints(0, 2),
            "after": ints(0, 2),
            "mode": st.sampled_from(["constant", "replicate", "reflect"]),
        }
    ),
    "up": st.fixed_dictionaries(
        {"kernel": ints(2, 4), "stride": ints(1, 2), "padding": ints(0, 1), "extra": ints(0, 1)}
    ),
    "resize": st.fixed_dictionaries(
        {"scale": st.sampled_from([2, 3, 1.5, 0.5]), "mode": st.sampled_from(["nearest", "nearest-exact", "linear"])}
    ),
    "pool": st.fixed_dictionaries({"kernel": ints(2, 3)}),
    "crop": st.fixed_dictionaries({"start": ints(0, 1), "stop": ints(0, 2)}),
    "unet": st.fixed_dictionaries({"how": st.sampled_from(["up", "size"]), "mode": st.sampled_from(["", "linear"])}),
}
networks = st.lists(
    st.sampled_from(sorted(STEPS)).flatmap(lambda name: STEPS[name].map(lambda numbers: (name, numbers))),
    min_size=1,
    max_size=4,
).map(lambda steps: [*steps, ("conv", {})])
