"""The schema refuses in one line what it does not know, and every file of conf/ composes and validates."""

import copy
import math
import re
from typing import Literal, get_args, get_origin

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from equivariance.config import Probe, Sgd, scientific, validate
from equivariance.errors import UserError
from equivariance.experiments.leak_distance.config import LeakDistanceRun
from equivariance.experiments.quadrant.config import QuadrantRun
from equivariance.overrides import conf_dir, known_keys
from sweeps.identity import flat, identity

CONF = conf_dir()
GROUPS = sorted(d.name for d in CONF.iterdir() if d.is_dir() and d.name != "shared")
# Where a run computes and is kept, and paths whose contents count instead.
CIRCUMSTANCES = {"device", "force", "runs", "tracking.uri", "tracking.sweep", "data.root", "init.checkpoint", "engine"}
CIRCUMSTANCES |= {"import"}
# What a choice needs beside it.
NEEDS = {
    "data=folder": ["data.root=here"],
    "data=imagenet": ["data.root=here"],
    **{f"{g}={e}": [f"experiment={e}"] for g in ("arch", "data") for e in ("impulse", "rook", "red_green")},
    "optim=plain_sgd": ["experiment=rook"],
    "optim=adadelta": ["experiment=red_green"],
    "optim=none": ["experiment=impulse"],
    "optim=cosine": ["experiment=shift"],
    "data=digits": ["experiment=shift"],
    **{f"data={d}": ["experiment=shift", "data.root=here", "experiment.reach=8"] for d in ("fashion_mnist", "cifar10")},
    **{f"downsample={d}": ["experiment=shift"] for d in ("strided", "blur", "polyphase")},
    **{f"data={d}": ["experiment=patch_matching", "data.root=here"] for d in ("hpatches", "phototour")},
    **{
        f"data=labelled_{d}": ["experiment=shift", "data.root=here", "experiment.background=none", "data.side=72"]
        for d in ("folder", "imagenet")
    },
    "data=labelled_photos": ["experiment=shift", "experiment.reach=8"],
    "sweep=shift_pretrained": ["data.root=here"],
    **{f"data={d}": ["experiment=action", "data.root=here"] for d in ("clips", "ucf101", "hmdb51")},
    **{key: ["experiment=seams"] for key in ("arch=unet", "arch=unet_3d", "data=collage", "optim=adam")},
    "init=fixed": ["experiment=impulse"],
    "arch=python": ["arch.name=mylab.nets:TinyNet"],
}


def put(raw, key, value):
    """A copy with one dotted key set."""
    found = copy.deepcopy(raw)
    *path, last = key.split(".")
    section = found
    for part in path:
        section = section[part]
    section[last] = value
    return found


def get(raw, key):
    for part in key.split("."):
        raw = raw[part]
    return raw


def leaves(raw, prefix=""):
    for key, value in raw.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


