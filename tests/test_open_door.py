"""What a researcher brings needs no edit of the package: each file of examples/ runs from a folder of its own."""

import json
import shutil
import sys

import pytest

from equivariance.errors import UserError
from equivariance.registries import CONVS, DATA
from sweeps.experiments import EXPERIMENTS
from tests.warm import typed

PROBE = [
    "optim=probe",
    "data.pictures=3",
    "device=cpu",
    "experiment.picture=24",
    "experiment.canvas=88",
]
NET = ["arch=python", "arch.name=nets:TinyNet", "arch.kwargs={width: 4}"]


@pytest.fixture
def lab(root, workdir):
    """A project of one's own, outside the package, as working folder; what it imports is forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)
    known = [(registry, dict(registry._known)) for registry in (EXPERIMENTS, CONVS, DATA)]
    shutil.copytree(root / "examples", workdir, dirs_exist_ok=True)
    yield workdir
    sys.path[:] = path
    for registry, entries in known:
        registry._known = entries
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(workdir) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def computed(lab, config):
    """Runs a config in this process."""
    from equivariance.experiments import compute

    return lambda *overrides: compute.run(config(*PROBE, *overrides))


@pytest.mark.parametrize("conv", ["same", "full", "unbounded"])
def test_a_network_of_ones_own(computed, conv):
    found = computed(*NET, f"conv={conv}").metrics
    assert found["n"] == 6
    assert conv != "unbounded" or found["accuracy"] == 0.5  # certified


def test_its_feature_map_is_found_or_named(lab, config):
    import torch

    from equivariance.models import build

    def features(*overrides):
        run = config(*PROBE, *NET, *overrides)
        return build(run.arch, run.init, "same", "max", 0).eval()

    images = torch.rand(1, 3, 64, 64)
    found = features().trunk
    expected = images
    for layer in found.network.layers:
        expected = layer(expected).relu()
    assert torch.equal(found(images), expected)  # with the ReLU that is no module
    named = features("arch.features=layers.1").trunk
    assert torch.equal(named(images), named.network.layers[1](named.network.layers[0](images).relu()))
    with pytest.raises(UserError, match=r"arch.features=layer9: no such module"):
        features("arch.features=layer9")


def test_its_checkpoint_is_loaded(computed, lab):
    import torch

    from equivariance.models.own import network

    torch.save(network("nets:TinyNet", {"width": 4}).state_dict(), lab / "w.pth")
    assert computed(*NET, "init=frozen-pretrained", "init.checkpoint=w.pth").metrics["n"] == 6
    with pytest.raises(UserError, match="another network"):
        computed("arch=resnet18", "init=frozen-pretrained", "init.checkpoint=w.pth")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["arch.name=nets:Nothing"], "cannot be imported"),
        (["arch.name=nets:TinyNet", "arch.kwargs={depth: 4}"], "depth"),
        (["arch.name=math:sqrt"], "arch.name=math:sqrt"),
        (["arch.name=collections:OrderedDict"], "allowed: an nn.Module"),
        (["arch.name=torch.nn:Flatten"], "arch.features=MODULE"),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(computed, overrides, said):
    with pytest.raises(UserError) as caught:
        computed("arch=python", *overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_edited_module_makes_another_run(lab, config):
    from equivariance.job import prepare

    first = prepare(config(*PROBE, *NET)).record
    assert prepare(config(*PROBE, *NET)).record == first
    (lab / "nets.py").write_text((lab / "nets.py").read_text() + "\n# another\n")
    assert prepare(config(*PROBE, *NET)).record != first
    assert prepare(config(*PROBE)).record == prepare(config(*PROBE)).record


def test_a_data_set_of_ones_own_is_split_by_groups(lab, config):
    from equivariance.data import load_pictures

    run = config(*PROBE, "data.pictures=10", "import=[shapes]", "data.name=shapes")
    splits = load_pictures(run.data, 24).pictures
    groups = {split: {picture.group for picture in pictures} for split, pictures in splits.items()}
    assert all(len(pictures) == 10 for pictures in splits.values())
    assert not groups["train"] & groups["test"]
    assert not (groups["train"] | groups["test"]) & groups["validation"]


def test_a_convolution_type_of_ones_own_keeps_what_it_says(lab, config):
    import torch

    from equivariance import with_conv

    config("import=[rims]", "conv.name=full-replicate")
    layer = torch.nn.Conv2d(3, 2, 3, padding=1).double()
    images = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="replicate")
    expected = torch.nn.functional.conv2d(padded, layer.weight, layer.bias)
    assert torch.equal(with_conv(layer, "full-replicate")(images), expected)


def test_an_experiment_of_ones_own_is_tabulated_and_drawn_without_a_line(lab, config, empty_store, capsys):
    from equivariance.job import prepare
    from sweeps.__main__ import main

    shutil.copy(empty_store, lab / "mlflow.db")
    for conv in ("same", "unbounded"):
        for seed in (0, 1):
            job = prepare(
                config(
                    *PROBE, "arch=resnet8", "import=[wobble]", "experiment.name=wobble", f"conv={conv}", f"seed={seed}"
                )
            )
            assert job.label == f"wobble resnet8 frozen-random {conv} border=0 seed={seed}"
            job.work(lambda row: None)
    assert main(["--import", "wobble", "wobble", "--format", "csv"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "conv,n,change_mean,change_std,change_low,change_high"
    assert [row.split(",")[:2] for row in rows] == [["same", "2"], ["unbounded", "2"]]
    assert float(rows[1].split(",")[2]) < 1e-4 < float(rows[0].split(",")[2])
    assert (lab / "results" / "wobble.png").stat().st_size > 5000


@pytest.mark.parametrize("launcher", ["local", "submitit_local"])
def test_all_of_them_at_once_in_the_processes_of_a_sweep(lab, empty_store, launcher):
    if launcher != "local":
        pytest.importorskip("submitit", reason="the extra 'cluster' is not installed")
    shutil.copy(empty_store, lab / "mlflow.db")
    names = ["import=[shapes,rims,wobble]", "data.name=shapes", "experiment.name=wobble"]
    done = typed(
        lab,
        "equivariance.run",
        "-m",
        *PROBE,
        *NET,
        *names,
        "conv.name=same,full-replicate",
        f"hydra/launcher={launcher}",
    )
    assert done.returncode == 0, done.stderr
    assert "2 runs: 2 computed, 0 certified, 0 reused, 0 failed" in done.stdout
    results = [json.loads(path.read_text()) for path in lab.glob("runs/wobble/*/result.json")]
    assert {result["config"]["conv"]["name"] for result in results} == {"same", "full-replicate"}


def test_config_files_of_ones_own_and_typos_in_them(lab):
    shown = typed(
        lab, "equivariance.run", "--config-dir", "conf", "arch=tiny", "experiment=wobble", *PROBE, "--cfg", "job"
    )
    assert shown.returncode == 0, shown.stderr
    assert "width: 8" in shown.stdout
    assert "name: wobble" in shown.stdout
    for arguments, said in (
        (["--config-dir", "conf", "arch=tinny"], "error: arch=tinny: no such choice; allowed: bagnet33, "),
        (
            ["hydra.searchpath=[file://conf]", "arch=tiny", "arch.widht=3"],
            "error: arch.widht=3: arch.widht: no such key",
        ),
    ):
        done = typed(lab, "equivariance.run", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(said)
        assert done.stderr.count("\n") == 1
    (lab / "conf" / "arch" / "tiny.yaml").write_text("defaults: [python, _self_]\nname: nets:TinyNet\nwidht: 3\n")
    done = typed(lab, "equivariance.run", "hydra.searchpath=[file://conf]", "arch=tiny", *PROBE)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "arch.widht: no such key" in done.stderr


def test_the_readme_shows_files_that_are_tested_here(root):
    readme = (root / "README.md").read_text()
    for name in ("nets.py", "shapes.py", "rims.py", "wobble.py"):
        code = (root / "examples" / name).read_text()
        assert len(code.splitlines()) <= 40
        assert name in readme
        if name != "wobble.py":
            assert f"examples/{name}:\n\n{indented(code)}" in readme


def indented(code):
    """A file's code as README shows it, without the docstring at its head."""
    return "".join(f"    {line}".rstrip() + "\n" for line in code.split("\n\n", 1)[1].splitlines())


