"""A trunk is the network up to its pooling: with average pooling and the last linear layer it is the network."""

import copy

import pytest
import torch
from torch import nn

from equivariance.config import Arch
from equivariance.errors import UserError
from equivariance.models import hollow
from equivariance.models.trunk import trunk
from tests.models.networks import EXTRA, network, shift_normalisation

NETWORKS = ["resnet18", "densenet121", "mobilenet_v2", "googlenet", "bagnet33", "efficientnet-lite0"]


@pytest.mark.parametrize("name", NETWORKS)
def test_trunk_pooling_and_last_linear_layer_equal_the_network(name):
    if name in EXTRA:
        pytest.importorskip(EXTRA[name], reason="the extra 'pretrained' is not installed")
    found = network(name)
    shift_normalisation(found)
    images = torch.randn(1, 3, 97, 66, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    linear = [m for m in found.network.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        expected = found.network(images)
        feature_map = found(images)
    assert feature_map.shape[1] == found.channels == linear.in_features
    with torch.no_grad():
        torch.testing.assert_close(linear(feature_map.mean((2, 3))), expected, rtol=1e-9, atol=1e-9)
    assert expected.std() > 0


def test_a_timm_network_is_cut_the_same_way():
    timm = pytest.importorskip("timm", reason="the extra 'timm' is not installed")
    torch.manual_seed(0)
    found = trunk("timm", "resnet10t").eval()
    assert isinstance(found.network, timm.models.ResNet)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(found.network.fc(found(images).mean((2, 3))), found.network(images))


def test_a_trunk_comes_in_train_mode_with_untouched_statistics():
    found = trunk("torchvision", "resnet18")
    assert all(m.training for m in found.modules())
    assert found.network.bn1.num_batches_tracked == 0
    assert torch.equal(found.network.bn1.running_mean, torch.zeros(64))


@pytest.mark.parametrize(
    ("library", "name", "said"),
    [
        ("torchvision", "resnet19", "resnet18"),
        ("torchvision", "fcn_resnet50", "resnet18"),
        ("torchvision", "", "resnet18"),
        ("equivariance", "bagnet17", "bagnet33"),
        ("timm", "resnet18z", "resnet18d"),
        ("timm", "vit_tiny_patch16_224", "not a"),
        ("efficientnet_lite", "efficientnet-lite1", "efficientnet-lite0"),
    ],
)
def test_a_network_that_is_not_there_is_refused_in_one_line(library, name, said):
    needs = {"timm": "timm", "efficientnet_lite": "efficientnet_lite_pytorch"}
    if library in needs:
        pytest.importorskip(needs[library])
    with pytest.raises(UserError, match=f"^arch.name={name}: [^\n]*{said}[^\n]*$"):
        trunk(library, name)


def arch(library, name):
    return Arch.model_construct(library=library, name=name, maxpool_kernel=None)


def raising(error):
    def function(*arguments, **options):
        raise error

    return function


class Odd(nn.Module):
    """A network whose features are what they are."""

    def __init__(self, features):
        super().__init__()
        self.forward_features = features


ERRORS = [
    AssertionError(),
    RuntimeError(""),
    KeyError("x"),
    NotImplementedError(),
    StopIteration(),
    ValueError("\x1b[1ma\nb"),
]
ENDS = [None, [torch.zeros(1, 3, 2, 2)], (torch.zeros(1, 3, 2, 2),) * 2, {"x": 1}, 3.0, torch.zeros(1, 9, 3), "map"]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_constructor_that_raises_anything_gives_one_line(monkeypatch, library, error):
    pytest.importorskip(library)
    name = {"timm": "resnet10t", "torchvision": "resnet18"}[library]
    where = {"timm": "timm.create_model", "torchvision": "torchvision.models.get_model"}[library]
    monkeypatch.setattr(where, raising(error))
    with pytest.raises(UserError) as caught:
        trunk(library, name)
    assert str(caught.value).startswith(f"arch.name={name}: cannot be built (")
    assert str(caught.value).isprintable()
    with pytest.raises(UserError, match=r"^arch.name=\w+: cannot be built \([^\n]+\)$"):
        hollow(arch(library, name), "same")


@pytest.mark.parametrize("features", [*map(raising, ERRORS), *(lambda x, end=end: end for end in ENDS)])
def test_features_that_raise_or_are_no_map_give_one_line(monkeypatch, features):
    pytest.importorskip("timm", reason="the extra 'timm' is not installed")
    monkeypatch.setattr("timm.create_model", lambda *arguments, **options: Odd(features))
    with pytest.raises(UserError, match=r"^arch.name=resnet10t: (not a convolutional network \(|ends in )") as caught:
        trunk("timm", "resnet10t")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["eca_botnext26ts_256", "efficientvim_m1"])
def test_real_networks_of_these_kinds_are_refused(name):
    pytest.importorskip("timm", reason="the extra 'timm' is not installed")
    with torch.device("meta"), pytest.raises(UserError, match=rf"^arch.name={name}: (not a conv|ends in a list)"):
        trunk("timm", name)


def test_a_map_with_its_channels_last_is_turned():
    timm = pytest.importorskip("timm", reason="the extra 'timm' is not installed")
    torch.manual_seed(0)
    found = trunk("timm", "mambaout_femto").eval()
    assert found.channels == timm.create_model("mambaout_femto").num_features
    images = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        assert torch.equal(found(images).permute(0, 2, 3, 1), found.network.forward_features(images))
        copied = copy.deepcopy(found)
        for parameter in copied.parameters():
            parameter.zero_()
        assert not copied(images).any()
        assert found(images).any()


def test_a_constructor_that_computes_with_numbers_has_a_structure_too(monkeypatch):
    pytest.importorskip("timm", reason="the extra 'timm' is not installed")

    def create(name, **options):
        float(torch.ones(3).sum())  # which the meta device refuses
        return Odd(nn.Conv2d(3, 5, 3))

    monkeypatch.setattr("timm.create_model", create)
    assert (
        hollow(Arch.model_construct(library="timm", name="resnet10t", maxpool_kernel=None), "same").trunk.channels == 5
    )
