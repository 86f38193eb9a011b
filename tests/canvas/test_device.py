"""Nothing is bound to the CPU, and nothing waits for a GPU: the meta device has no numbers and mixes with no other."""

import pytest
import torch

from equivariance.canvas import Canvas
from equivariance.models.classifier import Classifier

from .oracle import scene
from .test_architectures import LIBRARY, trunk


@pytest.mark.parametrize(
    ("conv", "pooling"),
    [
        *(("same", "max"), ("full", "avg"), ("unbounded", "max")),
        *(pytest.param(conv, "avg", marks=pytest.mark.slow) for conv in ("reflect", "same")),
    ],
)
@pytest.mark.parametrize(
    "arch",
    ["resnet18", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mobilenet_v2", "densenet121", "bagnet33"))],
)
def test_a_training_step_leaves_its_device_at_no_moment(arch, conv, pooling):
    net = Classifier(trunk(LIBRARY.get(arch, "torchvision"), arch), conv, pooling).to("meta").train()
    x = scene(512, dtype=torch.float32)
    x.pictures, x.colour = x.pictures.to("meta").requires_grad_(), x.colour.to("meta")
    canvas = x.canvas()
    assert isinstance(canvas, Canvas)
    scores = net(canvas)
    assert scores.device.type == "meta"
    scores.square().sum().backward()
    assert x.pictures.grad is not None
    lacking = {name.split(".")[-2] for name, p in net.named_parameters() if p.grad is None}
    assert lacking <= {"fc", "classifier", "1"}  # the published head, which is not run


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_gpu_gives_the_numbers_of_the_cpu(mode):
    torch.manual_seed(0)
    net = Classifier(trunk("torchvision", "resnet18"), "same", "max").double().train(mode == "train")
    found = []
    for device in ("cpu", "cuda"):
        x = scene(64)
        x.pictures, x.colour = x.pictures.to(device), x.colour.to(device)
        net.to(device).zero_grad()
        scores = net(x.canvas())
        scores.square().sum().backward()
        found.append([scores.detach().cpu(), *(p.grad.cpu() for p in net.parameters())])
    for cpu, gpu in zip(*found, strict=True):
        assert torch.allclose(cpu, gpu, rtol=1e-7, atol=1e-9 * float(cpu.abs().max()))
