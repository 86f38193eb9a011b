"""The one interval: its coverage by simulation, what it does at 50 and 100 %, and what runs record for it."""

import math

import numpy as np
import pytest
from scipy import stats

from sweeps import intervals
from sweeps.intervals import of_distances, of_runs, of_scores, of_seeds

REPEATS = 800


def experiments(accuracy, seeds, pictures, seed_spread=0.1, picture_spread=0.5, opposite=1.5):
    """Score matrices of a probit model: scores of seeds and pictures crossed, two images a picture.

    `opposite` is what a picture adds at one place and takes away at the other. Everything has the true mean `accuracy`.
    """
    generator = np.random.default_rng([round(1000 * accuracy), seeds, pictures, round(100 * seed_spread)])
    total = np.sqrt(1 + seed_spread**2 + picture_spread**2 + opposite**2)
    for _ in range(REPEATS):
        level = stats.norm.ppf(accuracy) * total + seed_spread * generator.normal(size=(seeds, 1))
        easy, side = picture_spread * generator.normal(size=pictures), opposite * generator.normal(size=pictures)
        noise = generator.normal(size=(2, seeds, pictures))
        yield ((level + easy + side + noise[0] > 0).astype(float) + (level + easy - side + noise[1] > 0)) / 2


def coverage(interval, accuracy, *arguments, **spreads):
    found = [interval(scores) for scores in experiments(accuracy, *arguments, **spreads)]
    return np.mean([low <= accuracy <= high for low, high in found])


def students(scores):
    """Of seeds alone, as if each had pictures of its own."""
    seeds = scores.mean(1)
    half = stats.sem(seeds) * stats.t.ppf(0.975, len(seeds) - 1)
    return seeds.mean() - half, seeds.mean() + half


class TestCoverage:
    @pytest.mark.parametrize("accuracy", [0.5, 0.8, 0.97])
    @pytest.mark.parametrize("spread", [0, 0.1, 0.4])
    @pytest.mark.parametrize("pictures", [24, 200])
    def test_two_seeds_cover_at_least_90_percent(self, accuracy, spread, pictures):
        assert coverage(of_scores, accuracy, 2, pictures, seed_spread=spread) >= 0.9 - 0.01

    @pytest.mark.parametrize("accuracy", [0.5, 0.7, 0.9])
    @pytest.mark.parametrize("spread", [0.1, 0.25])
    @pytest.mark.parametrize("seeds", [5, 10])
    def test_from_five_seeds_it_covers_93_to_97_percent(self, accuracy, spread, seeds):
        assert 0.93 - 0.01 <= coverage(of_scores, accuracy, seeds, 200, seed_spread=spread) <= 0.97 + 0.01

    @pytest.mark.parametrize("accuracy", [0.5, 0.9, 0.99])
    @pytest.mark.parametrize("seeds", [5, 10])
    def test_few_pictures_and_accuracies_near_100_never_make_it_cover_less(self, accuracy, seeds):
        assert coverage(of_scores, accuracy, seeds, 24) >= 0.93
        assert coverage(of_scores, accuracy, seeds, 200, seed_spread=0) >= 0.93

    @pytest.mark.parametrize("accuracy", [0.5, 0.7, 0.9, 0.97])
    def test_one_seed_covers_the_accuracy_of_that_seed_on_other_pictures(self, accuracy):
        assert coverage(of_scores, accuracy, 1, 32, seed_spread=0) >= 0.94
        assert coverage(of_scores, accuracy, 1, 32, seed_spread=0, picture_spread=1, opposite=0) >= 0.93

    def test_seeds_that_all_see_the_same_are_no_more_than_one(self):
        def alike(scores):
            return of_scores(np.repeat(scores, 5, axis=0))

        assert coverage(alike, 0.8, 1, 100, seed_spread=0) == pytest.approx(0.955, abs=0.02)

    def test_students_t_over_seeds_that_share_their_pictures_covers_far_less(self):
        assert coverage(students, 0.7, 10, 100, seed_spread=0.1) < 0.85


class TestEnds:
    def test_all_right_is_no_proof_and_more_pictures_prove_more(self):
        lows = [of_scores(np.ones((2, pictures)))[0] for pictures in (12, 24, 100, 1000)]
        assert 0.6 < lows[0] < lows[1] < lows[2] < lows[3] < 0.998
        exact = stats.binomtest(24, 24).proportion_ci(0.95).low
        assert of_scores(np.ones((1, 24))) == (pytest.approx(exact, abs=0.03), 1)

    def test_seeds_that_agree_prove_no_more_than_one_of_them(self):
        scores = np.array([[1, 0.5, 1, 0.5, 0, 1] * 5])
        one = np.ptp(of_scores(scores))
        assert np.ptp(of_scores(np.repeat(scores, 2, axis=0))) > one
        assert np.ptp(of_scores(np.repeat(scores, 10, axis=0))) == pytest.approx(one, rel=0.02)

    def test_a_network_that_says_the_same_of_both_places_is_surely_near_50(self):
        low, high = of_scores(np.full((5, 24), 0.5))
        assert 0.43 < low < 0.5 < high < 0.57

    def test_it_lies_within_0_and_1_and_around_the_mean(self):
        generator = np.random.default_rng(0)
        for _ in range(300):
            seeds, pictures = generator.integers(1, 6), generator.integers(1, 9)
            scores = generator.integers(0, 3, (seeds, pictures)) / 2
            low, high = of_scores(scores)
            assert 0 <= low <= scores.mean() <= high <= 1

    def test_mirrored_scores_have_the_mirrored_interval(self):
        scores = np.random.default_rng(1).integers(0, 3, (3, 20)) / 2
        low, high = of_scores(scores)
        assert of_scores(1 - scores) == pytest.approx((1 - high, 1 - low))


