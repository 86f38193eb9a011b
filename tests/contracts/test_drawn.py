"""Networks drawn at random on every reader: values against dense, places against shifts, sight against the Jacobian."""

import contextlib
from collections import Counter

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings

from equivariance.boundary import RULES, bounded, unwrap
from equivariance.canvas import Canvas, CanvasUnsupported
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.reach import reach
from equivariance.theory import certified, smallest_certified_border
from tests.canvas.oracle import IllPosed, Scene, assert_equal, outcome

from .continued import Continued
from .drawn import C, Drawn, kinds, networks

COLOUR = (0.3, -0.2, 0.5)
SIDE = 33
TASK = Quadrant(9, SIDE, 0, COLOUR)
STRIDE = 8  # shifts are by multiples of it
RAN = Counter()  # networks that a reader read to the end, and those it refused


@contextlib.contextmanager
def reading(reader, refusal):
    """A refusal is one line that names the module; anything else is an error."""
    try:
        yield
        RAN[reader] += 1
    except refusal as error:
        RAN[reader, "refused"] += 1
        said = str(error)
        assert "\n" not in said
        assert "called in" in said or "too small" in said


def made(steps, side=SIDE, seed=0):
    """The network with its weights; drawn anew where dense has no result, or none of a useful size."""
    net = Drawn(steps, seed)
    try:
        net.made_for(torch.rand(2, 3, side, side, dtype=torch.float64))
        with torch.no_grad():
            found = net(torch.rand(2, 3, side, side, dtype=torch.float64))
    except (RuntimeError, ValueError):
        assume(False)
    assume(min(found.shape[2:]) >= 4)
    assume(found.isfinite().all())
    return net.eval()


def small_scene(seed=1):
    """Two pictures at an edge, in the open, and in a corner."""
    pictures = torch.randn(2, 3, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    corners = [corner for corner in ((0, 3), (16, 16), (33, 34)) for _ in range(2)]
    return Scene(pictures, (40, 40), corners, torch.tensor(COLOUR, dtype=torch.float64))


def on_canvas(steps):
    net = made(steps, 40)
    try:
        outcome(net, small_scene(), False)
    except RuntimeError:  # autograd refuses in-place calls on some views
        assume(False)
    with reading("canvas", CanvasUnsupported):
        for seed in (1, 2, 3):
            with contextlib.suppress(IllPosed):
                assert_equal(net, small_scene(seed), jitters=1)
                return


def images(picture, y, x, side):
    image = torch.tensor(COLOUR, dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, side, side).clone()
    image[:, :, y : y + 9, x : x + 9] = picture
    return image


def unbounded(steps):
    net, picture = made(steps), torch.randn(1, 3, 9, 9, dtype=torch.float64)
    pooled = []
    with reading("unbounded", UserError), torch.no_grad():
        for y, x in ((8, 0), (16, 8), (24, 24), (8, 16)):
            found = net(bounded(images(picture, y, x, SIDE), RULES["unbounded"], COLOUR))
            assume(all(STRIDE % stride == 0 for stride in found.total_stride))
            found = unwrap(found)
            pooled.append(torch.cat([found.amax((2, 3)), found.amin((2, 3))], 1))
        for other in pooled[1:]:
            assert torch.allclose(other, pooled[0], 1e-9, 1e-9)


def types_on_canvas(steps, conv):
    net, x = made(steps, 40), small_scene()
    with reading(conv, (UserError, CanvasUnsupported)), torch.no_grad():
        wanted = unwrap(net(bounded(x.painted(), RULES[conv], COLOUR)))
        found = unwrap(net(bounded(x.canvas(), RULES[conv], COLOUR)))
        found = found.dense() if isinstance(found, Canvas) else found
        assert found.shape == wanted.shape
        assert torch.allclose(found, wanted, 1e-9, 1e-9 * float(wanted.abs().max()), equal_nan=True)


def written_out(steps, mode):
    """A type that continues the map is the network with every padding done by hand; steps that pad or cut excluded."""
    assume(not {"pad", "lowest", "crop", "narrow", "padded", "upsample"} & {name for name, _ in steps})
    net, image = made(steps), torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64)
    with reading(f"written {mode}", UserError), torch.no_grad():
        found = unwrap(net(bounded(image, RULES[mode])))
        with Continued(mode):
            wanted = net(image)
        assert found.shape == wanted.shape
        assert torch.allclose(found, wanted, 1e-9, 1e-9 * float(wanted.abs().max()))


