"""Functions called in unusual ways, on numbers of unusual types: what dense gives, or an error where it gives none."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import handle_torch_function, has_torch_function_unary

from equivariance.boundary import RULES, bounded, unwrap
from equivariance.canvas import CanvasUnsupported, place
from equivariance.errors import UserError
from equivariance.reach import reach
from equivariance.reach.resampling import Places

from .test_attacks import READERS, Leaf

C = 4
K = torch.randn(C, C, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def canvas(gradients=False):
    pictures = torch.randn(2, C, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pictures.requires_grad_(gradients)
    return pictures, place(pictures, (9, 8), [(1, 2), (5, 1)], (0.3, -0.2, 0.5, 0.1))


SAME = {
    "narrow from the end": lambda x: x.narrow(1, -3, 3),
    "one output": lambda x: F.linear(x.movedim(1, -1), K[0, :, 0, 0]),
    "no correction": lambda x: torch.var(x, 1, correction=None),
    "too large a correction": lambda x: x.var(1, correction=5),
    "variance of one channel": lambda x: x[:, :1].var(1),
    "deviation of one channel": lambda x: x[:, :1].std(dim=1, keepdim=True),
    "norm of no numbers": lambda x: torch.linalg.vector_norm(x * torch.nan, dim=1),
    "norm beyond float16": lambda x: (x.half() * 1000).norm(dim=1),
    "group norm beyond float16": lambda x: F.group_norm((x * 1000).half(), 2),
    "variance of bfloat16": lambda x: (x * 10).bfloat16().var(1, correction=0),
    "compared with nothing": lambda x: x * ((x == None) + (x != None)),  # noqa: E711 - it is what is tested
    "another type in place": lambda x: (x > 0).int().copy_(10 * x),
}


@pytest.mark.parametrize("name", SAME)
def test_a_call_in_an_unusual_way_gives_what_dense_gives(name):
    _, x = canvas()
    wanted = SAME[name](x.dense())
    bound = 1e-10 if wanted.dtype == torch.float64 else 1e-2
    for found in (SAME[name](x).dense(), unwrap(SAME[name](bounded(x.dense(), RULES["valid"])))):
        assert found.dtype == wanted.dtype
        assert torch.allclose(found, wanted, bound, bound, equal_nan=True)
    assert reach(Leaf(SAME[name]), 9, 8, channels=C).shape[1:] == wanted.shape[1:]


def test_a_deviation_of_equal_numbers_has_the_gradient_of_dense():
    found = []
    for dense in (False, True):
        pictures, x = canvas(gradients=True)
        x = F.relu(x - 1) * 0  # all of it
        (x.dense() if dense else x).std((2, 3)).sum().backward()
        found.append(pictures.grad)
    assert torch.equal(*found)
    assert found[0].isfinite().all()


LIBRARY = torch.library.Library("equivariance_contracts", "DEF")
LIBRARY.define("mul(Tensor x, Tensor y) -> Tensor")
LIBRARY.impl("mul", lambda x, y: x.roll(1, 2) * y, "CompositeExplicitAutograd")


def sigmoid(x):
    if has_torch_function_unary(x):
        return handle_torch_function(sigmoid, (x,), x)
    return x.cumsum(2)


REFUSED = {
    "an operator that is named as one of torch's": lambda x: torch.ops.equivariance_contracts.mul(x, x),
    "a function that is": sigmoid,
    "bool()": lambda x: x if bool(x) else -x,
    "float()": lambda x: x * float(x),
    "variance of all": lambda x: torch.var(x, True),
    "variance of complex numbers": lambda x: torch.complex(x, x).var(1),
    "norm of complex numbers": lambda x: torch.complex(x, x).norm(dim=1),
    "nothing left": lambda x: F.avg_pool2d(x, 3)[:, :, 2:1],
    "no bin": lambda x: F.adaptive_avg_pool2d(x, 0),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_what_it_seems_is_refused_in_one_line(reader, name):
    run, error = READERS[reader]
    with pytest.raises(error) as refused, torch.no_grad():
        run(Leaf(lambda x: REFUSED[name](x + 0.0)))
    assert "\n" not in str(refused.value)
    assert "called in" in str(refused.value)


IMPOSSIBLE = {
    "negative padding": lambda x: F.conv2d(x, K, padding=-1),
    "no stride": lambda x: F.max_pool2d(x, 2, 0),
    "no dilation": lambda x: F.conv2d(x, K, dilation=0),
    "output padding": lambda x: F.conv_transpose2d(x, K, stride=2, output_padding=2),
    "half a pair": lambda x: F.pad(x, (1, 2, 3)),
    "more dimensions than there are": lambda x: F.pad(x, (0,) * 10),
    "more than there is": lambda x: x.narrow(1, 2, 10),
    "whole numbers that would be fractions": lambda x: (x > 0).int().add_(0.5),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_dense_does_not_compute_no_reader_does(name):
    x = canvas()[1]
    with pytest.raises(RuntimeError):
        IMPOSSIBLE[name](x.dense())
    for images, error in ((x, CanvasUnsupported), (bounded(x.dense(), RULES["full"]), UserError)):
        with pytest.raises((ValueError, error)):
            IMPOSSIBLE[name](images)
    if "fractions" not in name:  # it knows of no types
        with pytest.raises(UserError, match="Leaf"):
            reach(Leaf(IMPOSSIBLE[name]), 9, 8, channels=C)


def test_partial_spreads_an_infinity_no_further_than_the_kernel_that_meets_it():
    x, depthwise = canvas()[1].dense(), K[:, :1]
    x[:, 0, 4, 4] = torch.inf

    def call(images):
        return F.conv2d(images, depthwise, padding=1, groups=C)

    found, wanted = unwrap(call(bounded(x, RULES["partial"]))), call(x)
    assert torch.equal(found.isfinite(), wanted.isfinite())
    assert torch.allclose(found[:, :, 1:-1, 1:-1], wanted[:, :, 1:-1, 1:-1])


@pytest.mark.parametrize("conv", RULES)
def test_a_slice_of_one_row_is_not_taken_for_a_map_of_one_row(conv):
    x = canvas()[1].dense()
    with pytest.raises(UserError, match="a slice"):
        (lambda images: images * images[:, :, :1])(bounded(x, RULES[conv]))


@pytest.mark.parametrize("name", ["positive", "conj_physical"])
def test_what_torch_gives_back_itself_is_not_written_into_unseen(name):
    """The map would be certified as if nothing had been added to it."""

    def call(x):
        getattr(torch, name)(x).add_(F.conv2d(x, K, padding=1))
        return x

    with pytest.raises(UserError, match="shares memory"):
        reach(Leaf(call), 9, 8, channels=C)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_units_that_take_entries_beyond_one_are_counted_where_places_meet_entries(mode):
    """There a unit takes fewer entries than those before and after it."""
    for step, start in ((Fraction(1, 3), Fraction(-1, 3)), (Fraction(3, 2), Fraction(1, 4)), (Fraction(2, 3), 0)):
        places = Places(20, step, Fraction(start), mode)
        for entry in range(-3, 12):
            before = [unit for unit in range(20) if places.low(unit) < entry]
            after = [unit for unit in range(20) if places.high(unit) >= entry]
            assert places.before(entry) == max(before, default=-1) + 1
            assert places.up_to(entry) == min(after, default=20)
