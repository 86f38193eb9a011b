"""Ceilings of Red-Green: the known numbers, a limit, and the same counting done by the network itself."""

from collections import defaultdict
from itertools import islice, product

import pytest
import torch

from equivariance import theory
from equivariance.experiments.controlled.network import controlled
from equivariance.experiments.red_green import ceiling as bayes
from equivariance.experiments.red_green.ceiling import red_green_ceiling
from equivariance.experiments.red_green.images import GAP, HEIGHTS, JITTER, LEFTS, RIGHTS, boxes, paint
from equivariance.experiments.red_green.network import red_green
from equivariance.models.patches import patches


def test_the_ceilings_are_those_of_the_analysis():
    """Science 5.5, in percent: full, then circular convolution."""
    assert 100 * red_green_ceiling() == pytest.approx(87.24, abs=0.005)
    assert 100 * red_green_ceiling(period=32) == pytest.approx(67.03, abs=0.005)


def test_the_ceiling_takes_the_shape_of_the_network():
    """The defaults are the network's receptive field and stride."""
    assert theory.receptive_field(controlled(red_green, "full", 0).feature_map) == (17, 8)


@pytest.mark.slow
def test_at_stride_1_more_can_be_known():
    """Science 5.5."""
    assert 100 * red_green_ceiling(stride=1) == pytest.approx(91.2, abs=0.05)


def test_a_window_that_always_sees_both_boxes_decides():
    assert red_green_ceiling(field=64, stride=32) == pytest.approx(1.0)


def by_windows(label, x1, y1, x2, y2, period):
    horizontal = bayes._windows(*bayes._by_colour(label, x1, x2), 17, 8, period)
    return bayes._seen(horizontal, bayes._windows(*bayes._by_colour(label, y1, y2), 17, 8, period))


@pytest.mark.parametrize(("conv", "period"), [("full", None), ("circular", 32)])
def test_the_network_tells_apart_what_the_counting_tells_apart(conv, period):
    """Two images have the same patches in the network's last layer exactly if they show the same set of windows."""
    images = list(islice(boxes(1), 300))
    # Copies that are moved by a stride look the same, by other shifts they do not.
    images += [(c, x1, y1 + d, x2, y2 + d) for c, x1, y1, x2, y2 in images[:60] for d in (-3, 1) if y1 + d >= 3]
    images += [(1 - c, x1, y1 + (-16 if c else 16), x2, y2 + (-16 if c else 16)) for c, x1, y1, x2, y2 in images[:60]]
    units = patches(paint(images), controlled(red_green, conv, 0)).units
    by_network = [frozenset(row.tolist()) - {0} for row in units]
    counted = [by_windows(*image, period) for image in images]
    pairs = set(zip(by_network, counted, strict=True))
    assert len(pairs) == len(set(by_network)) == len(set(counted))
    assert 100 < len(pairs) < len(images)


@pytest.mark.slow
@pytest.mark.parametrize(("conv", "period"), [("full", None), ("circular", 32)])
def test_counting_with_the_network_over_the_whole_population_gives_the_same_ceiling(conv, period):
    images, chances = [], []
    for label, height in enumerate(HEIGHTS):
        rows = [height + j for j in JITTER]
        for x1 in LEFTS:
            rights = range(x1 + GAP, RIGHTS.stop)
            for x2, y1, y2 in product(rights, rows, rows):
                images.append((label, x1, y1, x2, y2))
                chances.append(1 / (len(LEFTS) * len(rights) * 64))
    units = patches(paint(images), controlled(red_green, conv, 0)).units
    found = defaultdict(lambda: torch.zeros(2, dtype=torch.float64))
    for image, chance, row in zip(images, chances, units.tolist(), strict=True):
        found[frozenset(row) - {0}][image[0]] += chance
    ceiling = sum(float(both.max()) for both in found.values()) / 2
    assert ceiling == pytest.approx(red_green_ceiling(period=period), abs=1e-9)
