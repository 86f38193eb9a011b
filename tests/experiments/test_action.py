"""Action recognition: what is measured, what variants share, what is refused."""

import pytest
import torch

from equivariance import protocols
from equivariance.data.clips import sampling
from equivariance.errors import UserError
from equivariance.experiments import compute
from equivariance.experiments.action import clips, structure
from equivariance.experiments.action import run as module
from equivariance.experiments.controls import Matched, sides
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


def costs(config, *overrides):
    """Multiply-adds a clip under a run's control, and what the control changes."""
    run = config(*TINY, *overrides)
    found = structure.matched(run)
    return module._size(run, module._model(run, found, 8), found)["gmacs"], found


@pytest.mark.parametrize("axes", ["space", "space+time"])
def test_a_control_costs_or_pools_as_much_as_full_convolution(config, axes):
    conv, run = f"conv.axes={axes}", config(*TINY, f"conv.axes={axes}")
    (same, _), (full, _) = costs(config, conv), costs(config, conv, "conv=full")
    wide, _ = costs(config, conv, "experiment.control=width")
    assert abs(wide - full) < min(abs(same - full), 0.25 * full)  # of two channels, the next width is three
    _, wider = costs(config, conv, "experiment.control=margin")
    assert wider.margins[1] == wider.margins[2] > 0
    assert (wider.margins[0] > 0) == (axes == "space+time")
    plain, grown = (structure.hollow(run, run.arch, rule) for rule in ("same", "full"))
    image = tuple(side + 2 * margin for side, margin in zip((4, 16, 16), wider.margins, strict=True))
    narrower = tuple(side - 2 * (margin > 0) for side, margin in zip(image, wider.margins, strict=True))
    wanted = sides(grown, (4, 16, 16))
    assert sides(plain, image) == wanted
    assert all(a < b for a, b, m in zip(sides(plain, narrower), wanted, wider.margins, strict=True) if m)


def test_a_controlled_run_is_what_its_control_says(config):
    def ran(*overrides):
        return compute.run(config(*TINY, *overrides)).metrics

    plain, wide = ran(), ran("experiment.control=width")
    assert wide["parameters"] > plain["parameters"]
    margin, crop = ran("experiment.control=margin"), ran("conv=full", "experiment.control=crop")
    assert margin["parameters"] == crop["parameters"] == plain["parameters"]
    assert min(margin["gmacs"], crop["gmacs"]) > plain["gmacs"]
    run = config(*TINY, "conv=full", "experiment.control=crop")
    model = module._model(run, structure.matched(run), 8).eval()
    assert model.feature_map(torch.rand(1, 3, 4, 16, 16)).shape[2:] == (1, 4, 4)


def test_a_margin_is_of_zeros_around_the_normalised_clip(config):
    run = config(*TINY)
    films = module.load(run.data)["test"]
    inner, outer = (
        clips.Central(run, films, torch.device("cpu"), m).tensor([(0, sampling.Cut(0))]) for m in ((), (1, 2, 3))
    )
    assert outer.shape[2:] == (4 + 2, 16 + 4, 16 + 6)
    assert torch.equal(outer[:, :, 1:-1, 2:-2, 3:-3], inner)
    assert float(outer.abs().sum()) == pytest.approx(float(inner.abs().sum()), rel=1e-5)


EVENT = ("data.event=class", "data.frames=4", "arch.width=16")


def asked(config, border, *overrides):
    return config(*TINY, *EVENT, f"data.border={border}", *overrides)


def test_when_something_happens_is_told_by_the_ends_of_time_until_no_unit_sees_both(config):
    run = asked(config, 0)
    assert [structure.certified(asked(config, border)) for border in (0, 21, 22, 23, 24, 40)] == [False] * 3 + [
        True
    ] * 3
    bound = 23
    model = module._model(run, Matched(), 2).double().eval()
    apart = {}
    for border in (bound - 1, bound, bound + 5):
        some = asked(config, border)
        films = module.load(some.data)["test"]
        early, late = (
            clips.Central(some, films, torch.device("cpu")).tensor([(n, sampling.Cut(0))]).double() for n in (0, 1)
        )
        assert not torch.equal(early, late)
        with torch.no_grad():
            apart[border] = float((model.features(early) - model.features(late)).abs().max())
    assert apart[bound - 1] > 1e-9
    assert max(apart[bound], apart[bound + 5]) < 1e-12


