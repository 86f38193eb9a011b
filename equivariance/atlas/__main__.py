"""The geometry of all convolutional networks of torchvision and timm, as a table and a figure, without their weights.

    python -m equivariance.atlas                           # docs/atlas.csv and docs/atlas.svg; goes on where it stopped
    python -m equivariance.atlas --families                # one convolutional network of each family is enough
    python -m equivariance.atlas --only regnet             # names that contain it
    python -m equivariance.atlas --measure 40              # leak distances too, of the 40 smallest that have none yet
    python -m equivariance.atlas --weights FOLDER          # and with the trained weights of FOLDER/NAME.pth

A network takes 1 to 10 s on one core, and no more than --seconds; one that fails or takes longer is a row that says so.
Numbers are of the versions that are installed, which the table names.
"""

from __future__ import annotations

import argparse
import sys
from itertools import chain, zip_longest
from pathlib import Path

from equivariance.atlas.table import SECONDS, Rows, read, written
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
    given = parser.parse_args(arguments)
    if given.weights and not given.weights.is_dir():
        print(f"error: --weights {given.weights}: no such folder; allowed: a folder of NAME.pth", file=sys.stderr)
        return 2
    try:
        known = read(given.out)
        gather(known, given.out, given.only, given.families, given.seconds)
        if given.measure > 0:
            from equivariance.atlas.measure import measured

            measured(known, given.measure, given.only, given.out)
        if given.weights:
            from equivariance.atlas.measure import trained

            trained(known, given.weights, given.out)
        from equivariance.atlas.page import figure

        figure(list(known.values())).savefig(given.out.with_suffix(".svg"))
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


def gather(known: Rows, out: Path, only: str = "", families: bool = False, seconds: float = SECONDS) -> None:
    """Adds the networks that are not in the table yet; one of each family first, so that each is soon there.

    Args:
        known: the table; changed in place, and written every few networks.
        out: where it is kept.
        only: part of the names that are wanted.
        families: whether one convolutional network of a family is enough.
        seconds: of one processor core that a network may take.
    """
    from equivariance.atlas import gather
    from sweeps.terminal import track

    listed = [[(library, family, name) for name in names] for library, family, names in gather.families()]
    rounds = chain.from_iterable(zip_longest(*listed))
    wanted = [each for each in rounds if each and only in each[2] and (each[0], each[2]) not in known]
    there = {(row["library"], row["family"]) for row in known.values() if row["kind"] == gather.CONVOLUTIONAL}
    for number, (library, family, name) in enumerate(track(wanted, len(wanted), "networks"), 1):
        if families and (library, family) in there:
            continue
        known[library, name] = gather.plain(gather.row(library, family, name, seconds))
        if known[library, name]["kind"] == gather.CONVOLUTIONAL:
            there.add((library, family))
        if number % 20 == 0:
            written(known, out)
    written(known, out)


if __name__ == "__main__":
    sys.exit(main())
