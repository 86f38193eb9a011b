"""BagNet-33 is the network of its paper: receptive field 33, stride 8, the authors' names."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.models.bagnet import bagnet33
from tests.models.networks import network, shift_normalisation


def reference(state, x):
    """BagNet-33 from its description, on a state dict in the authors' names."""

    def norm(name, x):
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"])

    x = F.conv2d(F.conv2d(x, state["conv1.weight"]), state["conv2.weight"])
    x = F.relu(norm("bn1", x))
    for layer, (blocks, stride) in enumerate([(3, 2), (4, 2), (6, 2), (3, 1)], 1):
        for block in range(blocks):
            at, step = f"layer{layer}.{block}", stride if block == 0 else 1
            out = F.relu(norm(f"{at}.bn1", F.conv2d(x, state[f"{at}.conv1.weight"])))
            out = F.relu(norm(f"{at}.bn2", F.conv2d(out, state[f"{at}.conv2.weight"], stride=step)))
            out = norm(f"{at}.bn3", F.conv2d(out, state[f"{at}.conv3.weight"]))
            if block == 0:
                x = norm(f"{at}.downsample.1", F.conv2d(x, state[f"{at}.downsample.0.weight"], stride=step))
            rows, columns = x.shape[2] - out.shape[2], x.shape[3] - out.shape[3]
            x = F.relu(out + x[:, :, : x.shape[2] - rows, : x.shape[3] - columns])
    return F.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])


@pytest.mark.parametrize("size", [(33, 33), (42, 36)])
def test_it_computes_what_the_paper_describes(size):
    net = network("bagnet33")
    shift_normalisation(net)
    images = torch.randn(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = reference(net.network.state_dict(), images)
        torch.testing.assert_close(net.network(images), expected, rtol=1e-10, atol=1e-10)


def test_one_output_sees_33_pixels_and_its_neighbour_looks_8_pixels_further():
    net = network("bagnet33")
    for parameter in net.parameters():  # all positive: nothing cancels and no ReLU is closed
        parameter.data.abs_()
    image = torch.ones(1, 3, 41, 49, dtype=torch.float64, requires_grad=True)
    feature_map = net(image)
    assert feature_map.shape[2:] == (2, 3)
    for row in range(2):
        for column in range(3):
            (gradient,) = torch.autograd.grad(feature_map[0, :, row, column].sum(), image, retain_graph=True)
            seen = gradient[0].abs().sum(0) > 0
            expected = torch.zeros_like(seen)
            expected[8 * row : 8 * row + 33, 8 * column : 8 * column + 33] = True
            assert torch.equal(seen, expected)


def test_parameters_have_the_names_and_shapes_of_the_authors_checkpoint():
    found = {name: tuple(tensor.shape) for name, tensor in bagnet33().state_dict().items()}
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"conv1.weight", "conv2.weight", "fc.weight", "fc.bias"} | {f"bn1.{n}" for n in norm}
    for layer, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            at = f"layer{layer}.{block}"
            expected |= {f"{at}.conv{i}.weight" for i in (1, 2, 3)}
            expected |= {f"{at}.bn{i}.{n}" for i in (1, 2, 3) for n in norm}
        expected |= {f"layer{layer}.0.downsample.0.weight"} | {f"layer{layer}.0.downsample.1.{n}" for n in norm}
    assert set(found) == expected
    assert found["conv1.weight"] == (64, 3, 1, 1)
    assert found["conv2.weight"] == (64, 64, 3, 3)
    assert found["fc.weight"] == (1000, 2048)
    large = {n for n, shape in found.items() if shape[2:] == (3, 3)}
    assert large == {"conv2.weight"} | {f"layer{layer}.0.conv2.weight" for layer in (1, 2, 3, 4)}


def test_weights_start_as_the_authors_do():
    torch.manual_seed(0)
    for name, module in bagnet33().named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            k, _ = module.kernel_size
            expected = math.sqrt(2 / (k * k * module.out_channels))
            assert module.weight.std().item() == pytest.approx(expected, rel=0.05), name
