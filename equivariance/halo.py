"""How much of an image a network needs around a tile, so that no seam can be: the exact halo, from structure alone.

    python -m equivariance.halo arch=python arch.name=mylab.nets:UNet channels=1
    python -m equivariance.halo arch=torchvision arch.name=fcn_resnet50 output=out
    python -m equivariance.halo arch=python arch.name=mylab.nets:UNet dims=3 --format bioimageio

Keys: arch and all that is under it, as in `equivariance.run`; channels=3 of the images; dims=2 axes of space (1 to 3);
output=NAME where the model returns dicts or tuples. Exit code 0 when tiles can be exact, 1 when not, 2 for mistakes.
"""

from __future__ import annotations

import argparse
import sys
from types import ModuleType
from typing import Any

from equivariance.errors import UserError

FORMATS = ("text", "bioimageio")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    try:
        return _answer(_parsed(sys.argv[1:] if arguments is None else arguments))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m equivariance.halo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("keys", nargs="+", metavar="key=value")
    parser.add_argument("--format", choices=FORMATS, default="text", help="bioimageio: in that specification's terms")
    given = parser.parse_args(arguments)
    own: dict[str, Any] = {"channels": 3, "dims": 2, "output": None}
    for text in [k for k in given.keys if k.partition("=")[0] in own]:
        key, _, value = text.partition("=")
        given.keys.remove(text)
        own[key] = value if key == "output" else _number(text, value, 3 if key == "dims" else 4096)
    for key, value in own.items():
        setattr(given, key, value)
    return given


def _number(text: str, value: str, most: int) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= most:
        raise UserError(f"{text}: allowed: an integer from 1 to {most}")
    return int(value)


def _answer(given: argparse.Namespace) -> int:
    from equivariance.models.whole import whole
    from equivariance.overrides import composed
    from equivariance.tiles import bioimageio, halo

    arch = composed(given.keys, ("arch", "import"), "arch=…, arch.…=…, import=[…], channels=…, dims=…, output=…").arch
    found = halo(whole(arch), given.channels, given.dims, given.output)
    if given.format == "bioimageio":
        if not found.exact:
            raise UserError(f"no halo is exact; {found.reasons[0]}")
        print(bioimageio(found))
    else:
        print(found)
    return 0 if found.exact else 1


class _Callable(ModuleType):
    """`equivariance.halo` is the library's function, also where this module was imported, which bears its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See `equivariance.tiles.halo`."""
        from equivariance.tiles import halo

        return halo(*args, **kwargs)


if __name__ == "__main__":
    sys.exit(main())
sys.modules[__name__].__class__ = _Callable
