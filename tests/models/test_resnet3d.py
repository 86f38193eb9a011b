"""Three-dimensional ResNets: map sizes as published, blocks as described, the same everywhere without a boundary."""

import pytest
import torch
from torch import nn

from equivariance.config.video import VideoArch
from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap
from equivariance.models.resnet3d import BLOCKS, Block, resnet3d
from equivariance.models.video import build_video

# Frames and rows after the max pooling and the four stages, of 16 frames of 112 pixels: the released networks.
PUBLISHED = {
    ("resnet3d_18", "same"): [(8, 28), (8, 28), (4, 14), (2, 7), (1, 4)],
    ("resnet3d_18", "space"): [(8, 30), (8, 38), (4, 26), (2, 20), (1, 17)],
    ("resnet3d_18", "space+time"): [(6, 30), (14, 38), (14, 26), (14, 20), (14, 17)],
    ("resnet3d_34", "space"): [(1, 32)],
    ("resnet3d_34", "space+time"): [(29, 32)],
    ("resnet3d_50", "same"): [(1, 4)],
    ("resnet3d_50", "space"): [(1, 17)],
    ("resnet3d_50", "space+time"): [(14, 17)],
}


def sizes(name, axes):
    with torch.device("meta"):
        trunk = resnet3d(name, width=2, time_stride=2 if axes == "space+time" else 1).eval()
        videos = torch.zeros(1, 3, 16, 112, 112)
    found = []
    for part in ("pool", "layer1", "layer2", "layer3", "layer4"):
        trunk.get_submodule(part).register_forward_hook(lambda m, i, out: found.append((out.shape[2], out.shape[4])))
    conv = "same" if axes == "same" else "full, pools own"
    FeatureMap(trunk, conv, axes="space+time" if axes == "same" else axes)(videos)
    return found


@pytest.mark.parametrize(("name", "axes"), PUBLISHED)
def test_maps_are_as_large_as_published(name, axes):
    wanted = PUBLISHED[name, axes]
    assert sizes(name, axes)[-len(wanted) :] == wanted


def test_parameters_are_those_of_another_implementation():
    """torchvision's has a stem of 3×7×7 instead of 7×7×7, and a classifier."""
    from torchvision.models.video import r3d_18

    with torch.device("meta"):
        ours, theirs = resnet3d("resnet3d_18"), r3d_18()
    theirs.fc = nn.Identity()
    count, other = (sum(p.numel() for p in net.parameters()) for net in (ours, theirs))
    assert count - 3 * 64 * 7**3 == other - 3 * 64 * 3 * 7**2


@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_shortcut_projects_where_the_shape_changes_and_there_alone(bottleneck):
    planes = 4
    outputs = 16 if bottleneck else 4
    assert isinstance(Block(outputs, planes, 1, bottleneck).shortcut, nn.Identity)
    block = Block(outputs, planes, 2, bottleneck)
    assert block.shortcut[0].kernel_size == (1, 1, 1)
    assert block(torch.zeros(1, outputs, 4, 6, 6)).shape == (1, outputs, 2, 3, 3)


@pytest.mark.parametrize("axes", ["space", "space+time"])
@torch.no_grad()
def test_without_a_boundary_a_film_is_the_same_wherever_it_plays(axes):
    torch.manual_seed(0)
    net = FeatureMap(resnet3d("resnet3d_18", width=2).double().eval(), "unbounded", axes=axes)
    film, pooled = torch.randn(1, 3, 4, 6, 6, dtype=torch.float64), []
    for start, top in ((0, 0), (16 if axes == "space+time" else 0, 32)):
        video = torch.zeros(1, 3, 20, 40, 40, dtype=torch.float64)
        video[:, :, start : start + 4, top : top + 6, top : top + 6] = film
        pooled.append(net(video).amax((2, 3, 4)))
    assert torch.allclose(*pooled, 1e-12, 1e-12)


def arch(**changes):
    values = {"library": "equivariance", "name": "resnet3d_8", "width": 4, "time_stride": None}
    return VideoArch(**values | {"mean": [0.0] * 3, "std": [1.0] * 3} | changes)


@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_18"])
def test_networks_of_torchvision_by_name(name):
    found = build_video(arch(library="torchvision_video", name=name, width=None), "full", "space", 0, 8)
    assert found.head.in_features == 512
    with torch.no_grad():
        assert found.eval()(torch.zeros(1, 3, 4, 16, 16)).shape == (1, 8)


def test_what_is_no_network_for_videos_is_one_line():
    with pytest.raises(UserError, match=r"^arch.name=swin3d_t: allowed: r3d_18, "):
        build_video(arch(library="torchvision_video", name="swin3d_t", width=None), "same", "space", 0, 8)
    with pytest.raises(UserError, match=r"^arch.name=resnet3d_9: allowed: resnet3d_8, "):
        build_video(arch(name="resnet3d_9"), "same", "space", 0, 8)


def test_only_the_released_temporal_network_strides_in_time():
    for released, axes, stride in ((False, "space+time", 1), (True, "space", 1), (True, "space+time", 2)):
        found = build_video(arch(), "full", axes, 0, 8, released).trunk.network.stem[0].stride[0]
        assert found == stride


def test_weights_follow_from_the_seed_alone_and_the_width_is_the_first_stage():
    one, other = (build_video(arch(), conv, "space", 3, 8) for conv in ("same", "full"))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert one.head.in_features == 4 * 4
    assert set(BLOCKS) == {"resnet3d_8", "resnet3d_18", "resnet3d_34", "resnet3d_50"}
