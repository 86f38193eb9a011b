"""A run that was stopped goes on at its last epoch and ends as if nothing had been: weights, history, metrics."""

import random
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from equivariance.job import prepare
from equivariance.recipes import scheduled
from equivariance.resuming import FILE, Checkpoint, checkpoint, resumable
from equivariance.stopping import Plateau
from equivariance.train import Examples, Recipe, fit, shuffled
from sweeps.records import Record
from tests.crash.harness import Sweep, results, until

SHIFT = ("experiment=shift", "device=cpu", "data.train=40", "data.validation=10", "data.test=10", "experiment.draws=1")
ACTION = ("experiment=action", "device=cpu", "data.train=16", "data.validation=8", "data.test=8", "data.frames=4")
ACTION += ("arch.width=2", "optim.batch=8", "data.scales=[1.0,0.5]")


class Stopped(Exception):  # noqa: N818
    """Raised by a report, as a kill would come."""


def stopping_after(epochs):
    told = []

    def report(row):
        told.append(row)
        if len(told) > epochs:
            raise Stopped

    return report


def examples():
    x = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    return Examples((x[:, 0] > 0).long(), lambda i: x[i])


def trained(folder, stops, epochs=6):
    """A network with dropout and BatchNorm, stopped after each of some numbers of epochs and begun again."""
    for stop in [*stops, epochs]:
        torch.manual_seed(5)
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2))
        optimiser = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
        rule = Plateau(model, 0, 0.5, 1e-3)
        recipe = Recipe(optimiser, rule, epochs, 8, shuffled(30, 1), model.train, resumes=True)
        try:
            with resumable(folder):
                rows = fit(model, examples(), examples(), recipe, stopping_after(stop))
                assert (folder / FILE).exists()
        except Stopped:
            continue
    return rows, model.state_dict()


def same(one, other):
    assert one[0] == other[0]
    assert all(torch.equal(one[1][k], other[1][k]) for k in other[1])


def test_a_stopped_training_ends_bit_for_bit_like_an_undisturbed_one(tmp_path):
    whole = trained(tmp_path / "whole", [])
    assert len({row["lr"] for row in whole[0]}) > 1  # the rule has had something to remember
    same(trained(tmp_path / "a", [2]), whole)
    same(trained(tmp_path / "b", [1, 3, 3, 5]), whole)
    assert not list(tmp_path.glob("*/*"))


def test_earlier_epochs_are_told_again_and_not_computed_again(tmp_path):
    trained(tmp_path / "a", [])
    with pytest.raises(Stopped), resumable(tmp_path / "b"):
        fit_short(stopping_after(2))
    told = []
    with resumable(tmp_path / "b"):
        rows = fit_short(told.append, forbidden=2)
    assert told == rows
    assert len(rows) == 4


def fit_short(report, forbidden=0):
    torch.manual_seed(5)
    model, calls = nn.Linear(6, 2), []
    optim = SimpleNamespace(
        lr=0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=0.0,
        batch=30,
        epochs=4,
        micro_batch=None,
        precision="float32",
    )
    recipe = scheduled(model, 30, optim, 1, torch.device("cpu"))
    counted = Recipe(**{**vars(recipe), "to_train_mode": lambda: calls.append(model.train())})
    rows = fit(model, examples(), examples(), counted, report)
    assert len(calls) == 4 - forbidden
    return rows


