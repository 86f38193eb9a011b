"""Where a network feels the boundary, what that costs, and what helps.

    python -m equivariance.audit arch=torchvision arch.name=resnet18
    python -m equivariance.audit arch=timm arch.name=convnext_tiny pictures=16 init=frozen-pretrained
    python -m equivariance.audit arch=python arch.name=mylab.nets:Net init.checkpoint=w.safetensors --format json

Keys: arch, init, data, seed and all that is under them, as in `equivariance.run` (init=frozen-random by default:
random weights); input_size=224 pixels a side of the images; pictures=0 pictures of `data` that are shown, 4 or more for
leak distance and consistency; side=56 pixels a side of each; remedies=yes|no, whether the same is asked of the network
under other boundaries. Exit code 0, or 2 for mistakes.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from equivariance.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

SECTIONS = ("arch", "init", "data", "seed", "import")
# Smallest and largest of each key of this command's own, and what it is if nothing is said.
NUMBERS = {"input_size": (8, 4096, 224), "pictures": (0, 100_000, 0), "side": (4, 4096, 56)}
ALLOWED = "arch=…, init=…, data=…, seed=…, import=[…] and what is under them, input_size, pictures, side, remedies"


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    try:
        return _answer(_parsed(sys.argv[1:] if arguments is None else arguments))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m equivariance.audit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("keys", nargs="+", metavar="key=value")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: all of the report")
    given = parser.parse_args(arguments)
    own: dict[str, Any] = {name: usual for name, (_, _, usual) in NUMBERS.items()} | {"remedies": True}
    for text in [k for k in given.keys if k.partition("=")[0] in own]:
        key, _, value = text.partition("=")
        given.keys.remove(text)
        own[key] = _switch(text, value) if key == "remedies" else _number(text, value, *NUMBERS[key][:2])
    if 0 < own["pictures"] < 4:
        raise UserError(f"pictures={own['pictures']}: allowed: 0, or 4 and more")
    if own["pictures"] and own["side"] > own["input_size"] - 2:
        raise UserError(f"side={own['side']}: allowed: 4 to {own['input_size'] - 2}, to be moved on input_size")
    for key, value in own.items():
        setattr(given, key, value)
    return given


def _number(text: str, value: str, least: int, most: int) -> int:
    if not value.isdecimal() or not least <= int(value) <= most:
        raise UserError(f"{text}: allowed: an integer from {least} to {most}")
    return int(value)


def _switch(text: str, value: str) -> bool:
    if value not in ("yes", "no"):
        raise UserError(f"{text}: allowed: yes, no")
    return value == "yes"


def _answer(given: argparse.Namespace) -> int:
    from equivariance.audit.asked import REMEDIES, audit
    from equivariance.overrides import composed

    shown = [f"data.pictures={given.pictures}"] if given.pictures else []
    config = composed([*given.keys, *shown], SECTIONS, ALLOWED)
    pictures = _pictures(config, given.side) if given.pictures else None
    remedies = REMEDIES if given.remedies else ()
    found = audit(_network(config), pictures, given.input_size, remedies=remedies, seed=config.seed)
    print(json.dumps(found.plain(), indent=1, allow_nan=False) if given.format == "json" else found)
    return 0


def _network(config: Any) -> nn.Module:
    """The network with its weights: random of the seed, of a checkpoint, or its library's."""
    from pathlib import Path

    import torch

    from equivariance.models.weights import load_checkpoint, load_pretrained
    from equivariance.models.whole import whole

    torch.manual_seed(config.seed)
    network = whole(config.arch, hollow=False)
    if config.init.checkpoint:
        load_checkpoint(network, Path(config.init.checkpoint))
    elif config.init.name == "frozen-pretrained":
        load_pretrained(network, config.arch.library, config.arch.name)
    return network


def _pictures(config: Any, side: int) -> Tensor:
    """Test pictures of the data set, normalised as the network takes them."""
    from equivariance.data import load_pictures

    found = load_pictures(config.data, side)
    for line in found.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    return found.tensor("test", config.arch.mean, config.arch.std)


if __name__ == "__main__":
    sys.exit(main())
