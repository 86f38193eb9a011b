"""What the paper reports: ImageNet, ResNet-50, one run each; from the authors' figure on data efficiency."""

from __future__ import annotations

# Top-1 in percent by pictures a class: as printed for same, and what full adds (± 0.03).
SAME = {50: 26.39, 100: 43.99, 250: 59.67, 500: 68.82}
ADDED = {50: 4.76, 100: 3.36, 250: 3.19, 500: 1.30}
ALL_SAME, ALL_ADDED = 75.75, 0.02
ALL = 1281  # pictures a class of the training set, on average
SMALLEST = 1000  # pictures a class from which on a run has all but its validation pictures


def value(data: str, arch: str, placement: str, conv: str, control: str, per_class: int) -> float | None:
    """The published value of a cell, in percent; None: there is none."""
    theirs = (data, arch, placement, control) == ("labelled_imagenet", "resnet50", "centred", "none")
    if not theirs or conv not in ("same", "full"):
        return None
    whole = per_class >= SMALLEST
    same, added = (ALL_SAME, ALL_ADDED) if whole else (SAME.get(per_class), ADDED.get(per_class))
    if same is None or added is None:
        return None
    return same + added if conv == "full" else same


def curve(conv: str) -> dict[int, float]:
    """Of `same` or `full`, by pictures a class, in percent."""
    same, added = SAME | {ALL: ALL_SAME}, ADDED | {ALL: ALL_ADDED}
    return {count: same[count] + (added[count] if conv == "full" else 0.0) for count in same}
