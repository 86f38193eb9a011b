"""Random small networks, drawn step by step from everything that the vocabulary describes."""

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import nn

C = 4


class Drawn(nn.Module):
    """A convolution to C channels, then the steps, each a name and its numbers.

    Weights are made when a step first asks for them, and kept. Each step leaves C channels.

    Args:
        steps: see `STEPS`.
        seed: of the weights.
    """

    def __init__(self, steps, seed=0):
        super().__init__()
        self.steps, self.seed, self.made = steps, seed, nn.ParameterDict()

    def __repr__(self):
        return f"Drawn({self.steps})"

    def forward(self, x):
        x = F.conv2d(x, self.weight("first", C, 3, 3, 3), padding=1)
        for at, (name, numbers) in enumerate(self.steps):
            self.at = at
            x = STEPS[name][0](self, x, **numbers)
        return x

    def weight(self, name, *shape):
        key = f"{getattr(self, 'at', '')} {name}".replace(".", "_")
        if key not in self.made:
            generator = torch.Generator().manual_seed(self.seed * 1000 + len(self.made))
            values = torch.randn(shape, dtype=torch.float64, generator=generator)
            values = values / torch.Size(shape[1:]).numel() ** 0.5
            self.made[key] = nn.Parameter(values)
        return self.made[key]

    def made_for(self, images):
        """The network once all weights are there."""
        with torch.no_grad():
            self(images)
        return self


