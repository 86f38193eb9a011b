"""A run's identity: a hash of the part of its config that decides its numbers."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def identity(scientific: dict[str, Any]) -> str:
    """Sixteen hexadecimal digits, the same for equal values whatever the order of the keys.

    Args:
        scientific: plain nested values (what JSON can hold, no NaN).
    """
    canonical = json.dumps(scientific, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values as one level of dotted keys; a section's `name` takes the section's own key."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[(prefix + key).removesuffix(".name")] = value
    return found
