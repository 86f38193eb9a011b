"""Runs recorded before something could be chosen, beside those that chose it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.experiments.location.config import LocationRun

if TYPE_CHECKING:
    import pandas


def completed(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The same runs, each with what it did where its record does not say so: earlier runs then share later ones' rows.

    Args:
        frame: as in `sweeps.tables.cells`.
    """
    later = ((section, *each) for section, values in LocationRun.LATER.items() for each in values.items())
    did = {f"params.{section}.{key}".removesuffix(".name"): value for section, key, value in later}
    return frame.fillna({key: value for key, value in did.items() if key in frame})
