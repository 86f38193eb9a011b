"""The same command again and again, killed in between, as long as it takes."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.crash.harness import Ended, Sweep, computing, results, starts


class Killed(NamedTuple):
    """How often a sweep was killed until it was done, and how many of these kills met a run in the middle."""

    kills: int
    met: int


def killed_until_done(
    start: Callable[..., Sweep],
    folder: Path,
    command: tuple[str, ...],
    kills: int,
    moment: Callable[[Sweep, int], Ended | None],
    kill: Callable[[Sweep], None] = Sweep.kill,
) -> Killed:
    """Kills all processes of a sweep, starts it again, and looks each time that what was finished stays as it was.

    Args:
        start: starts a sweep.
        folder: where it runs.
        command: its overrides, for two workers.
        kills: at most.
        moment: waits, given the sweep and how many kills are left; None: kill it now.
        kill: does it.
    """
    killed = met = 0
    before: dict[Path, bytes] = {}
    started: Counter[Path] = Counter()
    while True:
        sweep = start(folder, *command)
        ended = moment(sweep, kills - killed) if killed < kills else sweep.ended()
        if ended is None:
            met += bool(computing(folder))
            kill(sweep)
            killed += 1
        now, counted = results(folder), starts(folder)
        assert {run: now.get(run) for run in before} == before, "a finished run was lost or written again"
        assert {run: counted[run] for run in before} == {run: started[run] for run in before}, "or was begun again"
        before, started = now, counted
        if ended is not None:
            assert ended.code == 0, ended.err
            assert "Traceback" not in ended.err
            assert started.total() - len(now) <= 2 * killed
            return Killed(killed, met)
