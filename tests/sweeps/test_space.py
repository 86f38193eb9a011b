"""The search space: Hydra's override syntax as Optuna's distributions, with Hydra's meaning."""

import pytest

from sweeps.errors import UserError
from sweeps.study.space import corners, described, overrides, parse, points


def one(argument):
    space, fixed = parse([argument])
    assert fixed == []
    ((key, distribution),) = space.items()
    return key, distribution


@pytest.mark.parametrize("argument", ["conv=same,full", "conv=choice(same,full)", "conv=same,full,same"])
def test_a_list_is_categorical(argument):
    from optuna.distributions import CategoricalDistribution

    assert one(argument) == ("conv", CategoricalDistribution(("same", "full")))


def test_choices_are_kept_as_they_are_typed_in_an_override():
    assert one("x=1,2.5,null,true")[1].choices == ("1", "2.5", "null", "True")
    assert one("x='a,b',[1,2]")[1].choices == ("'a,b'", "[1,2]")


def test_an_interval_is_a_range_of_numbers():
    from optuna.distributions import FloatDistribution, IntDistribution

    assert one("optim.lr=interval(0,1)") == ("optim.lr", FloatDistribution(0, 1))
    assert one("optim.lr=tag(log,interval(1e-4,1))")[1] == FloatDistribution(1e-4, 1, log=True)
    assert one("n=int(interval(2,8))")[1] == IntDistribution(2, 8)
    assert one("n=tag(log,int(interval(2,8)))")[1] == IntDistribution(2, 8, log=True)


@pytest.mark.parametrize(
    "argument",
    [
        "b=range(0,129,16)",
        "b=range(4)",
        "b=range(4,0,-1)",
        "b=shuffle(range(1,4))",
        "b=range(0,1,0.25)",
        "b=range(0,10,4)",
    ],
)
def test_a_range_has_the_values_that_hydra_gives_it(argument):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides([argument])
    _, distribution = one(argument)
    assert points({"b": distribution})["b"] == sorted(override.sweep_iterator())
    assert isinstance(distribution.low, type(distribution.step))


def test_what_is_not_swept_is_fixed_and_the_last_of_a_key_counts():
    space, fixed = parse(["+sweep=x", "conv=same,full", "border=0,16", "arch=resnet18", "border=64", "seed=1"])
    assert list(space) == ["conv"]
    assert fixed == ["+sweep=x", "arch=resnet18", "border=64", "seed=1"]
    assert list(parse(["conv=same", "+conv=full,same"])[0]) == ["+conv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["border=1"], "nothing to search"),
        ([], "nothing to search"),
        (["lr=tag(log,interval(0,1))"], "low > 0"),
        (["lr=interval(2,1)"], "low <= high"),
        (["b=range(3,1)"], "one or more"),
        (["b=range(0,4,0)"], "zero"),
        (["b=tag(log,range(1,4))"], "tag"),
        (["b=tag(ordinal,choice(1,2))"], "tag"),
    ],
)
def test_a_sweep_that_no_study_can_draw_from_is_refused(arguments, said):
    with pytest.raises(UserError, match=r"^[^\n]*$") as refused:
        parse(arguments)
    assert said in str(refused.value)
    if arguments and "nothing" not in said:
        assert str(refused.value).startswith(arguments[0])


def test_what_hydra_cannot_parse_it_refuses():
    with pytest.raises(UserError, match=r"^b=interval\(0,x\): cannot be read \([^\n]*$"):
        parse(["b=interval(0,x)"])


def test_corners_reach_every_choice_and_both_ends_of_every_range():
    space, _ = parse(["lr=interval(0.5,1)", "conv=a,b,c", "b=range(0,9,4)"])
    found = corners(space)
    assert found[0] == {"lr": 0.5, "conv": "a", "b": 0}
    assert len(found) == 1 + 1 + 2 + 1
    for key, values in {"lr": {0.5, 1.0}, "conv": {"a", "b", "c"}, "b": {0, 8}}.items():
        assert {corner[key] for corner in found} == values
    assert all(sum(corner[k] != found[0][k] for k in corner) == 1 for corner in found[1:])


def test_drawn_numbers_survive_being_written_as_overrides():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    drawn = {"a": 1e-05, "b": 0.1 + 0.2, "c": 3, "d": "null", "e": 1e16}
    parsed = {o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(overrides(drawn))}
    assert parsed == {**drawn, "d": None}


def test_equal_searches_read_alike_and_others_do_not():
    said = [
        described(one(a)[1]) for a in ("x=interval(1e-4,1)", "x=interval(0.0001,1.0)", "x=tag(log,interval(1e-4,1))")
    ]
    assert said[0] == said[1] == "0.0001 to 1.0"
    assert said[2] == "0.0001 to 1.0 (log)"
    assert described(one("x=range(0,9,4)")[1]) == "0 to 8 by 4"
    assert described(one("x=a,b")[1]) == "a,b"


def test_endlessly_many_values_cannot_be_listed():
    space, _ = parse(["lr=interval(0.5,1)"])
    with pytest.raises(UserError, match=r"lr=0\.5 to 1\.0: endless; allowed: a list or a range"):
        points(space)
