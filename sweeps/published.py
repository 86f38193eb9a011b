"""What others published, one file an artefact, and the rule by which ours agrees with it or differs.

`published.csv` lies beside the artefact. Above its table, lines that begin with # say what it is of. The columns are
settings, named as in tables, then `quantity`, `value`, `error` (of reading it, or of the digits printed), where
several runs were published their `deviation` (of the population) and `runs`, and `source`: figure, table or text.

The rule: ours **agrees** where its 95 % interval and the published value ± its error overlap, and **differs** where
they do not. The error is that of reading; where several runs were published, half of Student's 95 % interval of their
mean besides. Of one published run nobody knows how far another seed would lie from it: that ours differs is then no
contradiction of it. Where ours has no interval, or is of another task, there is no verdict.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.intervals import CONFIDENCE

if TYPE_CHECKING:
    import pandas

AGREES, DIFFERS = "agrees", "differs"
RULE = "agrees: our 95 % interval and the published value ± its error overlap; differs: they do not"
OWN = ("quantity", "value", "error", "deviation", "runs", "source")


@dataclass(frozen=True)
class Value:
    """A published value.

    Args:
        value: in the unit of the table.
        error: what it is uncertain by, in the same unit.
        source: figure or table.
    """

    value: float
    error: float
    source: str

    def verdict(self, low: float, high: float) -> str:
        """Whether ours agrees, by the rule; empty where ours has no interval.

        Args:
            low: end of our interval.
            high: its other end.
        """
        if not low <= high:  # NaN
            return ""
        return AGREES if low <= self.value + self.error and self.value - self.error <= high else DIFFERS


class Reference:
    """The published values of one artefact.

    Args:
        path: of the file; it is read when a value is first asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """The file's rows as they stand there."""
        lines = [line for line in self.path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        return list(csv.DictReader(lines))

    @cached_property
    def _values(self) -> dict[tuple[str, ...], Value]:
        return {(row["quantity"], *(row[name] for name in self.settings)): _value(row) for row in self.rows}

    @property
    def settings(self) -> list[str]:
        """Names of the columns that say what a value is of."""
        return [name for name in self.rows[0] if name not in OWN]

    def find(self, quantity: str, row: Mapping[Any, Any]) -> Value | None:
        """The published value of what a row of a table is of; None: there is none.

        Args:
            quantity: its name in the file.
            row: holds every setting of the file.
        """
        return self._values.get((quantity, *(str(row[name]) for name in self.settings)))

    def along(self, setting: str, quantity: str, **fixed: str) -> dict[int, float]:
        """The values of a quantity by a setting that is a number.

        Args:
            setting: its name.
            quantity: its name in the file.
            fixed: other settings, and what they are.
        """
        some = (r for r in self.rows if r["quantity"] == quantity and all(r[k] == v for k, v in fixed.items()))
        return {int(row[setting]): float(row["value"]) for row in some}

    def beside(
        self,
        table: pandas.DataFrame,
        quantity: str,
        name: str = "published",
        ends: tuple[str, str] | None = ("low", "high"),
        settings: pandas.DataFrame | None = None,
    ) -> pandas.DataFrame:
        """A table with three columns more: <name>, <name>_error and <name>_verdict.

        Args:
            table: ours.
            quantity: its name in the file.
            name: of the first new column.
            ends: columns of our interval; None: ours are of another task, and there is no verdict.
            settings: the settings of the table's rows where the file names them in another way.
        """
        rows = table.to_dict("records")
        keys = rows if settings is None else settings.to_dict("records")
        found = [self.find(quantity, key) for key in keys]
        verdicts = [v.verdict(r[ends[0]], r[ends[1]]) if v and ends else "" for v, r in zip(found, rows, strict=True)]
        values = [v.value if v else float("nan") for v in found]
        errors = [v.error if v else float("nan") for v in found]
        wider = table.copy()
        wider[name], wider[f"{name}_error"], wider[f"{name}_verdict"] = values, errors, verdicts
        return wider


def said(row: Mapping[Any, Any], name: str = "published") -> str:
    """A published value for people: value ± error, and the verdict; empty where there is none.

    Args:
        row: of a table of `Reference.beside`.
        name: of its first column.
    """
    value, error, verdict = row[name], row[f"{name}_error"], row[f"{name}_verdict"]
    if value != value:
        return ""
    return f"{value:g}" + (f" ± {error:.2g}" if error else "") + (f", {verdict}" if verdict else "")


def tally(table: pandas.DataFrame) -> str:
    """How many values of a table agree and differ, with the rule; empty where there is no verdict."""
    columns = [c for c in table.columns if str(c).startswith("published") and str(c).endswith("_verdict")]
    told = [verdict for column in columns for verdict in table[column] if verdict]
    if not told:
        return ""
    return f"published values: {told.count(AGREES)} agree, {told.count(DIFFERS)} differ ({RULE})"


def _value(row: dict[str, str]) -> Value:
    error = float(row["error"])
    if row.get("runs"):
        from scipy.special import stdtrit

        more = int(row["runs"]) - 1
        error += float(stdtrit(more, (1 + CONFIDENCE) / 2)) * float(row["deviation"]) / more**0.5
    return Value(float(row["value"]), error, row["source"])
