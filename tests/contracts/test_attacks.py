"""What a network may do to maps and to numbers pooled from them, away from the usual path."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrizations

from equivariance.boundary import RULES, bounded, unwrap
from equivariance.canvas import CanvasUnsupported, place
from equivariance.errors import UserError
from equivariance.reach import Unseen, reach

C = 4
W = torch.randn(C, C, 3, 3, generator=torch.Generator().manual_seed(0))


class Leaf(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, x):
        return self.call(x)


def canvas():
    pictures = torch.randn(2, C, 3, 3, generator=torch.Generator().manual_seed(1))
    return place(pictures, (9, 8), [(1, 2), (5, 1)], (0.3, -0.2, 0.5, 0.1))


READERS = {
    "canvas": (lambda net: net(canvas()), CanvasUnsupported),
    "boundary": (lambda net: unwrap(net(bounded(canvas().dense(), RULES["valid"]))), UserError),
    "reach": (lambda net: reach(net, 9, 8, channels=C), Unseen),
}


def hooked():
    conv = nn.Conv2d(C, C, 3)
    conv.register_forward_pre_hook(lambda module, given: (given[0] + 1,))
    conv.register_forward_hook(lambda module, given, found: found * 2)
    return conv


def autocast(dtype, call):
    def run(x):
        with torch.autocast("cpu", dtype=dtype):
            return call(x)

    return run


torch.manual_seed(0)
ORTHOGONAL = parametrizations.orthogonal(nn.Linear(C, C))
HOOKED = hooked()
SAME = {
    "weight norm": parametrizations.weight_norm(nn.Conv2d(C, C, 3)),
    "spectral norm": parametrizations.spectral_norm(nn.Conv2d(C, C, 3)).eval(),
    "orthogonal": Leaf(lambda x: ORTHOGONAL(x.movedim(1, -1))),
    "hooks": HOOKED,
    "functional_call": Leaf(lambda x: functional_call(HOOKED, {k: 2 * v for k, v in HOOKED.named_parameters()}, (x,))),
    "fx": torch.fx.symbolic_trace(nn.Sequential(nn.Conv2d(C, C, 3), nn.ReLU())),
    "bfloat16": Leaf(autocast(torch.bfloat16, lambda x: F.softmax(F.conv2d(x, W), 1))),
    "float16": Leaf(autocast(torch.float16, lambda x: F.relu(F.conv2d(x, W), inplace=True))),
    "autocast norm": Leaf(autocast(torch.bfloat16, lambda x: F.group_norm(F.conv2d(x, W), 2))),
    "magnitude": Leaf(lambda x: (x * 1j).abs()),
    "asarray": Leaf(lambda x: torch.asarray(x) * 2),
    "names": Leaf(lambda x: x.max(1, keepdim=True).values * x.min(dim=1, keepdim=True).indices),
    "whole numbers": Leaf(lambda x: (x > 0).long() + (10 * x).int()),
    "weight.to(x)": Leaf(lambda x: x * torch.ones(C, 1, 1, dtype=torch.float64).type_as(x)),
}


@pytest.mark.parametrize("name", SAME)
def test_what_goes_the_long_way_round_gives_what_dense_gives(name):
    with torch.no_grad():
        wanted = SAME[name](canvas().dense())
        found = READERS["canvas"][0](SAME[name]).dense(), READERS["boundary"][0](SAME[name])
    bound = 2e-2 if wanted.dtype != torch.float32 or name == "autocast norm" else 1e-5
    for each in found:
        assert each.dtype == wanted.dtype
        assert torch.allclose(each, wanted, bound, bound)
    assert READERS["reach"][0](SAME[name]).sides == wanted.shape[2:] if name != "orthogonal" else (9, 8)


POOLED = {
    "count": lambda x: (x > 0).sum((2, 3)),
    "share": lambda x: (x > 0).to(x.dtype).mean((2, 3)),
    "least whole number": lambda x: (10 * x).int().amin((2, 3)),
    "any": lambda x: (x > 0).amax((2, 3), keepdim=True),
    "all": lambda x: (x > 0).amin((2, 3)),
    "magnitudes": lambda x: (x * 1j).sum((2, 3)).abs(),
}


@pytest.mark.parametrize("name", POOLED)
def test_counts_and_masks_are_pooled_as_dense_pools_them(name):
    wanted = POOLED[name](canvas().dense())
    for reader in ("canvas", "boundary"):
        found = READERS[reader][0](Leaf(POOLED[name]))
        assert found.dtype == wanted.dtype
        assert torch.allclose(found, wanted)


REFUSED = {
    "a slice written through": lambda x: (x[:, :2][:, 1:].mul_(2), x)[1],
    "a turned map written through": lambda x: (x.permute(0, 2, 3, 1).add_(1), x)[1],
    "detached and written": lambda x: (x.detach().add_(1), x)[1],
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "requires_grad": lambda x: setattr(x, "requires_grad", False),
    "data": lambda x: setattr(x, "data", x),
    "real": lambda x: setattr(x, "real", x),
    "vmap": lambda x: torch.vmap(lambda each: each * 2)(x),
    "TorchScript": lambda x: torch.jit.script(nn.ReLU())(x),
    "conjugate": lambda x: (x * 1j).conj().imag,
    "sparse": lambda x: x.to_sparse(),
    "quantised": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
    "foreach": lambda x: torch._foreach_add_([x], 1.0),
    "item": lambda x: x.mean().item(),
    "a condition": lambda x: x if (x > 0).all() else -x,
    "as_subclass": lambda x: x.as_subclass(torch.Tensor),
    "numpy": lambda x: x.numpy(),
    "fold": lambda x: F.fold(F.unfold(x, 3), (9, 8), 3),
    "a mask of entries": lambda x: x[x > 0],
    "where alone": torch.where,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_a_map_is_refused_in_one_line(reader, name):
    run, error = READERS[reader]
    with pytest.raises(error) as refused, torch.no_grad():
        run(Leaf(lambda x: REFUSED[name](x + 0.0)))
    assert "\n" not in str(refused.value)
    assert "called in" in str(refused.value)


def test_padding_that_no_layer_takes_up_is_refused():
    with pytest.raises(UserError, match="padding at its end"):
        unwrap(nn.ZeroPad2d(1)(bounded(canvas().dense(), RULES["full"])))


def pooled(x):
    return x.mean((2, 3)), F.conv2d(x, W).mean((2, 3))


def _filled(x):
    kept = torch.zeros(x.shape[0], C)
    kept[:] = pooled(x)[0]
    return kept


def _copied(x):
    kept = torch.zeros(x.shape[0], C)
    kept.copy_(pooled(x)[0])
    return kept


def _added(x):
    one, other = pooled(x)
    one.add_(other)
    return one


def _out(x):
    kept = torch.zeros(x.shape[0], C)
    torch.mul(pooled(x)[0], 2.0, out=kept)
    return kept


WRITTEN = {"filled": _filled, "copied": _copied, "added": _added, "out": _out}


@pytest.mark.parametrize("name", WRITTEN)
def test_pooled_numbers_are_not_lost_in_a_tensor_that_they_are_written_into(name):
    """A gate by such a tensor would otherwise be certified as if it saw nothing."""
    with pytest.raises(Unseen, match="writes statistics"):
        reach(Leaf(lambda x: x * WRITTEN[name](x)[:, :, None, None]), 9, 8, channels=C)


def test_pooled_numbers_may_be_changed_in_place_by_what_they_depend_on_already():
    def gate(x):
        s = x.mean((2, 3))
        s.mul_(2.0).add_(s)
        F.relu(s, inplace=True)
        return x * s[:, :, None, None]

    assert len(reach(Leaf(gate), 9, 8, channels=C).pools) == 1


@pytest.mark.parametrize("ask", [lambda s: float(s.max()), lambda s: bool(s.sum() > 0), lambda s: s.tolist()])
def test_a_network_that_asks_for_the_value_of_a_pooled_number_is_refused(ask):
    with pytest.raises(Unseen, match="asks for a number"):
        reach(Leaf(lambda x: (ask(x.mean((2, 3))), x)[1]), 9, 8, channels=C)