class TestRanges:
    @pytest.mark.parametrize(
        ("key", "value", "allowed"),
        [
            ("border", -1, "an integer from 0 to 65536"),
            ("border", 65_537, "an integer from 0 to 65536"),
            ("border", 1.5, "an integer from 0 to 65536"),
            ("border", "wide", "an integer from 0 to 65536"),
            ("border", None, "an integer from 0 to 65536"),
            ("border", True, "an integer from 0 to 65536"),
            ("border", [0, 16], "an integer from 0 to 65536"),
            ("seed", -1, "an integer from 0"),
            ("seed", 2**31, "an integer from 0"),
            ("device", "tpu", "cpu"),
            ("device", "cuda:x", "cpu"),
            ("force", "perhaps", "true or false"),
            ("force", 1, "true or false"),
            ("runs", 3, "text"),
            ("protocol", "peper", "paper | released"),
            ("conv.name", "valid?", "same | valid | full"),
            ("init.name", "random", "scratch | frozen-random | frozen-pretrained"),
            ("init.batchnorm", "warm", "frozen | adapting"),
            ("arch.library", "keras", "torchvision"),
            ("arch.mean", [0.5], "a list"),
            ("arch.mean", [0.5, 0.5, "red"], "a"),
            ("arch.std", [0.5, 0.5, 0.0], "a"),
            ("arch.maxpool_kernel", 0, "an integer from 1 to 16 or null"),
            ("data.pictures", 0, "an integer from 1 to 100000"),
            ("data.crop", 0, "a number above 0 to 1"),
            ("data.crop", 1.1, "a number above 0 to 1"),
            ("data.splits", "joint", "disjoint | shared"),
            ("data.augment", "crop", "none | flip"),
            ("experiment.picture", 7, "an integer from 8 to 512"),
            ("experiment.background", "white", "black | mean"),
            ("experiment.pooling", "median", "max | avg | released"),
            ("optim.lr", 0, "a number above 0 to 100"),
            ("optim.lr", math.nan, "a number above 0 to 100"),
            ("optim.lr", math.inf, "a number above 0 to 100"),
            ("optim.momentum", 1, "a number from 0 below 1"),
            ("optim.batch", 0, "an integer from 1 to 65536"),
            ("optim.epochs", "many", "an integer from 1 to 100000"),
            ("optim.factor", 1.0, "a number above 0 below 1"),
        ],
    )
    def test_a_wrong_value_gets_one_line_with_key_value_and_what_is_allowed(self, raw, key, value, allowed):
        with pytest.raises(UserError) as caught:
            validate(put(raw(), key, value))
        said = str(caught.value)
        assert "\n" not in said
        assert re.match(rf"{re.escape(key)}(\.\d)?=", said)
        assert "allowed: " in said
        assert allowed in said
        shown = value[-1] if isinstance(value, list) and len(value) == 3 else value
        assert f"={'null' if shown is None else shown}" in said

    @pytest.mark.parametrize("section", ["", "experiment.", "arch.", "init.", "conv.", "data.", "optim.", "tracking."])
    def test_an_unknown_key_is_refused_in_every_section(self, raw, section):
        at = re.escape(section)
        with pytest.raises(UserError, match=rf"^{at}zzz: no such key; (allowed: [^\n]+|did you mean {at}\w+\?)$"):
            validate(put(raw(), f"{section}zzz", 1))

    def test_a_misspelt_key_gets_a_hint(self, raw):
        with pytest.raises(UserError, match=r"optim.epoch: no such key; did you mean optim.epochs\?"):
            validate(put(raw(), "optim.epoch", 1))

    @pytest.mark.parametrize("key", ["border", "seed", "data.pictures", "optim.lr", "conv.name", "tracking.uri"])
    def test_a_missing_key_is_named(self, raw, key):
        found = put(raw(), key, None)
        *path, last = key.split(".")
        del (get(found, ".".join(path)) if path else found)[last]
        with pytest.raises(UserError, match=rf"^{re.escape(key)}[^\n]*allowed: [^\n]+$"):
            validate(found)

    @pytest.mark.parametrize("name", ["adam", None, 3])
    def test_an_unknown_optimiser_is_refused_with_the_known_ones(self, raw, name):
        with pytest.raises(UserError, match=r"^optim.name=[^\n]*allowed: [^\n]*sgd[^\n]*probe"):
            validate(put(raw(), "optim.name", name))

    @given(st.data())
    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_value_at_any_key_is_accepted_or_refused_in_one_line(self, raw, data):
        composed = self.composed = getattr(self, "composed", None) or raw()
        key = data.draw(st.sampled_from(sorted(leaves(composed))))
        scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
        value = data.draw(scalars | st.lists(scalars, max_size=4) | st.dictionaries(st.text(max_size=4), scalars))
        try:
            validate(put(composed, key, value))
        except UserError as error:
            said = str(error)
            assert said.startswith((key.removesuffix(".name"), "experiment.", "data.", "init.", "optim"))
            assert "allowed" in said or "no such key" in said

    @given(st.integers(0, 65_536), st.integers(0, 2**31 - 1), st.integers(1, 100_000))
    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_everything_within_the_ranges_is_accepted_unchanged(self, raw, border, seed, pictures):
        composed = self.composed = getattr(self, "composed", None) or raw()
        found = validate(put(put(put(composed, "border", border), "seed", seed), "data.pictures", pictures))
        assert (found.border, found.seed, found.data.pictures) == (border, seed, pictures)


