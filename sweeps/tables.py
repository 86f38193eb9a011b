"""Runs to tables: one row a cell of the grid, mean and deviation over seeds, an interval, the published value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweeps import intervals

if TYPE_CHECKING:
    import pandas

# Settings that decide no number: where and how a run was computed, and the place of what it read.
# Contents of paths count by their fingerprints.
IGNORED = ("device", "engine", "data.root", "init.checkpoint", "experiment")
# For a param its value under each protocol (conf/): a column only where a run deviates from it.
Implied = dict[str, dict[str, str]]


def cells(
    frame: pandas.DataFrame,
    axes: list[str],
    metric: str = "accuracy",
    others: tuple[str, ...] = (),
    implied: Implied | None = None,
    sampled: bool = True,
) -> pandas.DataFrame:
    """Aggregates runs over seeds.

    Args:
        frame: as `mlflow.search_runs` gives it; in a column `right` what runs record of single pictures.
        axes: params that span the table.
        metric: a metric in [0, 1].
        others: further metrics, of which the mean alone is wanted.
        implied: for a param its value under each protocol; it is a column only where a run deviates from it.
        sampled: whether test images are drawn from many; otherwise they are all that there are.
    Returns: columns axes, then every other setting in which the runs differ, then n (seeds), <metric>_mean,
        <metric>_std (sample deviation; empty for one seed), low, high: in percent; over: what the interval speaks of
        (sweeps/intervals.py); then certified: whether theory proves the value, which then has no interval; then the
        means of `others`, as they are.
    """
    settings, found = groups(frame, axes, implied)
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


def groups(
    frame: pandas.DataFrame, axes: list[str], implied: Implied | None = None
) -> tuple[list[str], list[tuple[tuple, pandas.DataFrame]]]:
    """The runs of each cell.

    Args:
        frame: as `mlflow.search_runs` gives it.
        axes: params that span the table.
        implied: for a param its value under each protocol.
    Returns: The other settings in which runs differ, or deviate from what is implied; and for each cell its values of
        axes and settings, and its runs, one a seed.
    """
    settings = _settings(frame, axes, implied or {})
    named = frame.rename(columns={f"params.{s}": s for s in [*axes, *settings]})
    grouped = named.fillna(dict.fromkeys(settings, "-")).groupby([*axes, *settings], sort=False)
    found = [(key if isinstance(key, tuple) else (key,), runs.drop_duplicates("params.seed")) for key, runs in grouped]
    return settings, found


def where_read(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Runs without the settings that their convolution type does not read.

    Args:
        frame: as `mlflow.search_runs` gives it.
    """
    if "params.conv.pools" not in frame:  # which only full convolution reads
        return frame.copy()
    return frame.assign(**{"params.conv.pools": frame["params.conv.pools"].where(frame["params.conv"] == "full")})


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


def pivot(table: pandas.DataFrame, rows: list[str], column: str) -> pandas.DataFrame:
    """A table for people: cells as of `said` by rows and one axis across, published values as rows of their own."""
    import pandas as pd

    shown = table.assign(cell=[said(r, "accuracy") for r in table.to_dict("records")])
    wide = shown.pivot_table(index=rows, columns=column, values="cell", aggfunc="first", sort=False)
    published = table.dropna(subset=["published"]) if "published" in table else table.iloc[:0]
    if len(published):
        beside = published.assign(cell=published["published"].map("{:g}".format))
        beside = beside.assign(**{rows[-1]: beside[rows[-1]] + ", published"})
        theirs = beside.pivot_table(index=rows, columns=column, values="cell", aggfunc="first", sort=False)
        wide = pd.concat([wide, theirs])
    return wide.sort_index(axis=1).sort_index().fillna("")


def _settings(frame: pandas.DataFrame, axes: list[str], implied: Implied) -> list[str]:
    names = [c.removeprefix("params.") for c in frame.columns if c.startswith("params.")]
    free = [n for n in names if n not in (*axes, "seed", *IGNORED)]
    deviating = {n for n in free if n in implied and _deviates(frame, n, implied[n])}
    differing = {
        n for n in free if n not in implied and _differs(frame[f"params.{n}"], n) and not _named(frame, n, axes)
    }
    return sorted(deviating | differing)


def _deviates(frame: pandas.DataFrame, name: str, values: dict[str, str]) -> bool:
    """Whether a run has another value than the one that its protocol implies."""
    found = frame[f"params.{name}"]
    return bool((found.notna() & (found != frame["params.protocol"].map(values))).any())


def _differs(values: pandas.Series, name: str) -> bool:
    """Whether runs differ in a setting; what a run does not have is another content, and otherwise says nothing."""
    absent = "-" if name.startswith("fingerprints.") or name == "edition" else None
    return (values if absent is None else values.fillna(absent)).dropna().nunique() > 1


def _named(frame: pandas.DataFrame, name: str, axes: list[str]) -> bool:
    """Whether a detail of the architecture (library, mean, std) follows from the architecture's name."""
    if not name.startswith("arch.") or "arch" not in axes:
        return False
    return bool((frame.groupby("params.arch")[f"params.{name}"].nunique() <= 1).all())


def _certified(group: pandas.DataFrame) -> bool:
    return "tags.certified" in group and bool((group["tags.certified"] == "yes").all())


def _interval(seeds: pandas.DataFrame, metric: str, sampled: bool) -> tuple[float, float, str]:
    values = seeds[f"metrics.{metric}"].to_list()
    if not sampled:
        return intervals.of_seeds(values)
    records = seeds["right"] if "right" in seeds else [None] * len(seeds)
    right = [record.get(metric) if isinstance(record, dict) else None for record in records]
    return intervals.of_runs(values, right, seeds["metrics.n"].iloc[0])
