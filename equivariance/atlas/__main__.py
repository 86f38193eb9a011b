"""The geometry of all convolutional networks of torchvision and timm, as a table and a figure, without their weights.

    python -m equivariance.atlas                           # docs/atlas.csv and docs/atlas.svg; goes on where it stopped
    python -m equivariance.atlas --only regnet             # names that contain it
    python -m equivariance.atlas --measure 40              # leak distances too, of the 40 smallest that have none yet

A network takes 1 to 20 s on one CPU core. Numbers are of the versions that are installed, which the table names.
"""

from __future__ import annotations

import argparse
import sys
from itertools import chain, zip_longest
from pathlib import Path

from equivariance.atlas.table import read, written


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m equivariance.atlas", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="part of the names that are wanted")
    parser.add_argument("--out", type=Path, default=Path("docs/atlas.csv"), help="the table; the figure lies beside it")
    parser.add_argument("--measure", type=int, default=0, metavar="N", help="leak distances, frozen-random, of so many")
    given = parser.parse_args(arguments)
    try:
        known = read(given.out)
        gather(known, given.only, given.out)
        if given.measure > 0:
            from equivariance.atlas.measure import measured

            measured(known, given.measure, given.only, given.out)
        from equivariance.atlas.page import figure

        figure(list(known.values())).savefig(given.out.with_suffix(".svg"))
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"error: {given.out}: {error}; allowed: a table of this command, or no file", file=sys.stderr)
        return 2
    return 0


def gather(known: dict[tuple[str, str], dict[str, str]], only: str, out: Path) -> None:
    """Adds the networks that are not in the table yet; one of each family first, so that each is soon there."""
    from equivariance.atlas.gather import families, plain, row
    from sweeps.terminal import track

    listed = [[(library, family, name) for name in names] for library, family, names in families()]
    rounds = chain.from_iterable(zip_longest(*listed))
    wanted = [each for each in rounds if each and only in each[2] and (each[0], each[2]) not in known]
    for number, (library, family, name) in enumerate(track(wanted, len(wanted), "networks"), 1):
        known[library, name] = plain(row(library, family, name))
        if number % 20 == 0 or number == len(wanted):
            written(known, out)


if __name__ == "__main__":
    sys.exit(main())
