"""A run's identity: of values, not of the order of keys."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.identity import flat, identity

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
configs = st.dictionaries(st.text(), values, max_size=5)


def shuffled(value, flip):
    """The same with every dictionary's keys the other way round."""
    if isinstance(value, dict):
        items = [(k, shuffled(v, flip)) for k, v in value.items()]
        return dict(reversed(items) if flip else sorted(items))
    return [shuffled(v, flip) for v in value] if isinstance(value, list) else value


@given(configs, st.booleans())
def test_the_order_of_keys_does_not_matter(config, flip):
    assert identity(shuffled(config, flip)) == identity(config)


@given(configs, configs)
def test_other_values_have_another_identity(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (identity(one) == identity(other)) == same


@given(st.text(min_size=1), st.integers(), st.integers())
def test_every_single_change_shows(key, one, other):
    assert (identity({"a": {key: one}}) == identity({"a": {key: other}})) == (one == other)


def test_it_is_short_and_stays_what_it_was():
    """Run directories of earlier versions must be found again."""
    canonical = b'{"a":[1,2.5,null],"b":{"c":true}}'
    expected = hashlib.sha256(canonical).hexdigest()[:16]
    assert identity({"b": {"c": True}, "a": [1, 2.5, None]}) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises((ValueError, TypeError)):
        identity({"a": value})


def test_flat_keys_are_dotted_and_a_name_takes_its_sections_place():
    nested = {"arch": {"name": "resnet18", "mean": [1, 2]}, "border": 3, "a": {"b": {"c": None}}}
    assert flat(nested) == {"arch": "resnet18", "arch.mean": [1, 2], "border": 3, "a.b.c": None}