def support(steps, unit):
    """The rows and columns of the image in which the derivative of a unit is ever not zero."""
    seen = [torch.zeros(SIDE, dtype=torch.bool) for _ in range(2)]
    for seed in range(3):
        net = made(steps, seed=seed)
        image = torch.randn(1, 3, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
        found = net(image)[0, :, unit[0], unit[1]] @ torch.randn(C, dtype=torch.float64)
        if found.requires_grad:
            (grad,) = torch.autograd.grad(found, image)
            seen = [rows | (grad.abs().amax(dims) > 0) for rows, dims in zip(seen, ((0, 1, 3), (0, 1, 2)), strict=True)]
    return [rows.nonzero().flatten().tolist() for rows in seen]


def sight(steps):
    net = made(steps)
    with reading("sight", UserError):
        found = reach(net, SIDE, SIDE)
        with torch.no_grad():
            assert found.sides == net(torch.rand(1, 3, SIDE, SIDE, dtype=torch.float64)).shape[2:]
        middle = tuple(n // 2 for n in found.sides)
        for unit in (middle, (0, found.sides[1] - 1)):
            judge_sight(steps, found, unit)


def judge_sight(steps, found, unit):
    of = kinds(steps)
    assert bool(found.pools) == ("gate" in of)
    if "gate" in of:
        return
    inner = all(one.head <= at < one.size - one.tail for one, at in zip(found.sights, unit, strict=True))
    for rows, one, at in zip(support(steps, unit), found.sights, unit, strict=True):
        low, high = one.stride * at + one.first, one.stride * at + one.last
        if "wraps" not in of or inner:
            assert all(low <= row <= high for row in rows)
        if inner and not of:
            assert (rows[0], rows[-1]) == (low, high)


def certificate(steps):
    net = made(steps)
    border = smallest_certified_border(net, TASK, limit=64)
    RAN["certificate" if border is not None else ("certificate", "refused")] += 1
    if border is None:
        return
    task, picture = Quadrant(9, SIDE, border, COLOUR), torch.randn(1, 3, 9, 9, dtype=torch.float64)
    assert certified(net, task)
    pooled = []
    for label in (0, 1):
        with torch.no_grad():
            found = net(task.images(picture, torch.tensor([label])).dense())
        pooled.append(torch.cat([found.mean((2, 3)), found.amax((2, 3)), found.amin((2, 3))], 1))
    assert torch.allclose(*pooled, 1e-9, 1e-9)


CONTRACTS = {
    "canvas": on_canvas,
    "unbounded": unbounded,
    "full": lambda steps: types_on_canvas(steps, "full"),
    "circular": lambda steps: types_on_canvas(steps, "circular"),
    "written circular": lambda steps: written_out(steps, "circular"),
    "written reflect": lambda steps: written_out(steps, "reflect"),
    "written replicate": lambda steps: written_out(steps, "replicate"),
    "sight": sight,
    "certificate": certificate,
}


def hold(contract, examples):
    RAN.clear()

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(networks)
    def judged(steps):
        CONTRACTS[contract](steps)

    judged()
    print(contract, dict(RAN))
    assert RAN[contract] >= examples / 5


@pytest.mark.parametrize("contract", CONTRACTS)
def test_drawn_networks_keep_the_contract(contract):
    hold(contract, 25)


@pytest.mark.slow
@pytest.mark.parametrize("contract", CONTRACTS)
def test_many_drawn_networks_keep_the_contract(contract):
    hold(contract, 500)
