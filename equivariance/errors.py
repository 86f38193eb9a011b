"""Exceptions with a meaning: what a user is meant to see, one line, and what no result may hold."""

from pathlib import Path

from sweeps.errors import NotFinite as NotFinite
from sweeps.errors import UserError as UserError


def reason(error: BaseException) -> str:
    """What an exception of a library says, in one printable line; its type where it says nothing."""
    said = str(error).strip()
    return printable(said.splitlines()[0][:120]) if said else type(error).__name__


def printable(text: str | Path) -> str:
    """A text or file name, which may hold any bytes, without what a terminal or a database would choke on."""
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    byte = ord(character) - 0xDC00  # as Python decodes a byte of a file name that is not UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode()
