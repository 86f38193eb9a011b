"""Whatever the image holds, in whatever type, tiles give what the whole image does."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.errors import UserError
from equivariance.tiles import halo, tiled

from .networks import C


class ResBlock(nn.Module):
    """Norm, activation and convolution, twice, around a shortcut."""

    def __init__(self, before, after):
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(2, width) for width in (before, after))
        self.convs = nn.ModuleList(nn.Conv2d(width, after, 3, padding=1) for width in (before, after))
        self.shortcut = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x):
        found = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            found = conv(F.silu(norm(found)))
        return self.shortcut(x) + found


class Decoder(nn.Sequential):
    """Of a variational autoencoder, as latent diffusion has it but for its attention: four latents to a picture.

    Source: Esser et al. 2021 (arXiv 2012.09841), table 7.
    """

    def __init__(self):
        torch.manual_seed(0)
        up = [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(8, 8, 3, padding=1)]
        last = [nn.GroupNorm(2, 4), nn.SiLU(), nn.Conv2d(4, 3, 3, padding=1)]
        super().__init__(nn.Conv2d(4, 8, 3, padding=1), ResBlock(8, 8), *up, ResBlock(8, 8), *up, ResBlock(8, 4), *last)


def picture(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@torch.no_grad()
def whole(net, image):
    return net(image[None])[0]


def test_a_decoder_of_latents_without_attention_is_exact_by_passes():
    net, latents = Decoder().double().eval(), picture(4, 30, 26)
    latents[:, :10] *= 4  # tiles differ in their statistics
    found = halo(net, 4)
    assert (found.exact, found.two_passes, found.scale, len(found.reasons)) == (False, True, (4, 4), 7)
    apart = tiled(net, latents, 18) - whole(net, latents).numpy()
    assert apart.shape == (3, 120, 104)
    assert np.abs(apart).max() < 1e-12
    assert np.abs(tiled(net, latents, 18, found) - whole(net, latents).numpy()).max() > 1e-2  # each tile's own


def network(*middle):
    torch.manual_seed(0)
    layers = nn.Conv2d(C, C, 3, padding=1), *middle, nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="bilinear")
    return nn.Sequential(*layers, nn.Conv2d(C, 2, 5, padding=2)).eval()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
def test_what_is_not_finite_stays_where_the_network_puts_it(value, norm):
    net, image = network(norm(C)).double(), picture(C, 41, 36)
    image[0, 13, 7] = image[2, 32, 31] = value
    wanted, found = whole(net, image).numpy(), tiled(net, image, 20)
    assert np.isnan(wanted).mean() + np.isinf(wanted).mean() > 0
    for kind in (np.isnan, np.isposinf, np.isneginf):
        assert np.array_equal(kind(found), kind(wanted))
    there = np.isfinite(wanted)
    assert there.any() == (norm is nn.BatchNorm2d)
    assert np.abs(found[there] - wanted[there]).max(initial=0) < 1e-12


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, lambda channels: nn.GroupNorm(1, channels)])
@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(torch.float64, "f8"), (torch.float32, "f4"), (torch.float16, "f2"), (torch.bfloat16, "f4")],
)
def test_each_floating_type_is_exact_to_its_rounding(dtype, kind, norm):
    net, image = network(norm(C)).to(dtype), picture(C, 41, 36)
    found, wanted = tiled(net, image, 20), whole(net, image.to(dtype)).double().numpy()
    assert found.dtype == np.dtype(kind)
    assert np.abs(found - wanted).max() <= 8 * torch.finfo(dtype).eps * np.abs(wanted).max()


@pytest.mark.parametrize("kind", ["i4", "u1", "?"])
def test_an_output_that_cannot_hold_the_map_is_refused(kind):
    with pytest.raises(UserError, match=r"out: \w+, the output is float32; allowed: floating-point"):
        tiled(network(), picture(C, 41, 36), 20, out=np.zeros((2, 40, 36), kind))


class Classes(nn.Module):
    """The class of each pixel."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x).argmax(1, keepdim=True)


def test_classes_are_written_as_whole_numbers():
    image, out = picture(C, 41, 36).float(), np.zeros((1, 40, 36), np.uint8)
    tiled(Classes(), image, 20, out=out)
    assert np.array_equal(out, whole(Classes(), image).numpy())
    assert 0 < out.mean() < 1


class Mixed(nn.Module):
    """Computes in half precision where torch thinks that is safe."""

    def __init__(self):
        super().__init__()
        self.net = network(nn.GroupNorm(1, C))

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.net(x)


def test_mixed_precision_is_the_network_s_own():
    image = picture(C, 41, 36).float()
    wanted = whole(Mixed(), image).double().numpy()
    assert np.abs(tiled(Mixed(), image, 20) - wanted).max() <= 8 * torch.finfo(torch.bfloat16).eps * wanted.max()


def test_an_output_may_be_a_tensor():
    out = torch.zeros(2, 40, 36)
    assert tiled(network(), picture(C, 41, 36), 20, out=out) is out
    assert torch.equal(out, whole(network(), picture(C, 41, 36).float()))