def conv(net, x, kernel, stride, padding, dilation, groups, keyword):
    weight, bias = net.weight("w", C, C // groups, *kernel), net.weight("b", C)
    if keyword:
        return F.conv2d(x, weight=weight, bias=bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


def padded_conv(net, x, mode, amounts):
    return F.conv2d(F.pad(x, amounts, mode=mode), net.weight("w", C, C, 3, 3))


def max_pool(net, x, kernel, stride, padding, dilation, ceil, module):
    padding = tuple(min(padding, k // 2) for k in kernel)
    if module:
        return nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)(x)
    return F.max_pool2d(x, kernel, stride, padding, dilation, ceil)


def avg_pool(net, x, kernel, stride, padding, ceil, count, divisor):
    padding = tuple(min(padding, k // 2) for k in kernel)
    return F.avg_pool2d(x, kernel, stride, padding, ceil, count_include_pad=count, divisor_override=divisor)


def pad(net, x, amounts, value):
    return F.pad(x, amounts, value=value)


def lowest_pad(net, x, amounts):
    return F.max_pool2d(F.pad(x, amounts, value=-float("inf")), 3, 1)


def crop(net, x, start, stop, step):
    return x[:, :, start : x.shape[2] - stop : step, start : x.shape[3] - stop : step]


def narrow(net, x, dim, start, stop):
    return x.narrow(dim, start, x.shape[dim] - start - stop)


def upsample(net, x, module):
    pooled = F.avg_pool2d(x, 2)
    return nn.Upsample(scale_factor=2)(pooled) if module else F.interpolate(pooled, scale_factor=(2, 2))


def residual(net, x, how):
    y = F.conv2d(x, net.weight("w", C, C, 3, 3), padding=1)
    if how == "cat":
        return F.conv2d(torch.cat([x, y], 1), net.weight("v", C, 2 * C, 1, 1))
    return {"+": x + y, "*": x * y, "-": y.sub(x, alpha=0.5), "max": torch.maximum(x, y)}[how]


def split(net, x, how):
    a, b = {"split": lambda: x.split([1, 3], 1), "chunk": lambda: x.chunk(2, dim=1)}[how]()
    return torch.cat([b, a.relu()], dim=1)


def unbind(net, x):
    a, *rest = x.unbind(1)
    return torch.stack([*rest, a], 1)


def shuffle(net, x, how):
    if how == "function":
        return F.channel_shuffle(x, 2)
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def last(net, x, how):
    x = x.permute(0, 2, 3, 1)
    x = {
        "linear": lambda: F.linear(x, net.weight("w", C, C), net.weight("b", C)),
        "layer": lambda: F.layer_norm(x, (C,), net.weight("w", C), eps=0.1),
        "rms": lambda: F.rms_norm(x, (C,), eps=0.1),
        "glu": lambda: F.glu(torch.cat([x, x.flip(3)], 3)),
        "matmul": lambda: x + net.weight("w", C),
    }[how]()
    return x.permute(0, 3, 1, 2) if how == "rms" else x.movedim(-1, 1)


def norm(net, x, how):
    mean, var = net.weight("m", C), net.weight("v", C).detach().abs() + 0.5
    return {
        "batch": lambda: F.batch_norm(x, mean.detach(), var, net.weight("w", C), net.weight("b", C)),
        "group": lambda: F.group_norm(x, 2, net.weight("w", C), net.weight("b", C), eps=0.1),
        "instance": lambda: F.instance_norm(x, eps=0.1),
        "channels": lambda: F.normalize(x, dim=1, eps=0.1),
    }[how]()


def in_place(net, x, how):
    y = F.conv2d(x + 0.0, net.weight("w", C, C, 3, 3), padding=1)
    x = x + 0.0
    z = x
    {
        "add_": lambda: x.add_(y),
        "mul_": lambda: x.mul_(net.weight("s", C, 1, 1)),
        "sub_": lambda: torch.Tensor.sub_(x, other=y),
        "relu_": lambda: x.relu_(),
        "fill_": lambda: y[:, :2].fill_(0.5),
        "tanh": lambda: torch.tanh_(x),
        "leaky": lambda: F.leaky_relu(x, 0.2, inplace=True),
        "copy_": lambda: x.copy_(y),
        "clamp_": lambda: x.clamp_(min=-0.3, max=0.4),
        "view": lambda: y[:, :2].mul_(2),
        "loop": lambda: [part.add_(1.0) for part in y.chunk(2, 1)],
        "zero_": lambda: y.zero_(),
        "lerp_": lambda: x.lerp_(y, 0.25),
        "addcmul_": lambda: x.addcmul_(y, y, value=0.5),
        "masked_fill_": lambda: x.masked_fill_(y > 0, 0.1),
    }[how]()
    return z + y


def across(net, x, how):
    return {
        "mean": lambda: x - x.mean(1, keepdim=True),
        "amax": lambda: x * x.amax(1, True).sigmoid(),
        "max": lambda: x + x.max(dim=1, keepdim=True)[0],
        "norm": lambda: x / (1 + x.norm(dim=1, keepdim=True)),
        "softmax": lambda: x.softmax(1),
        "cumsum": lambda: x.cumsum(dim=1),
        "var": lambda: x * x.var(1, keepdim=True),
        "roll": lambda: x.roll(1, 1).flip(1),
        "picked": lambda: x[:, [2, 0, 3, 1]],
        "where": lambda: torch.where(x > 0, x, 0.1 * x),
        "prelu": lambda: F.prelu(x, net.weight("w", C)),
        "einsum": lambda: x.unsqueeze(2).mul(net.weight("w", C, 1, 1)).sum(2),
    }[how]()


def gate(net, x, how):
    s = {
        "mean": lambda: x.mean((2, 3), keepdim=True),
        "pool": lambda: F.adaptive_avg_pool2d(x, 1),
        "amax": lambda: x.amax((2, 3), keepdim=True),
        "max": lambda: nn.AdaptiveMaxPool2d(1)(x),
        "view": lambda: x.mean(dim=(2, 3)).view(x.shape[0], -1, 1, 1),
    }[how]()
    return x * torch.sigmoid(F.conv2d(s, net.weight("w", C, C, 1, 1)))


def activation(net, x, how):
    return getattr(F, how)(x)


def ways(words):
    """One of these ways to do it."""
    return {"how": st.sampled_from(words.split())}


ints, flags = st.integers, st.booleans()
sides = st.tuples(ints(1, 3), ints(1, 3))
quarters = st.tuples(*(ints(0, 2),) * 4)
# Of each step: the function, its numbers, and what is true of it:
#   gate: units see everything; wraps: padding shows other pixels; loose: it may hide pixels that it could show.
STEPS = {
    "conv": (
        conv,
        {
            "kernel": sides,
            "stride": st.sampled_from([1, 2, (2, 1)]),
            "padding": ints(0, 3),
            "dilation": ints(1, 2),
            "groups": st.sampled_from([1, 2, 4]),
            "keyword": flags,
        },
        "",
    ),
    "same": (
        conv,
        {
            "kernel": sides,
            "stride": st.just(1),
            "padding": st.sampled_from(["same", "valid"]),
            "dilation": ints(1, 2),
            "groups": st.just(1),
            "keyword": flags,
        },
        "",
    ),
    "padded": (
        padded_conv,
        {"mode": st.sampled_from(["reflect", "replicate", "circular"]), "amounts": quarters},
        "wraps",
    ),
    "max": (
        max_pool,
        {
            "kernel": sides,
            "stride": st.sampled_from([None, 1, 2]),
            "padding": ints(0, 1),
            "dilation": ints(1, 2),
            "ceil": flags,
            "module": flags,
        },
        "loose",
    ),
    "average": (
        avg_pool,
        {
            "kernel": sides,
            "stride": st.sampled_from([None, 1, 2]),
            "padding": ints(0, 1),
            "ceil": flags,
            "count": flags,
            "divisor": st.sampled_from([None, None, 3]),
        },
        "",
    ),
    "pad": (pad, {"amounts": st.tuples(*(ints(-1, 2),) * 4), "value": st.sampled_from([0.0, 0.5])}, ""),
    "lowest": (lowest_pad, {"amounts": quarters}, "loose"),
    "crop": (crop, {"start": ints(0, 2), "stop": ints(0, 2), "step": ints(1, 2)}, ""),
    "narrow": (narrow, {"dim": st.sampled_from([2, -1]), "start": ints(0, 1), "stop": ints(0, 2)}, ""),
    "upsample": (upsample, {"module": flags}, "loose"),
    "residual": (residual, ways("cat + * - max"), ""),
    "split": (split, ways("split chunk"), ""),
    "unbind": (unbind, {}, ""),
    "shuffle": (shuffle, ways("function view"), ""),
    "last": (last, ways("linear layer rms glu matmul"), ""),
    "norm": (norm, ways("batch channels"), ""),
    "global norm": (norm, ways("group instance"), "gate"),
    "in place": (
        in_place,
        ways("add_ mul_ sub_ relu_ tanh leaky copy_ clamp_ lerp_ addcmul_ masked_fill_ fill_ view loop zero_"),
        "loose",
    ),
    "across": (
        across,
        ways("mean amax max norm softmax cumsum var roll picked where prelu einsum"),
        "",
    ),
    "gate": (gate, ways("mean pool amax max view"), "gate"),
    "activation": (activation, ways("gelu tanh silu relu softplus"), "loose"),
}


def step(name):
    numbers = STEPS[name][1]
    return st.fixed_dictionaries(numbers).map(lambda found: (name, found))


def kinds(steps):
    """What is true of a network's steps."""
    return {STEPS[name][2] for name, _ in steps} - {""}


networks = st.lists(st.sampled_from(sorted(STEPS)).flatmap(step), min_size=1, max_size=5).map(tuple)
