"""Small networks that together use every kind of description, in the ways people write them."""

import torch
import torch.nn.functional as F
from torch import nn

C = 4


class Net(nn.Module):
    """Two convolutions, something done to the maps between them, and a last convolution that leans on it."""

    def __init__(self, between, stride=2):
        super().__init__()
        self.between = between
        self.first = nn.Conv2d(3, C, 3, stride, 1)
        self.side = nn.Conv2d(C, C, 5, padding=2)
        self.squeeze, self.excite = nn.Conv2d(C, 2, 1), nn.Conv2d(2, C, 1)
        self.linear, self.slope = nn.Linear(C, C), nn.Parameter(torch.rand(C))
        self.norm, self.bn = nn.LayerNorm(C), nn.BatchNorm2d(C)
        self.eca = nn.Conv1d(1, 1, 3, padding=1)
        self.last = nn.LazyConv2d(C, 3, padding=1)

    def forward(self, x):
        return F.gelu(self.last(F.gelu(self.between(self, F.gelu(self.first(x))))))


def _statement(op):
    def between(net, x):
        y = net.side(x + 0.0)
        getattr(x, op)(y)  # what it returns is dropped
        return x

    return between


def _slice(net, x):
    y = net.side(x)[:, :2]
    y += 1.0
    return torch.cat([y, x], 1)


def _gate(net, x):
    s = F.adaptive_avg_pool2d(x, 1)
    return x * net.excite(F.relu(net.squeeze(s))).sigmoid()


def _gate_in_place(net, x):
    x *= net.excite(net.squeeze(x.mean((2, 3), keepdim=True))).sigmoid()
    return x


def _eca(net, x):
    y = net.eca(x.mean((2, 3)).view(x.shape[0], 1, -1))
    return x * y.sigmoid().view(x.shape[0], -1, 1, 1).expand_as(x)


def _grn(net, x):
    x = x.permute(0, 2, 3, 1)
    g = x.norm(p=2, dim=(1, 2), keepdim=True)
    n = g / (g.mean(dim=-1, keepdim=True) + 1e-6)
    return torch.addcmul(net.slope, net.slope, x * n).permute(0, 3, 1, 2)


def _cbam(net, x):
    pooled = torch.cat([x.mean(1, keepdim=True), x.amax(dim=1, keepdim=True), x.max(1, True)[0]], 1)
    return x * torch.sigmoid(pooled.sum(1, keepdim=True))


def _shuffle(net, x):
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def _split_attention(net, x):
    parts = torch.cat([x, net.side(x)], 1)
    n, c, h, w = parts.shape
    parts, c = parts.reshape(n, 2, c // 2, h, w), c // 2
    weights = F.softmax(parts.sum(dim=1).mean((2, 3), keepdim=True).view(n, 1, c, 1, 1).expand(n, 2, c, 1, 1), dim=1)
    return (parts * weights).sum(dim=1)


def _hierarchy(net, x):
    a, b = torch.split(x, C // 2, 1)
    b = b + a
    return torch.cat((a, b.chunk(2, dim=1)[1], b), dim=1)


def _nhwc(net, x):
    y = x.permute(0, 2, 3, 1)
    y = F.layer_norm(input=y, normalized_shape=(C,), weight=net.norm.weight, bias=net.norm.bias)
    return x + net.slope.view(1, -1, 1, 1) * F.gelu(net.linear(y)).movedim(3, 1)


def _rms(net, x):
    return x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6)


def _same_padding(net, x):
    x = F.pad(x, [0, 1, 0, 1], value=-float("inf"))
    return F.max_pool2d(x, kernel_size=3, stride=2)


def _stacked(net, x):
    return torch.stack([x, net.side(x)], dim=1).flatten(1, 2)


def _two_phases(net, x):
    """Two strided branches of which one is a pixel ahead, as in the cells of NASNet."""
    ahead = F.avg_pool2d(F.pad(x, (-1, 1, -1, 1)), 1, 2)
    return torch.cat([F.avg_pool2d(x, 1, 2), ahead], 1)


BETWEEN = {
    "two phases": _two_phases,
    "add_ as a statement": _statement("add_"),
    "mul_ as a statement": _statement("mul_"),
    "sub_ as a statement": _statement("sub_"),
    "relu_ as a statement": lambda net, x: (x.relu_(), x)[1],
    "functional in place": lambda net, x: (F.leaky_relu(x, 0.1, True), x)[1],
    "+=": lambda net, x: x.__iadd__(net.side(x + 0.0)),
    "written slice": _slice,
    "gate": _gate,
    "gate in place": _gate_in_place,
    "efficient channel attention": _eca,
    "global response norm": _grn,
    "channel statistics": _cbam,
    "shuffle": _shuffle,
    "split attention": _split_attention,
    "hierarchy": _hierarchy,
    "channels last": _nhwc,
    "root mean square": _rms,
    "pad by -inf": _same_padding,
    "stack": _stacked,
    "group norm": lambda net, x: F.group_norm(x, 2, net.norm.weight, net.norm.bias),
    "instance norm": lambda net, x: F.instance_norm(x, weight=net.norm.weight),
    "batch norm": lambda net, x: net.bn(x),
    "activations": lambda net, x: F.mish(F.celu(F.selu(F.softsign(F.prelu(x, net.slope))))),
    "average pool": lambda net, x: F.avg_pool2d(x, 3, 2, 1),
    "max pool": lambda net, x: F.max_pool2d(x, 3, stride=2, padding=1),
    "dilated": lambda net, x: F.conv2d(x, net.side.weight, padding=4, dilation=2),
    "picked channels": lambda net, x: x[:, [2, 0, 1]].roll(1, 1),
    "unsqueezed": lambda net, x: x.unsqueeze(2).squeeze(2).unflatten(1, (2, 2)).flatten(1, 2),
    "normalised": lambda net, x: F.normalize(x, dim=1),
    "comparison": lambda net, x: torch.where(x > 0, x, 0.1 * x),
}
# These let every unit see everything.
GATED = {"gate", "gate in place", "efficient channel attention", "global response norm", "split attention"}
GATED |= {"group norm", "instance norm"}


def network(name, seed=0):
    torch.manual_seed(seed)
    net = Net(BETWEEN[name]).double().eval()
    net(torch.rand(1, 3, 64, 64, dtype=torch.float64))  # the last layer learns its channels
    for norm in (net.bn, net.norm):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    net.bn.running_mean.uniform_(-0.2, 0.2)
    net.bn.running_var.uniform_(0.5, 1.5)
    return net