def test_a_colleague_who_has_only_the_store_gets_the_general_table(lab, config, empty_store, capsys):
    from equivariance.job import prepare
    from sweeps.__main__ import main
    from sweeps.tracking.mirror import Mirror

    shutil.copy(empty_store, lab / "mlflow.db")
    job = prepare(config(*PROBE, "arch=resnet8", "import=[wobble]", "experiment.name=wobble"))
    Mirror(None).log(job.record, job.work(lambda row: None), None)
    shutil.rmtree(lab / "runs")
    EXPERIMENTS._known.pop("wobble")
    assert main(["wobble", "--uri", f"sqlite:///{lab}/mlflow.db", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("n,change_mean,")
    assert main(["wibble", "--uri", f"sqlite:///{lab}/mlflow.db"]) == 2


def test_a_network_that_decides_by_numbers_runs_dense(lab, config):
    from equivariance.experiments import compute

    decides = "        images = images if images.sum() > -1e9 else -images\n        return self.classifier"
    body = (lab / "nets.py").read_text().replace("        return self.classifier", decides)
    (lab / "deciding.py").write_text(body)
    found = compute.run(config(*PROBE, "arch=python", "arch.name=deciding:TinyNet"))
    assert found.notes["engine"] == "dense"
    assert "gmacs" not in found.metrics


def test_what_is_allowed_is_said_of_the_kind_that_was_chosen(config):
    with pytest.raises(UserError, match=r"^arch.name=nets: allowed: text matching "):
        config("arch=python", "arch.name=nets")


def test_entry_points_of_an_installed_package_need_no_import(lab, config, monkeypatch):
    from sweeps import registry

    info = lab / "mylab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab\nVersion: 1.0\n")
    points = "[equivariance.experiments]\nwobbly = wobbly:EXPERIMENT\n[equivariance.convs]\nrim = wobbly:RIM\n"
    (info / "entry_points.txt").write_text(points + "[equivariance.data]\ndiscs = wobbly:DISCS\n")
    wobble = (lab / "wobble.py").read_text().replace("register(", "EXPERIMENT = (").replace('"wobble"', '"wobbly"')
    others = "from equivariance.registries import DataSet\nfrom equivariance.boundary import Rule\n"
    others += 'RIM = Rule("rim", "touching", "zero", "touching")\nDISCS = DataSet("shapes:shapes")\n'
    (lab / "wobbly.py").write_text(wobble + others)
    monkeypatch.syspath_prepend(str(lab))
    registry._installed.cache_clear()
    try:
        run = config(*PROBE, "experiment.name=wobbly", "conv.name=rim", "data.name=discs", *NET)
        from equivariance.experiments import compute

        assert compute.run(run).metrics["n"] == 3
    finally:
        registry._installed.cache_clear()
