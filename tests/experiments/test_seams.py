"""Seams: any network whose output is a map, trained or not, costs nothing at its exact halo."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from equivariance.errors import UserError
from equivariance.experiments.seams.run import run
from equivariance.models.whole import output

SMALL = ("experiment=seams", "experiment.tile=24", "experiment.halos=[0,4]", "data.side=40", "data.train=16")
TRAINED = ("data.pictures=4", "optim.epochs=2", "optim.batch=2")


class Named(nn.Module):
    """A network of a researcher's own, with two outputs."""

    def __init__(self, classes):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU())
        self.last = nn.Conv2d(8, classes, 3, padding=1)

    def forward(self, images):
        features = self.net(images)
        return {"features": features, "map": self.last(features)}


@pytest.fixture
def done(config):
    return lambda *overrides: run(config(*SMALL, *overrides), torch.device("cpu"))


def own(classes):
    name = f"arch.name={__name__}:Named"
    return "arch=python", name, f"arch.kwargs={{classes: {classes}}}", "experiment.output=map"


def test_a_network_of_ones_own_learns_in_the_one_loop_and_shows_no_seam_at_its_halo(done):
    found = done(*own(30), *TRAINED)
    assert [row["epoch"] for row in found.history] == [1, 2]
    assert found.history[1]["train_loss"] < found.history[0]["train_loss"]
    values = found.metrics
    assert (values["halo"], values["exact"]) == (3, 1)
    assert values["rms_0"] > 1e-3
    assert max(values["rms_4"], values["tiled"]) < 1e-6
    assert values["disparity"] > 1e-3
    assert 0 < values["accuracy"] <= 1


def test_volumes_with_random_weights_are_a_value_of_arch(done):
    found = done("arch=unet_3d", "optim=none", "data.depth=12", "data.side=32", "arch.width=4", "arch.levels=2")
    assert not found.history
    assert found.metrics["exact"] == 1
    assert found.metrics["tiled"] < 1e-5
    assert found.metrics["n"] == 12 * 32 * 32


def test_a_network_that_cannot_tell_the_photographs_is_refused(done):
    with pytest.raises(UserError, match=r"gives a map \[2, 16, 16\].*allowed: .* or optim=none"):
        done(*own(2), *TRAINED)


def test_the_map_of_torchvision_s_segmentation_networks_needs_no_name():
    found = {name: output(SimpleNamespace(library="torchvision", name=name)) for name in ("fcn_resnet50", "resnet18")}
    assert found == {"fcn_resnet50": "out", "resnet18": None}
