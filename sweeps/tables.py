"""Runs to tables: one row a cell of the grid, mean and deviation over seeds, an interval, the published value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

# Settings that decide no number: where and how a run was computed, and the place of what it read.
# Contents of paths count by their fingerprints.
IGNORED = ("device", "engine", "data.root", "init.checkpoint", "experiment")
CONFIDENCE = 0.95


def cells(
    frame: pandas.DataFrame,
    axes: list[str],
    metric: str = "accuracy",
    others: tuple[str, ...] = (),
    implied: Iterable[str] = (),
) -> pandas.DataFrame:
    """Aggregates runs over seeds.

    Args:
        frame: as `mlflow.search_runs` gives it.
        axes: params that span the table.
        metric: a metric in [0, 1].
        others: further metrics, of which the mean alone is wanted.
        implied: params that `without_implied` has seen to.
    Returns: columns axes, then every other setting in which the runs differ, then n (seeds), <metric>_mean,
        <metric>_std (sample deviation; empty for one seed), low, high: in percent; then certified: whether theory
        proves the value; then the means of `others`, as they are. The interval is Student's over seeds, no
        narrower than Wilson's over one run's test images.
    """
    settings, found = groups(frame, axes, implied)
    rows = []
    for key, seeds in found:
        values = 100 * seeds[f"metrics.{metric}"]
        low, high = interval(values.to_list(), int(seeds["metrics.n"].iloc[0]))
        low, high = (values.mean(), values.mean()) if _certified(seeds) else (low, high)
        deviation = values.std() if len(values) > 1 else None
        numbers = (len(values), values.mean(), deviation, low, high)
        means = (seeds[f"metrics.{m}"].mean() if f"metrics.{m}" in seeds else float("nan") for m in others)
        rows.append((*key, *numbers, _certified(seeds), *means))
    import pandas as pd

    columns = [*axes, *settings, "n", f"{metric}_mean", f"{metric}_std", "low", "high", "certified", *others]
    return pd.DataFrame(rows, columns=columns)


def groups(
    frame: pandas.DataFrame, axes: list[str], implied: Iterable[str] = ()
) -> tuple[list[str], list[tuple[tuple, pandas.DataFrame]]]:
    """The runs of each cell.

    Args:
        frame: as `mlflow.search_runs` gives it.
        axes: params that span the table.
        implied: params that `without_implied` has seen to.
    Returns: The other settings in which runs differ, or all deviate from what is implied; and for each cell its values
        of axes and settings, and its runs, one a seed.
    """
    settings = _settings(frame, axes, implied)
    named = frame.rename(columns={f"params.{s}": s for s in [*axes, *settings]})
    grouped = named.fillna(dict.fromkeys(settings, "-")).groupby([*axes, *settings], sort=False)
    found = [(key if isinstance(key, tuple) else (key,), runs.drop_duplicates("params.seed")) for key, runs in grouped]
    return settings, found


def without_implied(frame: pandas.DataFrame, implied: dict[str, dict[str, str]]) -> pandas.DataFrame:
    """Runs without what follows from the protocol, so that only a deviation from it is a column.

    Args:
        frame: as `mlflow.search_runs` gives it.
        implied: for a param its value under each protocol.
    """
    found = frame.copy()
    if "params.conv.pools" in found:  # which only full convolution reads
        found["params.conv.pools"] = found["params.conv.pools"].mask(found["params.conv"] != "full", "-")
    for name, values in implied.items():
        column = f"params.{name}"
        if column in found:
            found[column] = found[column].mask(found[column] == frame["params.protocol"].map(values), "-")
    return found


def interval(values: list[float], images: int) -> tuple[float, float]:
    """A 95 % interval, in percent.

    Args:
        values: the accuracy of each seed, in percent.
        images: test images of one run.
    Returns: (low, high) within 0 and 100; Wilson's for one run's images at the mean, and no narrower than that
        Student's t over seeds: two seeds that agree by chance prove nothing.
    """
    from scipy.stats import binomtest

    mean = sum(values) / len(values)
    found = binomtest(round(mean / 100 * images), images).proportion_ci(CONFIDENCE, method="wilson")
    half = half_width(values) if len(values) > 1 else 0.0
    return max(0.0, min(100 * found.low, mean - half)), min(100.0, max(100 * found.high, mean + half))


def half_width(values: list[float]) -> float:
    """Half of Student's 95 % interval of the mean, of two values or more."""
    from scipy import stats

    return float(stats.sem(values) * stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))


def pivot(table: pandas.DataFrame, rows: list[str], column: str) -> pandas.DataFrame:
    """A table for people: 'mean ± std (n)' by rows and one axis across, published values as rows of their own."""
    import pandas as pd

    shown = table.assign(cell=[_cell(r) for r in table.to_dict("records")])
    wide = shown.pivot_table(index=rows, columns=column, values="cell", aggfunc="first", sort=False)
    published = table.dropna(subset=["published"]) if "published" in table else table.iloc[:0]
    if len(published):
        beside = published.assign(cell=published["published"].map("{:g}".format))
        beside = beside.assign(**{rows[-1]: beside[rows[-1]] + ", published"})
        said = beside.pivot_table(index=rows, columns=column, values="cell", aggfunc="first", sort=False)
        wide = pd.concat([wide, said])
    return wide.sort_index(axis=1).sort_index().fillna("")


def _settings(frame: pandas.DataFrame, axes: list[str], implied: Iterable[str]) -> list[str]:
    names = [c.removeprefix("params.") for c in frame.columns if c.startswith("params.")]
    free = [n for n in names if n not in (*axes, "seed", *IGNORED)]
    deviating = {n for n in free if n in implied and (frame[f"params.{n}"].dropna() != "-").any()}
    differing = {n for n in free if _differs(frame[f"params.{n}"], n) and not _named(frame, n, axes)}
    return sorted(deviating | differing)


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


def _cell(row: dict[Any, Any]) -> str:
    mean = next(v for k, v in row.items() if k.endswith("_mean"))
    if row.get("certified"):
        return f"{mean:g} (certified)"
    deviation = next(v for k, v in row.items() if k.endswith("_std"))
    spread = f" ± {deviation:.1f}" if deviation == deviation and deviation is not None else ""
    return f"{mean:.1f}{spread} ({row['n']:.0f})"
