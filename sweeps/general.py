"""Table and figure of an experiment that brings none: a row for each choice of what varies, mean and interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweeps import tables
from sweeps.experiments import EXPERIMENTS
from sweeps.registry import resolved

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


def artefact(experiment: str) -> Any:
    """What draws an experiment's runs (sweeps/artefacts.py); of one that is not registered here, too."""
    known = EXPERIMENTS.get(experiment) if experiment in EXPERIMENTS.names() else None
    if known is not None and known.artefact is not None:
        return resolved(known.artefact)
    return General(experiment, known.metrics if known else ())


class General:
    """The artefact of any experiment.

    Args:
        experiment: its name.
        metrics: the most telling one first; where it has named none, all that its runs have.
    """

    UNITS = "mean ± std [95 % interval, over test pictures too where runs record them] (seeds)"
    NEEDS: tuple[str, ...] = ()

    def __init__(self, experiment: str, metrics: tuple[str, ...]) -> None:
        self.TITLE, self.metrics = experiment, metrics
        self.COMMAND = f"python -m equivariance.run experiment={experiment}"

    def table(self, frame: pandas.DataFrame) -> pandas.DataFrame:
        """A row a cell: what varies, n, then for each metric <metric>_mean, _std, _low, _high, in its own units."""
        metrics = [m for m in self.metrics if f"metrics.{m}" in frame] or [
            c.removeprefix("metrics.") for c in frame.columns if c.startswith("metrics.") and c != "metrics.n"
        ]
        found = tables.summaries(frame.assign(**{"params.of": self.TITLE}), ["of"], dict.fromkeys(metrics, 1.0)).drop(
            columns="of"
        )
        return found.sort_values(_columns(found)[0] or ["n"], ignore_index=True)

    def shown(self, table: pandas.DataFrame) -> pandas.DataFrame:
        """The table for people."""
        settings, metrics = _columns(table)
        said = table[settings].copy()
        for metric in metrics:
            said[metric] = [tables.summary(row, metric, ".4g") for row in table.to_dict("records")]
        return said.set_index(settings) if settings else said

    def figure(self, table: pandas.DataFrame, runs: Any) -> Figure:
        """The first metric with its interval: over the first number that varies, a line for each of the others."""
        from matplotlib.figure import Figure

        settings, metrics = _columns(table)
        metric = metrics[0]
        numbers = [s for s in settings if table[s].map(_is_number).all() and table[s].nunique() > 1]
        along, others = (numbers[0], [s for s in settings if s != numbers[0]]) if numbers else (None, settings)
        figure = Figure(figsize=(7.0, 4.4), layout="constrained")
        axis = figure.subplots()
        for name, line in table.groupby(others, sort=False) if others else [((), table)]:
            label = ", ".join(map(str, name if isinstance(name, tuple) else (name,)))
            x = line[along].map(float) if along else [label]
            down, up = line[f"{metric}_mean"] - line[f"{metric}_low"], line[f"{metric}_high"] - line[f"{metric}_mean"]
            mark = "o-" if along else "o"
            axis.errorbar(x, line[f"{metric}_mean"], [down, up], fmt=mark, capsize=3, label=label if along else None)
        axis.set(title=self.TITLE, ylabel=metric, xlabel=along or ", ".join(others))
        axis.spines[["top", "right"]].set_visible(False)
        if along and others:
            axis.legend(frameon=False, title=", ".join(others))
        return figure


def _columns(table: pandas.DataFrame) -> tuple[list[str], list[str]]:
    """The settings and the metrics of a table."""
    names = list(table.columns)
    metrics = [c.removesuffix("_mean") for c in names[names.index("n") + 1 :] if c.endswith("_mean")]
    return names[: names.index("n")], metrics


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
