"""build: the same weights for every convolution type, what trains and what is frozen, the released choices."""

import pytest
import torch
from torch import nn

from equivariance.models import build, train_mode


@pytest.fixture
def built(config):
    """Builds from overrides."""

    def make(*overrides, seed=0):
        c = config("arch=resnet18", *overrides)
        return build(c.arch, c.init, c.conv.name, c.experiment.pooling, seed), c

    return make


def equal(a: nn.Module, b: nn.Module) -> bool:
    one, other = a.state_dict(), b.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_weights_depend_on_the_seed_and_not_on_the_convolution(built):
    same, full = built("conv=same")[0], built("conv=full")[0]
    assert equal(same, full)
    with torch.no_grad():
        sides = [model.eval().feature_map(torch.zeros(1, 3, 64, 64)).shape[2] for model in (same, full)]
    assert sides[0] == 2
    assert sides[1] > 2
    assert equal(same, built("conv=same")[0])
    other = built("conv=same", seed=1)[0]
    assert not torch.equal(same.trunk.network.conv1.weight, other.trunk.network.conv1.weight)
    assert not torch.equal(same.head.weight, other.head.weight)


def test_scratch_and_frozen_random_start_from_the_same_weights(built):
    assert equal(built("init=scratch")[0], built("init=frozen-random")[0])


def test_the_head_is_the_same_whether_or_not_a_checkpoint_was_loaded(built, tmp_path):
    plain = built("init=scratch")[0]
    torch.save({n: t + 1 for n, t in plain.trunk.network.state_dict().items()}, tmp_path / "w.pth")
    loaded = built("init=frozen-pretrained", f"init.checkpoint={tmp_path}/w.pth")[0]
    assert torch.equal(plain.head.weight, loaded.head.weight)
    assert torch.equal(loaded.trunk.network.conv1.weight, plain.trunk.network.conv1.weight + 1)


@pytest.mark.parametrize(("init", "trains"), [("scratch", True), ("frozen-random", False)])
def test_frozen_means_that_the_head_alone_trains(built, init, trains):
    model, c = built(f"init={init}")
    assert all(p.requires_grad == trains for p in model.trunk.parameters())
    assert all(p.requires_grad for p in model.head.parameters())
    train_mode(model, c.init)
    assert model.head.training
    assert all(m.training == trains for m in model.trunk.modules())


def test_batch_normalisation_adapts_under_the_released_protocol(built):
    model, c = built("init=frozen-random", "protocol=released")
    train_mode(model, c.init)
    assert not any(p.requires_grad for p in model.trunk.parameters())
    assert all(m.training for m in model.trunk.modules())


@pytest.mark.parametrize(
    ("arch", "pooling"), [("resnet18", "max"), ("bagnet33", "avg"), ("torchvision arch.name=densenet121", "avg")]
)
def test_the_released_protocol_pools_each_network_as_its_code_did(built, arch, pooling):
    assert built(*f"arch={arch} protocol=released".split())[0].pooling == pooling
    assert built(*f"arch={arch} protocol=paper".split())[0].pooling == "max"


def test_the_released_resnet_has_a_smaller_max_pooling(built):
    assert built("protocol=released")[0].trunk.network.maxpool.kernel_size == 2
    assert built("protocol=paper")[0].trunk.network.maxpool.kernel_size == 3
    with torch.no_grad():
        stem = built("protocol=released")[0].eval().feature_map(torch.zeros(1, 3, 120, 120))
    assert stem.shape[2:] == (4, 4)  # science 4.3
