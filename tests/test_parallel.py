"""Two processes train what one does: the same gradients, one record; what cannot be shared is refused in a line."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from equivariance import parallel
from equivariance.errors import UserError
from equivariance.resuming import FILE
from sweeps.records import finished

NET = ("arch=python", "arch.name=nets:TinyNet", "arch.kwargs={width: 4}")  # without BatchNorm
SIZES = (
    "data.train=50",
    "data.validation=10",
    "data.test=10",
    "experiment.draws=1",
    "optim.epochs=2",
    "optim.batch=16",
)
COMMAND = ("experiment=shift", "device=cpu", "experiment.draws=1", *NET, *SIZES)


@pytest.fixture
def torchrun(monkeypatch):
    """As torchrun sets the environment of one of two processes."""

    def started(number=0):
        for key, value in (("TORCHELASTIC_RUN_ID", "none"), ("WORLD_SIZE", "2"), ("RANK", number)):
            monkeypatch.setenv(key, str(value))

    return started


def test_each_process_has_a_share_of_every_batch(torchrun):
    batch = torch.arange(7)
    assert torch.equal(parallel.share(batch), batch)
    found = []
    for number in (0, 1):
        torchrun(number)
        found.append(parallel.share(batch))
    assert torch.equal(torch.cat(found), batch)
    with pytest.raises(UserError, match="the last batch has 1 images for 2 processes"):
        parallel.share(torch.arange(1))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["experiment=quadrant"], "torchrun with 2 processes: allowed with optim=cosine | step"),
        (["experiment=shift", "device=cuda:1"], "device=cuda:1: with torchrun allowed: auto, cpu, cuda"),
        (["experiment=shift", "optim.batch=1"], "optim.batch=1: allowed: from 2, the number of processes"),
    ],
)
def test_what_processes_cannot_share_is_refused(torchrun, config, overrides, said):
    run = config(*overrides)
    parallel.check(run)
    torchrun()
    with pytest.raises(UserError) as refused:
        parallel.check(run)
    assert str(refused.value).startswith(said)


def ran(folder, root, *prefix, overrides=COMMAND):
    folder.mkdir(exist_ok=True)
    shutil.copy(root / "examples" / "nets.py", folder)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *prefix, "-m", "equivariance.run", *overrides]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


@pytest.mark.slow
@pytest.mark.parametrize("micro", ["null", "3"])
def test_two_processes_train_what_one_does(tmp_path, root, micro):
    command = (*COMMAND, f"optim.micro_batch={micro}")
    done = ran(tmp_path / "two", root, *TORCHRUN, overrides=command)
    assert done.stdout.count("[1/1] shift") == 1
    ran(tmp_path / "one", root, overrides=command)
    ((two, result),) = finished(tmp_path / "two" / "runs")
    ((one, alone),) = finished(tmp_path / "one" / "runs")
    assert one.identity == two.identity
    assert result["notes"]["processes"] == "2"
    assert "processes" not in alone["notes"]
    weights, wanted = (load_file(r.path / "checkpoint.safetensors") for r in (two, one))
    for name, tensor in wanted.items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-4, atol=1e-6)
    for row, expected in zip(two.history(), one.history(), strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    assert not (two.path / FILE).exists()
    again = ran(tmp_path / "two", root, *TORCHRUN, overrides=command)
    assert "reused" in again.stdout


@pytest.mark.slow
def test_a_sweep_under_torchrun_is_refused(tmp_path):
    command = [sys.executable, *TORCHRUN, "-m", "equivariance.run", "-m", *COMMAND]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "error: -m: allowed without torchrun" in done.stderr
