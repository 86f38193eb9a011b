"""Runs to tables: one row a cell of the grid, mean and deviation over seeds, an interval, the published value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweeps import intervals
from sweeps import published as reference

if TYPE_CHECKING:
    import pandas

NULL = "null"  # a setting that is null, which is another than one that a run does not have
# Settings that decide no number: where and how a run was computed, and the place of what it read.
# Contents of paths count by their fingerprints.
IGNORED = ("device", "engine", "data.root", "data.workers", "data.cache", "init.checkpoint", "experiment")


def cells(
    frame: pandas.DataFrame,
    axes: list[str],
    metric: str,
    others: tuple[str, ...] = (),
    sampled: bool = True,
) -> pandas.DataFrame:
    """Aggregates runs over seeds.

    Args:
        frame: as `Mirror.read` gives it: in a column `right` what runs record of single pictures, in `implied` which
            values follow from their protocol.
        axes: params that span the table.
        metric: a metric in [0, 1].
        others: further metrics, of which the mean alone is wanted.
        sampled: whether test images are drawn from many; otherwise they are all that there are.
    Returns: columns axes, then every other setting in which the runs differ, then n (seeds), <metric>_mean,
        <metric>_std (sample deviation; empty for one seed), low, high: in percent; over: what the interval speaks of
        (sweeps/intervals.py); then certified: whether theory proves the value, which then has no interval; then the
        means of `others`, as they are.
    """
    settings, found = groups(frame, axes)
    rows = []
    for key, seeds in found:
        values, certified = seeds[f"metrics.{metric}"], _certified(seeds)
        low, high, over = _interval(seeds, metric, sampled)
        low, high, over = (values.mean(), values.mean(), "") if certified else (low, high, over)
        deviation = 100 * values.std() if len(values) > 1 else None
        means = (seeds[f"metrics.{m}"].mean() if f"metrics.{m}" in seeds else float("nan") for m in others)
        rows.append((*key, len(values), 100 * values.mean(), deviation, 100 * low, 100 * high, over, certified, *means))
    import pandas as pd

    columns = [*axes, *settings, "n", f"{metric}_mean", f"{metric}_std", "low", "high", "over", "certified", *others]
    return pd.DataFrame(rows, columns=columns)


def groups(frame: pandas.DataFrame, axes: list[str]) -> tuple[list[str], list[tuple[tuple, pandas.DataFrame]]]:
    """The runs of each cell.

    Args:
        frame: as in `cells`.
        axes: params that span the table.
    Returns: The other settings in which runs differ, or deviate from what is implied; and for each cell its values of
        axes and settings, and its runs, one a seed.
    """
    settings = _settings(frame, axes)
    named = frame.rename(columns={f"params.{s}": s for s in [*axes, *settings]})
    for setting in settings:  # a list, say, cannot be grouped by
        named[setting] = named[setting].map(str, na_action="ignore")
    grouped = named.fillna(dict.fromkeys(settings, "-")).groupby([*axes, *settings], sort=False)
    found = [(key if isinstance(key, tuple) else (key,), runs.drop_duplicates("params.seed")) for key, runs in grouped]
    return settings, found


def summaries(frame: pandas.DataFrame, axes: list[str], metrics: Mapping[str, float]) -> pandas.DataFrame:
    """A row a cell: axes, what else differs, n (seeds), then for each metric <metric>_mean, _std, _low, _high; and
    certified where theory proves some values: whether it does, and there is no interval.

    The interval is that over seeds and pictures where all runs record the metric of single pictures, and otherwise over
    seeds, of which a single one has none.

    Args:
        frame: as in `cells`.
        axes: params that span the table.
        metrics: by name what they are multiplied by; those that are recorded are in [0, 1] before.
    """
    import pandas as pd

    settings, found = groups(frame, axes)
    rows = []
    for key, seeds in found:
        certified = _certified(seeds)
        row: dict[str, Any] = dict(zip([*axes, *settings], key, strict=True)) | {"n": len(seeds)}
        for metric, scale in metrics.items():
            values, right = seeds[f"metrics.{metric}"], _recorded(seeds, metric)
            recorded = all(right) and values.notna().all()
            found_here = intervals.of_runs(values.to_list(), right, 0) if recorded else None
            low, high = found_here[:2] if found_here else intervals.of_values(values.dropna().to_list())
            low, high = (values.mean(), values.mean()) if certified else (low, high)
            row |= {f"{metric}_mean": scale * values.mean(), f"{metric}_std": scale * values.std()}
            row |= {f"{metric}_low": scale * low, f"{metric}_high": scale * high}
        rows.append(row | {"certified": certified})
    proven = any(row["certified"] for row in rows)
    return pd.DataFrame(rows) if proven else pd.DataFrame(rows).drop(columns="certified", errors="ignore")


def summary(row: dict[Any, Any], metric: str, form: str) -> str:
    """A cell of `summaries` for people: mean ± deviation [interval] (seeds); of one seed no deviation, nor of what is
    certified.

    Args:
        row: of a table of `summaries`.
        metric: its name.
        form: of a number, as for `format`.
    """
    if row.get("certified"):
        return f"{row[f'{metric}_mean']:g} (certified)"
    mean, deviation, low, high = (format(row[f"{metric}_{part}"], form) for part in ("mean", "std", "low", "high"))
    if row["n"] > 1:
        return f"{mean} ± {deviation} [{low}, {high}] ({row['n']:.0f})"
    return f"{mean} (1)" if low == "nan" else f"{mean} [{low}, {high}] (1, {intervals.PICTURES})"


def said(row: dict[Any, Any], name: str, interval: str = "") -> str:
    """A cell for people: mean ± deviation [interval] (seeds), in percent.

    Args:
        row: of a table of `cells`.
        name: of the metric.
        interval: what the names of its columns low and high begin with.
    """
    mean, deviation = row[f"{name}_mean"], row[f"{name}_std"]
    if row.get("certified"):
        return f"{mean:g} (certified)"
    spread = f" ± {deviation:.1f}" if deviation is not None and deviation == deviation else ""
    return f"{mean:.1f}{spread} [{row[interval + 'low']:.0f}, {row[interval + 'high']:.0f}] ({counted(row)})"


def counted(row: dict[Any, Any]) -> str:
    """The number of seeds, and of one what its interval speaks of."""
    return f"{row['n']:.0f}" + (f", {row['over']}" if row["over"] == intervals.PICTURES else "")


def pivot(table: pandas.DataFrame, rows: list[str], column: str, metric: str) -> pandas.DataFrame:
    """A table for people: cells as of `said` by rows and one axis across, published values as rows of their own."""
    import pandas as pd

    shown = table.assign(cell=[said(r, metric) for r in table.to_dict("records")])
    wide = shown.pivot_table(index=rows, columns=column, values="cell", aggfunc="first", sort=False)
    published = table.dropna(subset=["published"]) if "published" in table else table.iloc[:0]
    if len(published):
        beside = published.assign(cell=[reference.said(row) for row in published.to_dict("records")])
        beside = beside.assign(**{rows[-1]: beside[rows[-1]] + ", published"})
        theirs = beside.pivot_table(index=rows, columns=column, values="cell", aggfunc="first", sort=False)
        wide = pd.concat([wide, theirs])
    return wide.sort_index(axis=1).sort_index().fillna("")


def _settings(frame: pandas.DataFrame, axes: list[str]) -> list[str]:
    names = [c.removeprefix("params.") for c in frame.columns if c.startswith("params.")]
    free = [n for n in names if n not in (*axes, "seed", *IGNORED)]
    return sorted(n for n in free if _deviates(frame, n) or (_differs(frame, n) and not _named(frame, n, axes)))


def _implied(frame: pandas.DataFrame, name: str) -> pandas.Series:
    """Whether a run's protocol says what it has in a setting."""
    import pandas as pd

    told = frame["implied"] if "implied" in frame else pd.Series([None] * len(frame), frame.index)
    return told.map(lambda implied: isinstance(implied, dict) and name in implied)


