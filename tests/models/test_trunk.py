"""A trunk is the network up to its pooling: with average pooling and the last linear layer it is the network."""

import pytest
import torch
from torch import nn

from equivariance.errors import UserError
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
