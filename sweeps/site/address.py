"""Names that can stand in an address and in an anchor, whatever text they are made of."""

from __future__ import annotations

import re


def slug(text: str, taken: set[str] | None = None) -> str:
    """Lower-case letters, digits and hyphens.

    Args:
        text: of any kind.
        taken: names given before, of which it is none; the new one is added.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "unnamed"
    if taken is None:
        return plain
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name)
    return name