def _deviates(frame: pandas.DataFrame, name: str) -> bool:
    """Whether a run has another value than the one that its protocol implies: a column then, also of the others."""
    told = frame[_implied(frame, name)]
    pairs = zip(told[f"params.{name}"], told["implied"], strict=True) if len(told) else ()
    return any(value != implied[name] and (value, implied[name]) != (NULL, None) for value, implied in pairs)


def _differs(frame: pandas.DataFrame, name: str) -> bool:
    """Whether runs differ in a setting; what a run does not have is another content, and otherwise says nothing."""
    values = frame[f"params.{name}"][~_implied(frame, name)].map(str, na_action="ignore")
    absent = "-" if name.startswith(("fingerprints.", "edition")) else None
    return (values if absent is None else values.fillna(absent)).dropna().nunique() > 1


def _named(frame: pandas.DataFrame, name: str, axes: list[str]) -> bool:
    """Whether a detail of a section (of the architecture: library, mean, std; of data: the fingerprint of its files)
    follows from the section's name.
    """
    section = name.removeprefix("fingerprints.").partition(".")[0]
    if section not in axes or section == name:
        return False
    return bool((frame.groupby(f"params.{section}")[f"params.{name}"].agg(lambda v: v.map(str).nunique()) <= 1).all())


def _certified(group: pandas.DataFrame) -> bool:
    return "tags.certified" in group and bool((group["tags.certified"] == "yes").all())


def _interval(seeds: pandas.DataFrame, metric: str, sampled: bool) -> tuple[float, float, str]:
    values = seeds[f"metrics.{metric}"].to_list()
    if not sampled:
        return intervals.of_seeds(values)
    return intervals.of_runs(values, _recorded(seeds, metric), seeds["metrics.n"].iloc[0])


def _recorded(seeds: pandas.DataFrame, metric: str) -> list[list[str] | None]:
    """What each run records of single pictures; see `intervals.of_runs`."""
    records = seeds["right"] if "right" in seeds else [None] * len(seeds)
    return [record.get(metric) if isinstance(record, dict) else None for record in records]