class TestRecords:
    def test_both_places_of_a_picture_are_one_unit(self):
        """Places that disagree on every picture leave no doubt about one half; pictures that are all or nothing do."""
        opposed = of_runs([0.5], [["1" * 32, "0" * 32]], 64)
        whole = of_runs([0.5], [["10" * 16, "10" * 16]], 64)
        assert np.ptp(opposed[:2]) < 0.1 < 0.3 < np.ptp(whole[:2])
        assert whole[2] == "pictures alone"

    def test_two_variances_by_hand(self):
        """Seeds 3/4 and 1/2 on four pictures; with the made-up two the pictures' means are 1, 1, .5, 0, 1, 0."""
        right = [["1110"], ["1100"]]
        pictures = np.var([1, 1, 0.5, 0, 1, 0], ddof=1) / 6
        seeds = (4 / 6) ** 2 * np.var([3 / 4, 1 / 2], ddof=1) / 2
        rest = np.array([[-1, -1, 3, -1], [1, 1, -3, 1]]) / 8
        interaction = (4 / 6) ** 2 * (rest**2).sum() / 3 / 8
        variance = pictures + seeds - interaction
        freedom = 1 / (0.6**2 + 0.4**2 / 5)
        half = stats.t.ppf(0.975, freedom) * variance**0.5
        low, high, over = of_runs([3 / 4, 1 / 2], right, 4)
        assert over == "seeds and pictures"
        assert (low, high) == pytest.approx((max(0, 3.5 / 6 - half), min(1, 3.5 / 6 + half)))

    @pytest.mark.parametrize(("seeds", "least"), [(2, 0.9), (5, 0.93)])
    def test_runs_without_a_record_are_covered_too_by_a_longer_one(self, seeds, least):
        def unknown(scores):
            return of_runs(scores.mean(1).tolist(), [None] * seeds, 2 * scores.shape[1])[:2]

        assert coverage(unknown, 0.8, seeds, 32) >= least
        widths = [(np.ptp(of_scores(scores)), np.ptp(unknown(scores))) for scores in experiments(0.8, seeds, 32)]
        assert np.mean(widths, axis=0)[1] > 1.1 * np.mean(widths, axis=0)[0]

    def test_where_the_test_is_all_there_is_seeds_are_the_units(self):
        assert of_seeds([1.0] * 5) == (*of_scores(np.ones((1, 5))), "seeds alone")


class TestDistance:
    def told(self, *right):
        """A record of 32 pictures: how many are told right at border 0, 8, 16, …; the others decide nothing."""
        return {str(8 * k): ["1" * 32, "1" * r + "0" * (32 - r)] for k, r in enumerate(right)}

    def test_verdicts_that_hang_on_few_pictures_lengthen_it(self):
        clear, close = self.told(32, 30, 0), self.told(32, 5, 0)
        assert of_distances([8, 8], [clear, clear]) == (0, "seeds and pictures")
        assert of_distances([8, 8], [close, close])[0] > 2

    def test_without_a_record_it_speaks_of_seeds_alone(self):
        half, over = of_distances([144, 152, 160], [None] * 3)
        assert (half, over) == (pytest.approx(4.302653 * 8 / 3**0.5, abs=1e-4), "seeds alone")
        assert of_distances([144], [None]) == (0, "")

    def test_one_seed_speaks_of_pictures_alone(self):
        assert of_distances([8], [self.told(32, 5, 0)])[1] == intervals.PICTURES


def test_one_value_of_any_quantity_has_no_interval():
    assert all(math.isnan(end) for end in intervals.of_values([0.5]))
    assert all(math.isnan(end) for end in intervals.of_values([]))
    low, high = intervals.of_values([1.0, 3.0])
    assert (low + high) / 2 == pytest.approx(2.0)
    assert high - low == pytest.approx(2 * 12.706, rel=1e-3)  # Student's t with one degree of freedom


def test_what_is_drawn_anew_adds_to_the_spread_of_seeds():
    """By hand: of two sources of variance that are alike the interval is the root of two longer, but for freedom."""
    values = [1.0, 2.0, 3.0]
    draws = [[value + shift for shift in (-1.0, 1.0) * 50] for value in values]  # of the mean: variance 1
    low, high, over = intervals.of_redrawn(values, draws, 10_000)
    over_seeds = 1 / 3
    assert over == intervals.SEEDS_AND_PICTURES
    assert high - 2 == pytest.approx(2 - low) == pytest.approx(intervals.half_width(over_seeds, 1.0, 0.0, 3, 10_000))
    alone = intervals.of_redrawn(values, [None] * 3, 10_000)
    assert alone[2] == intervals.SEEDS
    assert alone[1] - 2 == pytest.approx(4.302653 * over_seeds**0.5, rel=1e-5)
    assert intervals.of_redrawn([1.0], [draws[0]], 10_000)[1] - 1 == pytest.approx(1.96, abs=0.01)
    assert intervals.of_redrawn([1.0], [None], 9)[2] == ""
