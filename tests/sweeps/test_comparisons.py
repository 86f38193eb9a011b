"""Paired comparisons: against scipy, by hand, and by simulation of what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sweeps.comparisons import CANNOT, SEEDS, Difference, holm, least, mcnemar, paired, sign, verdict

values = st.lists(st.integers(-20, 20), min_size=2, max_size=30)
told = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
chances = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(values)
def test_the_sign_test_is_scipys_binomial_and_forgets_ties_and_sizes(differences):
    plus, minus = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    expected = stats.binomtest(plus, plus + minus).pvalue if plus + minus else 1
    assert sign(differences) == pytest.approx(expected)
    assert sign([7.5 * d for d in differences] + [0, 0]) == sign(differences)
    assert sign([-d for d in differences]) == pytest.approx(sign(differences))


@pytest.mark.parametrize(("pairs", "p"), [(1, 1), (5, 0.0625), (6, 0.03125), (10, 2 / 1024)])
def test_how_small_a_p_seeds_can_reach_at_best(pairs, p):
    assert least(pairs) == p
    assert sign([1] * pairs) == pytest.approx(p)
    assert (least(pairs) < 0.05) == (pairs >= SEEDS)


@given(told)
def test_mcnemar_by_enumeration(pairs):
    """Of all ways to give each discordant picture to either network: those as uneven as what was seen."""
    one, other = zip(*pairs, strict=True)
    first, second = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    whole = first + second
    tail = sum(math.comb(whole, k) for k in range(whole + 1) if abs(2 * k - whole) >= abs(first - second))
    assert mcnemar(one, other) == pytest.approx(tail / 2**whole)
    assert mcnemar(other, one) == pytest.approx(mcnemar(one, other))


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=2, max_size=12))
def test_paired_differences_are_scipys(pairs):
    one, other = (np.array(v, float) for v in zip(*pairs, strict=True))
    found = paired(one, other)
    assert (found.n, found.mean) == (len(pairs), pytest.approx((one - other).mean()))
    if np.ptp(one - other):
        expected = stats.ttest_rel(one, other)
        assert found.p == pytest.approx(expected.pvalue)
        ends = expected.confidence_interval(0.95)
        assert (found.low, found.high) == (pytest.approx(ends.low), pytest.approx(ends.high))
        assert (found.low > 0 or found.high < 0) == (found.p < 0.05)
    else:
        assert found.p == found.sign


def test_differences_that_are_all_the_same_are_judged_by_their_signs():
    assert paired([1.0] * 6, [0.9] * 6).p == pytest.approx(1 / 32)
    assert paired([1.0] * 6, [1.0] * 6).p == 1
    assert paired([0.3, 0.6], [0.2, 0.5]).p == 0.5  # the same but for rounding
    assert math.isnan(paired([1.0], [0.5]).p)
    assert paired([], []).n == 0


@given(chances)
def test_holm_against_its_definition(ps):
    found = holm(ps)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for rank, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
            if ps[i] * (len(ps) - rank) > level:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(found) if p <= level} == rejected
    assert all(p <= q <= 1 for p, q in zip(ps, found, strict=True))


def test_comparisons_that_could_not_be_made_count_as_none():
    nothing = float("nan")
    found = holm([0.01, nothing, 0.02])
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(0.02)


def test_pictures_or_seeds_that_are_no_pairs_are_refused():
    with pytest.raises(ValueError, match="2 and 1 pictures"):
        mcnemar([True, False], [True])
    with pytest.raises(ValueError, match="2 and 1 seeds"):
        paired([1, 2], [1])


def test_a_verdict_wants_six_pairs_and_a_small_corrected_p():
    seen = Difference(6, -1.0, -1.5, -0.5, 0.001, 0.03)
    assert verdict(seen, 0.01) == "lower"
    assert verdict(seen, 0.06) == "not told apart"
    assert verdict(Difference(5, 1.0, 0.9, 1.1, 1e-9, 0.0625), 1e-9) == CANNOT


def test_a_family_without_any_difference_is_claimed_to_have_one_in_five_of_a_hundred_at_most():
    """Eight variants against one reference, whose noise they share, six seeds."""
    generator = np.random.default_rng(0)
    false = []
    for _ in range(600):
        noise = generator.normal(size=(9, 6))
        false.append(min(holm([paired(noise[k], noise[0]).p for k in range(1, 9)])) < 0.05)
    assert np.mean(false) <= 0.05 + 2 * (0.05 * 0.95 / 600) ** 0.5


def test_two_thousand_paired_pictures_show_three_points():
    """A fifth of the pictures discordant, 11.5 % for the one and 8.5 % for the other."""
    generator = np.random.default_rng(1)

    def power(pictures):
        counts = generator.multinomial(pictures, [0.115, 0.085, 0.8], size=400)
        return np.mean([sign([1] * a + [-1] * b) < 0.05 for a, b, _ in counts])

    assert 0.76 < power(2000) < 0.9
    assert power(500) < 0.45