class TestTogether:
    @pytest.mark.parametrize(
        ("overrides", "said"),
        [
            (["experiment.canvas=100"], r"experiment.canvas=100: .*experiment.picture=56.*allowed"),
            (["data=folder"], r"data.root=null: .*allowed: data.root=FOLDER"),
            (["data=imagenet"], r"data.root=null"),
            (["optim=probe", "init=scratch"], r"optim=probe: .*allowed with init=frozen"),
            (["optim=probe", "init.batchnorm=adapting"], r"optim=probe: .*init.batchnorm=adapting"),
            (["init=frozen-random", "init.checkpoint=x.pth"], r"init.checkpoint=x.pth: allowed with"),
            (["protocol=released", "conv=full"], r"experiment.border_as=padding: allowed with conv=same"),
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, config, overrides, said):
        with pytest.raises(UserError, match=f"^{said}[^\n]*$"):
            config(*overrides)

    def test_a_config_does_not_change_after_validation(self, config):
        found = config()
        with pytest.raises(Exception, match="frozen"):
            found.border = 3


class TestTree:
    @pytest.mark.parametrize("group", [g for g in GROUPS if g != "sweep"])
    def test_every_choice_of_a_group_composes_and_validates(self, config, group):
        for option in sorted(f.stem for f in (CONF / group).glob("*.yaml")):
            found = self.first_that_fits(config, f"{group}={option}")
            chosen = getattr(found, group)
            name = chosen if isinstance(chosen, str) else chosen.name
            assert name.replace("-", "_") == option.replace("-", "_") or group == "arch"

    @staticmethod
    def first_that_fits(config, choice):
        """The choice with the default experiment, or with the first one that it is made for."""
        refused = []
        for experiment in ["quadrant", *sorted(f.stem for f in (CONF / "experiment").glob("*.yaml"))]:
            other = [] if choice.startswith("experiment=") else [f"experiment={experiment}"]
            try:
                return config(*other, choice, *NEEDS.get(choice, []))
            except UserError as error:
                refused.append(str(error))
        raise AssertionError(f"{choice} fits no experiment: {refused}")

    @pytest.mark.parametrize("option", sorted(f.stem for f in (CONF / "sweep").glob("*.yaml")))
    def test_every_sweep_composes_and_all_its_axes_validate(self, raw, option):
        from hydra import compose
        from hydra.core.override_parser.overrides_parser import OverridesParser

        whole = compose("config", [f"+sweep={option}"], return_hydra_config=True)
        params = whole.hydra.sweeper.params
        for axis in OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in params.items()]):
            if axis.is_interval_sweep():
                values = [axis.value().start, axis.value().end]
            else:
                values = axis.sweep_string_iterator() if axis.is_sweep_override() else [axis.value()]
            key, needed = axis.key_or_group, NEEDS.get(f"sweep={option}", [])
            for value in values:
                chosen = [f"{key}={value}"] if key in GROUPS else []
                found = raw(f"+sweep={option}", *chosen, *needed)
                validate(
                    found if chosen else put(found, key, value if axis.is_interval_sweep() else yaml.safe_load(value))
                )
        assert whole.tracking.sweep == option

    @pytest.mark.parametrize(
        "overrides",
        [
            ["border=7", "optim=probe", "seed=3"],
            ["optim.lr=0.5", "optim=sgd", "optim.lr=0.25"],
            ["experiment=seams", "experiment.halos=[0,2]", "arch.norm=batch", "conv=full"],
            ["arch=python", "arch.name=nets:Net", "arch.kwargs={width: 4}", "+arch.kwargs.depth=2"],
            ["protocol=released", "arch.maxpool_kernel=null", "++seed=2", "runs=${protocol}/x"],
            ["+sweep=rook", "optim.epochs=2", "tracking.sweep=mine"],
        ],
        ids=" ".join,
    )
    def test_values_laid_over_a_composed_config_are_what_hydra_composes(self, raw, overrides):
        """How the launcher composes a sweep, and all configs of these tests."""
        from hydra import compose
        from omegaconf import OmegaConf

        expected = OmegaConf.to_container(compose("config", overrides), resolve=True, throw_on_missing=True)
        assert raw(*overrides) == expected

    @pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda p: p.stem)
    def test_every_file_opens_with_what_it_is(self, path):
        lines = path.read_text().splitlines()
        comment = [line for line in lines[:4] if line.startswith("# ") and not line.startswith("# @package")]
        assert comment
        assert lines[0].startswith("#")
        assert len(comment[0]) > 30

    def test_the_paper_recipe_is_the_default(self, config):
        """Science 4.6."""
        found = config("optim=sgd").optim
        expected = {"lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-5, "batch": 8, "epochs": 30}
        assert found.model_dump(include=set(expected)) == expected
        assert (found.patience, found.factor, found.min_lr) == (5, 0.1, 1e-6)

    def test_the_paper_geometry_is_the_default(self, config):
        found = config().experiment
        assert (found.picture, found.canvas, found.background, found.pooling) == (56, 120, "mean", "max")

    def test_the_released_protocol_is_each_choice_by_name(self, config):
        paper, released = (flat(config(f"protocol={p}").plain()) for p in ("paper", "released"))
        changed = {key: (paper[key], released[key]) for key in paper if paper[key] != released[key]}
        assert changed == {
            "protocol": ("paper", "released"),
            "experiment.pooling": ("max", "released"),
            "experiment.border_as": ("pixels", "padding"),
            "arch.maxpool_kernel": (None, 2),
            "init.batchnorm": ("frozen", "adapting"),
            "data.splits": ("disjoint", "shared"),
            "data.resize": ("antialias", "released"),
        }

    def test_one_released_choice_can_be_taken_back(self, config):
        found = config("protocol=released", "init.batchnorm=frozen", "data.splits=disjoint")
        assert (found.init.batchnorm, found.data.splits, found.data.resize) == ("frozen", "disjoint", "released")

    def test_keys_lists_sections_and_values(self):
        found = known_keys()
        for key in ("border", "optim", "optim.lr", "optim.l2", "experiment.picture", "tracking.sweep"):
            assert key in found
        assert len(found) == len(set(found))


def alternative(raw, key):
    """The config with another admissible value at one key."""
    value = get(raw, key)
    candidates = [None, True, False, "other", 1, 2, 3, 0.5, 0.25, 1e-4, 2048, 32, [0.1, 0.2, 0.3], "cpu", "dense"]
    models = (QuadrantRun, *sections(QuadrantRun), *sections(LeakDistanceRun))
    candidates += [["os"], "full", "folder", *(o for model in models for o in options(model, key.rpartition(".")[2]))]
    for candidate in candidates:
        if candidate == value:
            continue
        try:
            return validate(put(raw, key, candidate))
        except UserError:
            continue
    return None


def sections(model):
    for field in model.model_fields.values():
        for annotation in (field.annotation, *get_args(field.annotation)):
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                yield annotation
                yield from sections(annotation)


def options(model, name):
    field = model.model_fields.get(name)
    return get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()


class TestIdentity:
    @pytest.mark.parametrize("choice", ["optim=sgd", "optim=probe", "experiment=leak_distance"])
    def test_every_scientific_key_and_no_other_changes_the_identity(self, raw, choice):
        composed = raw(choice, "init=frozen-pretrained", "init.checkpoint=w.pth", "data.root=here")
        base = identity(scientific(validate(composed), {}))
        tried = set()
        for key in leaves(composed):
            other = alternative(composed, key)
            if other is None:
                continue
            tried.add(key)
            same = identity(scientific(other, {})) == base
            assert same == (key in CIRCUMSTANCES), key
        # One choice, or another section's keys.
        alone = {"experiment.name", "optim.name", "data.crop", "conv.pools", "downsample.size"}
        if choice != "optim=sgd":
            alone |= {"init.name", "init.batchnorm"}  # what a probe needs
        if choice == "experiment=leak_distance":
            alone |= {"experiment.border_as", "border", "data.splits"}  # of which it has one each
        assert set(leaves(composed)) - tried <= alone

    def test_the_contents_behind_a_path_count(self, config):
        found = config()
        assert identity(scientific(found, {"data.root": "a"})) != identity(scientific(found, {"data.root": "b"}))
        assert identity(scientific(found, {"data.root": "a"})) != identity(scientific(found, {"init.checkpoint": "a"}))

    def test_optimisers_differ(self, config):
        sgd, probe = config("optim=sgd"), config("optim=probe")
        assert isinstance(sgd.optim, Sgd)
        assert isinstance(probe.optim, Probe)
        assert identity(scientific(sgd, {})) != identity(scientific(probe, {}))