def test_a_certified_run_computes_nothing_and_knows_its_cost(config, monkeypatch):
    monkeypatch.setattr(module, "load", None)
    found = compute.run(asked(config, 40))
    assert found.notes["certified"] == "yes"
    told = [found.metrics[name] for name in ("accuracy", "video_accuracy", "train_accuracy", "gap", "n")]
    assert told == [0.5, 0.5, 0.5, 0.0, 16]
    assert found.metrics["gmacs"] > 0
    runs = [asked(config, border) for border in (0, 40)]
    assert structure.outlook(runs, torch.device("cpu")) == (1, 0.0)


@pytest.mark.parametrize(
    ("overrides", "certain"),
    [
        (("conv=unbounded", "conv.axes=space+time"), True),
        (("conv=unbounded", "conv.axes=space"), False),  # time is padded as published
        (("conv=full", "conv.axes=space+time"), False),
        (("conv=unbounded", "conv.axes=space+time", "data.frames=5"), False),  # early and late differ in phase
    ],
)
def test_endless_time_tells_nothing_at_any_border(config, overrides, certain):
    run = asked(config, 0, *overrides)
    assert structure.certified(run) == certain
    model = module._model(run, Matched(), 2).double().eval()
    films = module.load(run.data)["test"]
    clip = clips.Central(run, films, torch.device("cpu"))
    early, late = (clip.tensor([(n, sampling.Cut(0))]).double() for n in (0, 1))
    with torch.no_grad():
        apart = float((model.features(early) - model.features(late)).abs().max())
    # Of black in float32, which the background is in float64.
    assert (apart < 1e-6) == certain


def test_full_convolution_costs_more_and_more_so_in_time(config):
    costs = []
    for conv in (("conv=same",), ("conv=full",), ("conv=full", "conv.axes=space+time")):
        run = config(*TINY, *conv)
        model = module.build_video(run.arch, run.conv.rule, run.conv.axes, 0, 8)
        costs.append(module._size(run, model, Matched())["gmacs"])
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
    found = config("experiment=action", "protocol=released", "conv=full", "data=ucf101", "data.root=x")
    optim = found.optim
    assert (optim.lr, optim.momentum, optim.dampening, optim.weight_decay) == (0.1, 0.9, 0.9, 1e-3)
    assert (optim.batch, optim.epochs, optim.patience) == (32, 200, 10)
    assert found.data.splits == "shared"
    assert found.data.scales == [1.0, 0.84, 0.71, 0.59, 0.5]
    assert found.conv.rule == "full, pools own"
    assert config("experiment=action", "conv=full").conv.rule == "full"
    assert config("experiment=action", "conv=unbounded", "protocol=released").conv.rule == "unbounded"


def test_each_protocol_says_what_full_does_to_pools_of_videos_and_of_images(config):
    def told(*overrides):
        run = config(*overrides, "conv=full")
        return protocols.implied(run)["conv.pools"], run.conv.pools

    for protocol, wanted in {"paper": "padded", "released": "own"}.items():
        assert told("experiment=action", f"protocol={protocol}") == (wanted, wanted)
    for protocol, wanted in {"paper": "padded", "released": "inside"}.items():
        assert told("experiment=shift", f"protocol={protocol}") == (wanted, wanted)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["conv.axes=time"], "conv.axes=time: allowed: space | space+time"),
        (["conv=full", "experiment.control=margin"], "experiment.control=margin: allowed with conv=same, not with"),
        (
            ["experiment.control=crop"],
            "experiment.control=crop: allowed with conv=full | unbounded, not with conv=same",
        ),
        (["arch=torchvision_video", "experiment.control=width"], "experiment.control=width: there is no wider arch="),
        (["data.border=2"], "data.border=2: allowed: 0 with data.event=whole"),
        (["data.event=class", "data.test=17"], "data.test=17: allowed: even with data.event=class"),
        (["data.event=class", "data.placement=biased"], "data.placement=biased: allowed: centre | random with"),
        (["data.event=class", "experiment.control=margin"], "experiment.control=margin: allowed: none with"),
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
