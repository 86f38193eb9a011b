"""Where a network feels the boundary, what that costs, and what helps.

    python -m equivariance.audit arch=torchvision arch.name=resnet18
    python -m equivariance.audit arch=timm arch.name=convnext_tiny pictures=16 init=frozen-pretrained
    python -m equivariance.audit arch=python arch.name=mylab.nets:UNet init.checkpoint=w.safetensors --format json
    python -m equivariance.audit arch=timm arch.name=resnet18 data=labelled_folder data.root=FOLDER pictures=60
    python -m equivariance.audit -m arch=torchvision arch.name=resnet18,mobilenet_v2          # a sweep over networks

Keys: those of `equivariance.run` with experiment=audit (init=frozen-random by default: random weights); for short also
input_size=224 pixels a side of the images; pictures=0 of `data` that are shown, 4 or more for leak distance and
consistency; side=56 pixels a side of each; remedies=yes|no, whether the same is asked of the network under other
boundaries; output=NAME where it returns dicts or tuples. Recorded and logged to MLflow like any run. The report is what
standard output gets; with -m, a line a run. Of data=labelled_folder and others with classes pictures and side are those
of the test split (root/val), and accuracy by place is in the report; order=FILE names the class that each output tells.
Exit code 0, 1 where a run failed, or 2 for mistakes.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from equivariance.config.labelled import labelled_kinds
from equivariance.errors import UserError

# Smallest and largest of each key of this command's own.
NUMBERS = {"input_size": (8, 4096), "pictures": (0, 100_000), "side": (4, 4096)}
# Of a folder with classes: nothing is trained, so no more is read of it than must be.
FEW = ("data.train=10", "data.validation=10")
SECTIONS = (
    *("arch", "init", "conv", "downsample", "data", "seed", "import", "experiment"),
    *("device", "runs", "force", "tracking"),
)
ALLOWED = (
    "arch=…, init=…, conv=…, downsample=…, data=…, seed=…, import=[…] and what is under them, device, runs, force,"
)
ALLOWED += " tracking.…, input_size, pictures, side, remedies, output, order"


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m equivariance.audit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("keys", nargs="+", metavar="key=value")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: all of the report")
    parser.add_argument("-m", "--multirun", action="store_true", help="a sweep: every combination of a,b,c")
    given = parser.parse_intermixed_args(arguments)
    try:
        data = next((key.partition("=")[2] for key in given.keys if key.startswith("data=")), "")
        classes = data in labelled_kinds()
        few = FEW if data in ("labelled_folder", "labelled_imagenet") else ()
        keys = ["experiment=audit", *few, *(whole for key in given.keys for whole in _in_full(key, classes))]
        return _sweep(keys) if given.multirun else _alone(keys, given.format, arguments or sys.argv[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _in_full(text: str, classes: bool) -> list[str]:
    """A key of this command as a run has it.

    Args:
        text: as typed.
        classes: whether the pictures have classes, and so their number and side are those of the data's test split.
    """
    key, _, value = text.partition("=")
    if key in NUMBERS:
        for one in value.split(","):
            least, most = NUMBERS[key]
            if not one.isdecimal() or not least <= int(one) <= most:
                raise UserError(f"{text}: allowed: an integer from {least} to {most}")
    if key == "pictures":
        if value.isdecimal() and 0 < int(value) < 4:
            raise UserError(f"{text}: allowed: 0, or 4 and more")
        shown = f"data.{'test' if classes else 'pictures'}={value}"
        return ["experiment.shown=true", shown] if value != "0" else ["experiment.shown=false"]
    if key == "remedies":
        if value not in ("yes", "no"):
            raise UserError(f"{text}: allowed: yes, no")
        return [f"experiment.remedies={'true' if value == 'yes' else 'false'}"]
    if key == "side" and classes:
        return [f"data.{text}"]
    return [f"experiment.{text}"] if key in ("input_size", "side", "output", "order") else [text]


def _alone(keys: list[str], form: str, typed: list[str]) -> int:
    """One run, and its report."""
    from equivariance.job import prepare
    from equivariance.overrides import composed
    from sweeps.launcher.attempt import attempt
    from sweeps.launcher.mirroring import Mirroring
    from sweeps.tracking.mirror import Mirror

    config = composed(keys, SECTIONS, ALLOWED)
    job = prepare(config)
    outcome = attempt(job, lambda row: None)
    if outcome.result is None:
        said = outcome.reason or "another process is computing it"
        print(f"error: {said}", file=sys.stderr)
        return 2 if outcome.mistake else 1
    mirror = Mirror(config.tracking.uri, f"python -m equivariance.audit {shlex.join(typed)}")
    mirroring = Mirroring(mirror, config.tracking.sweep)
    mirroring.ended(job.record, outcome)
    mirroring.close()
    print((job.record.path / f"report.{'json' if form == 'json' else 'txt'}").read_text().rstrip())
    return 0


def _sweep(keys: list[str]) -> Any:
    """Many, as `python -m equivariance.run -m` runs them."""
    from equivariance.run import main as run

    sys.argv[1:] = ["-m", *keys]
    run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
