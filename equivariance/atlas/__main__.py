"""The geometry of all convolutional networks of torchvision and timm, as a table and a figure, without their weights.

    python -m equivariance.atlas                           # docs/atlas.csv and docs/atlas.svg; goes on where it stopped
    python -m equivariance.atlas --families                # one convolutional network of each family is enough
    python -m equivariance.atlas --only regnet             # names that contain it
    python -m equivariance.atlas --measure 40              # leak distances too, of the 40 smallest that have none yet
    python -m equivariance.atlas --weights FOLDER          # and with the trained weights of FOLDER/NAME.pth

A network takes 1 to 10 s of one core, and no more than --seconds; one that fails or takes longer is a row that says so.
Numbers are of the versions that are installed, which the table names.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from equivariance.atlas.table import SECONDS, read
from equivariance.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m equivariance.atlas", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="part of the names that are wanted")
    parser.add_argument("--families", action="store_true", help="one convolutional network of each family")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of one core that a network may take")
    parser.add_argument("--out", type=Path, default=Path("docs/atlas.csv"), help="the table; the figure lies beside it")
    parser.add_argument("--measure", type=int, default=0, metavar="N", help="leak distances, frozen-random, of so many")
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="leak distances with the weights of NAME.pth")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes; default: one a core")
    given = parser.parse_args(arguments)
    if given.workers < 1:
        print(f"error: --workers {given.workers}: allowed: 1 or more", file=sys.stderr)
        return 2
    if given.weights and not given.weights.is_dir():
        print(f"error: --weights {given.weights}: no such folder; allowed: a folder of NAME.pth", file=sys.stderr)
        return 2
    try:
        from equivariance.atlas.rows import add

        known = read(given.out)
        add(known, given.out, given.only, given.families, given.seconds, given.workers)
        if given.measure > 0:
            from equivariance.atlas.measure import measured

            measured(known, given.measure, given.only, given.out)
        if given.weights:
            from equivariance.atlas.measure import trained

            trained(known, given.weights, given.out)
        from equivariance.atlas.page import figure

        figure(list(known.values())).savefig(given.out.with_suffix(".svg"))
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"error: {given.out}: {error}; allowed: a table of this command, or no file", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
