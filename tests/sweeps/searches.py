"""Studies over runs that are computed on the spot: a formula instead of a network."""

from pathlib import Path

from sweeps.errors import NotFinite
from sweeps.identity import identity
from sweeps.launcher.source import Job, Outcome
from sweeps.records import Record
from sweeps.study.settings import Settings
from sweeps.study.space import parse
from sweeps.study.study import Study
from tests.sweeps.runs import BLANK

SPACE = ["optim.lr=tag(log,interval(1e-4,1))", "conv=same,full", "border=range(0,65,16)"]
DISCRETE = ["conv=same,full", "border=range(0,65,16)"]


def accuracy(params: dict[str, str], seed: int) -> float:
    """Highest for a small learning rate, a small border and conv=same; another for each seed."""
    lr, border = float(params.get("optim.lr", 0.01)), int(params.get("border", 0))
    return 0.9 - lr / 10 - border / 1000 - 0.01 * (params.get("conv") == "full") + 0.001 * seed


class Search:
    """A study that can be begun again and again in one folder, as by one command.

    Args:
        folder: of the storage and of the runs.
        metrics: what a run gives, by params and seed; an exception is a failure, a list of accuracies the epochs' rows.
        space: as overrides.
        settings: of the study.
    """

    def __init__(self, folder: Path, metrics=accuracy, space=SPACE, fixed=None, **settings):
        self.folder, self.metrics, self.fixed = folder, metrics, fixed or {"arch": "resnet18"}
        self.space, _ = parse(space)
        self.settings = Settings(
            **{
                "study": "s",
                "objectives": {"accuracy": "maximize"},
                "storage": f"sqlite:///{folder}/optuna.db",
                **settings,
            }
        )
        self.computed: list[str] = []  # identities, in order
        self.study: Study

    def begin(self) -> Study:
        """As a new command does."""
        self.study = Study(self.settings, self.space, self.fixed, self.folder / "runs", self.job, span=10)
        return self.study

    def job(self, overrides: list[str], seed: int) -> Job:
        params = dict(o.split("=") for o in overrides)
        record = Record(self.folder / "runs" / "quadrant" / identity({**params, "seed": seed}))
        return Job(record, " ".join(overrides), lambda report: self.compute(record, params, seed, report))

    def compute(self, record, params, seed, report):
        gave = self.metrics(params, seed)
        self.computed.append(record.identity)
        rows = (
            [{"epoch": float(n), "validation_accuracy": v} for n, v in enumerate(gave, 1)]
            if isinstance(gave, list)
            else []
        )
        for row in rows:
            report(row)
        metrics = (
            {"accuracy": gave[-1]} if isinstance(gave, list) else gave if isinstance(gave, dict) else {"accuracy": gave}
        )
        record.start("")
        record.finish(rows, {**BLANK, "metrics": metrics})
        return record.result()

    def run(self, job: Job) -> Outcome:
        """What a launcher does with a job."""
        found = job.record.result()
        if found:
            return Outcome("reused", found)

        def report(row):
            if not self.study.report(job, row):
                raise StopIteration

        try:
            return Outcome("done", job.work(report))
        except StopIteration:
            return Outcome("pruned")
        except ArithmeticError as error:
            return Outcome("failed", reason=str(error))
        except NotFinite as error:
            return Outcome("failed", reason=str(error), settled=True)

    def kill(self) -> None:
        """Leaves the study where it stands, and frees its claims as the kernel frees those of a process that died."""
        for trial in self.study._trials._running:
            trial.held.close()

    def drive(self, slots: int = 1) -> Study:
        """One command, to its end; `slots` jobs are open at a time, the one that was begun last ends first."""
        study, running = self.begin(), []
        while True:
            while len(running) < slots and (job := study.next()):
                running.append(job)
            if not running:
                return study
            job = running.pop()
            study.ended(job, self.run(job))

    def trials(self):
        import optuna

        return optuna.load_study(study_name=self.settings.study, storage=self.settings.storage).trials

    def states(self) -> list[str]:
        return [t.state.name for t in self.trials()]

    def told(self):
        """Numbers, params, states and values of all trials."""
        return [(t.number, t.params, t.state.name, t.values) for t in self.trials()]