@pytest.mark.parametrize("spoil", ["torn", "empty", "flipped", "foreign", "network"])
def test_a_checkpoint_that_is_torn_or_foreign_is_left_aside_with_a_line(tmp_path, spoil, capsys):
    whole = trained(tmp_path / "whole", [])
    folder = tmp_path / "run"
    with pytest.raises(Stopped), resumable(folder):
        trained_once(folder)
    content = (folder / FILE).read_bytes()
    if spoil == "foreign":
        folder = tmp_path / "other"
        folder.mkdir()
    elif spoil == "network":
        model = nn.Linear(2, 2)
        recipe = Recipe(
            torch.optim.SGD(model.parameters()), Plateau(model, 1, 0.5, 0), 1, 1, shuffled(1, 0), model.train
        )
        Checkpoint(folder / FILE).save(model, recipe, [], False)
        content = (folder / FILE).read_bytes()
    flipped = content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]
    spoilt = {"torn": content[: len(content) // 2], "empty": b"", "flipped": flipped}.get(spoil, content)
    (folder / FILE).write_bytes(spoilt)
    same(trained(folder, []), whole)
    assert capsys.readouterr().err.count("no checkpoint of this run") == 1


def trained_once(folder):
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2))
    recipe = Recipe(
        torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9),
        *(Plateau(model, 0, 0.5, 1e-3), 6, 8, shuffled(30, 1), model.train),
        resumes=True,
    )
    fit(model, examples(), examples(), recipe, stopping_after(2))


def test_without_a_run_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert checkpoint() is None
    fit_short(lambda row: None)
    assert not list(tmp_path.iterdir())


def test_a_forced_run_begins_anew(tmp_path):
    (tmp_path / FILE).write_bytes(b"old")
    with resumable(tmp_path, anew=True):
        assert not (tmp_path / FILE).exists()


def test_parts_of_a_batch_add_up_to_its_gradient():
    def stepped(micro):
        torch.manual_seed(0)
        model = nn.Linear(6, 2).double()
        x = torch.randn(30, 6, generator=torch.Generator().manual_seed(0)).double()
        data = Examples((x[:, 0] > 0).long(), lambda i: x[i])
        recipe = Recipe(
            torch.optim.SGD(model.parameters(), lr=0.5),
            *(Plateau(model, 9, 0.5, 0), 2, 16, shuffled(30, 1), model.train),
            micro=micro,
        )
        return fit(model, data, data, recipe), model.weight.detach()

    (rows, weight), (parts, by_parts) = stepped(None), stepped(5)
    torch.testing.assert_close(by_parts, weight, rtol=1e-12, atol=1e-12)
    assert parts[-1]["train_loss"] == pytest.approx(rows[-1]["train_loss"], rel=1e-12)


@pytest.mark.parametrize("experiment", [SHIFT, ACTION], ids=["shift", "action"])
def test_a_run_goes_on(workdir, config, experiment):
    def computed(runs, *stops):
        for stop in [*stops, 9]:
            job = prepare(config(*experiment, "optim.epochs=3", f"runs={runs}"))
            try:
                found = job.work(stopping_after(stop))
            except Stopped:
                assert (job.record.path / FILE).exists()
        return found["metrics"], job.record.history(), (job.record.path / "checkpoint.safetensors").read_bytes()

    assert computed("a", 2) == computed("b")
    assert not list(workdir.glob(f"*/*/*/{FILE}"))


@pytest.mark.crash
def test_a_run_killed_again_and_again_ends_like_one_that_was_not(tmp_path):
    """SIGKILL at random moments."""
    command = (*SHIFT, "data.train=200", "optim.epochs=40", "hydra.launcher.workers=1")
    moments, kills = random.Random(0), 0

    def begun():
        return list(tmp_path.glob(f"killed/runs/*/*/{FILE}"))

    while True:
        sweep = Sweep(tmp_path / "killed", *command)
        assert until(lambda: begun() or sweep.ended(0))  # noqa: B023
        ended = sweep.ended(moments.uniform(0, 1.5)) if kills < 5 else sweep.ended()
        if ended:
            break
        sweep.kill()
        kills += bool(begun())
    assert ended.code == 0, ended.err
    whole = Sweep(tmp_path / "whole", *command)
    assert whole.ended().code == 0
    told = []
    for name in ("killed", "whole"):
        ((run, _),) = results(tmp_path / name).items()
        assert not (run / FILE).exists()
        record = Record(run)
        told.append((record.result()["metrics"], record.history(), (run / "checkpoint.safetensors").read_bytes()))
    assert told[0] == told[1]
    assert kills > 1
