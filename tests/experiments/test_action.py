"""Action recognition: what is measured, what variants share, what is refused."""

import pytest
import torch

from equivariance.errors import UserError
from equivariance.experiments import compute
from equivariance.experiments.action import clips
from equivariance.experiments.action import run as module
from equivariance.stopping import Falling
from equivariance.train import Score

TINY = (
    *("experiment=action", "device=cpu", "data.train=16", "data.validation=8", "data.test=16", "data.frames=4"),
    *("optim.epochs=1", "arch.width=2", "optim.batch=8"),
)


def test_variants_of_a_seed_are_trained_on_the_same_clips(config, monkeypatch):
    seen = []

    def tensor(self, chosen, before=clips.Clips.tensor):
        seen[-1].append(chosen)
        return before(self, chosen)

    monkeypatch.setattr(clips.Clips, "tensor", tensor)
    for conv in ("same", "full"):
        seen.append([])
        found = compute.run(config(*TINY, f"conv={conv}", "data.scales=[1.0,0.5]"))
        assert found.metrics["gap"] == found.metrics["train_accuracy"] - found.metrics["accuracy"]
    assert seen[0] == seen[1]
    assert len({cut.scale for batch in seen[0][:2] for _, cut in batch}) == 2


def test_a_video_is_told_by_all_its_clips(config):
    run = config(*TINY)
    films = module.load(run.data)["test"]
    tested = {name: clips.Central(run, films, torch.device("cpu")) for name in ("test", "train")}
    for each in tested.values():  # of each video two clips
        each.clips = [clip for clip in each.clips for _ in range(2)]
        each.videos = each.videos.repeat_interleave(2)
        each.labels = each.labels.repeat_interleave(2)
    right = torch.eye(8, dtype=torch.float64)[tested["test"].labels]
    told = right * 4
    told[::2] = torch.roll(right, 1, 1)[::2]  # the first is wrong, less surely than the second is right
    metrics, known = module._measured(tested, {"test": told, "train": right})
    assert (metrics["accuracy"], metrics["video_accuracy"], metrics["train_accuracy"]) == (0.5, 1.0, 1.0)
    assert metrics["gap"] == 0.5
    assert known.tolist() == [False, True] * 16


def test_where_places_mislead_the_same_network_is_asked_where_they_do_not(config):
    assert "alike" not in compute.run(config(*TINY)).metrics
    assert 0 <= compute.run(config(*TINY, "data.placement=biased")).metrics["alike"] <= 1


def test_full_convolution_costs_more_and_more_so_in_time(config):
    costs = []
    for conv in (("conv=same",), ("conv=full",), ("conv=full", "conv.axes=space+time")):
        run = config(*TINY, *conv)
        model = module.build_video(run.arch, run.conv.rule, run.conv.axes, 0, 8)
        costs.append(module._size(run, model)["gmacs"])
    assert costs == sorted(costs)
    assert costs[0] < costs[1] < costs[2]


def test_the_rate_falls_when_the_loss_has_not_fallen_for_a_while():
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rule, rates = Falling(1, 0.1), []
    for loss in (3.0, 2.0, 2.5, 2.0, 1.0, 1.5, 1.0, 1.0, 1.0):
        assert rule.goes_on(Score(0.5, loss, 0.0, 1), torch.nn.Identity(), optimiser)
        rates.append(round(optimiser.param_groups[0]["lr"], 6))
    assert rates == [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001]


def test_the_released_protocol_is_each_choice_by_name(config):
    found = config(
        "experiment=action", "protocol=released", "conv=full", "conv.pools=own", "data=ucf101", "data.root=x"
    )
    optim = found.optim
    assert (optim.lr, optim.momentum, optim.dampening, optim.weight_decay) == (0.1, 0.9, 0.9, 1e-3)
    assert (optim.batch, optim.epochs, optim.patience) == (32, 200, 10)
    assert found.data.splits == "shared"
    assert found.data.scales == [1.0, 0.84, 0.71, 0.59, 0.5]
    assert found.conv.rule == "full, pools own"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["conv.axes=time"], "conv.axes=time: allowed: space | space+time"),
        (["conv=unbounded", "conv.pools=own"], "conv.pools=own: allowed with conv=full, not with conv=unbounded"),
        (["conv=full", "protocol=released"], "conv.pools=inside: the released 3-D networks keep theirs; allowed: own"),
        (["data.patch=17"], "data.patch=17: allowed: up to data.side=16"),
        (["data.flip=true"], "data.flip=True: allowed: False"),
        (["data=clips"], "data.root=null: data=clips needs a folder; allowed: data.root=FOLDER"),
        (["data=ucf101", "data.root=x", "data.split=4"], "data.split=4: allowed: 1 | 2 | 3"),
        (["data=clips", "data.root=x", "data.resize=64"], "data.resize=64: allowed: from data.side=112"),
        (["arch=torchvision_video", "arch.width=8"], "arch.width=8: allowed: null"),
        (["arch=resnet18"], "arch.library=torchvision: allowed: equivariance | torchvision_video"),
        (["init=frozen-random"], "init.name=frozen-random: allowed: scratch"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(config, overrides, said):
    with pytest.raises(UserError) as refused:
        config("experiment=action", *overrides)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
