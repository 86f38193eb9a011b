"""Addresses of servers and databases, whose secrets only a connection sees.

`guard` and `sealed` take the secrets out at the door: of the command line before anybody reads it, and of values that a
config file or a variable gave. What lies behind the door (configs, records, names of sweeps, tasks of clusters, errors)
holds addresses without secrets. `opened` gives one back whole to what connects, in the process that sealed it. What
libraries say of an address in words of their own loses the secrets in the streams.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO
from urllib.parse import quote, quote_plus, unquote, unquote_plus

# Values of a query that are secrets, by what their name contains.
KEY = "(?<![a-z])key|(?:api|access|account|private|ssl)key"
SECRET = f"(?:pass|pwd|token|secret|credential|auth|sig|odbc_connect|{KEY})"
QUERY = re.compile(rf"([?&;#][^=&;#\s]*{SECRET}[^=&;#\s]*=)([^&]*)", re.IGNORECASE)
# The part of an address before a query or fragment that looks like one; a password may hold a bare ? or #.
PATH = re.compile(r"(?:(?!\?[\w.%+-]+=).)*", re.DOTALL)
SCHEME = re.compile(r"([a-z][\w+.-]*://)", re.IGNORECASE)
# An address in an argument of a command line; without a scheme only user:password@host.
BARE = r"(?<![^='\"\s,])(?!file:)(?=[^\s/:@'\"={]+:[^\s/@'\"]+@\w)"
ARGUMENT = re.compile(rf"(?P<quote>['\"]?)(?P<start>{SCHEME.pattern}|{BARE})", re.IGNORECASE)
# Addresses in running text.
TEXT = re.compile(r"([a-z][\w+.-]*://)(?!/)[^\s'\"<>]*@", re.IGNORECASE)
TEXT_QUERY = re.compile(rf"([?&;][^=&;\s]*{SECRET}[^=&;\s]*=)[^&\s'\"]*", re.IGNORECASE)
# Variables whose value, or a part of whose address, may stand in what libraries say.
VARIABLES = re.compile(r"(PASSWORD|PASSWD|TOKEN|SECRET|ACCESS_KEY|API_KEY)$")
# One that a command line sets for others, as hydra.job.env_set={MLFLOW_TRACKING_PASSWORD: …} does.
ASSIGNED = re.compile(rf"\w*(?:{VARIABLES.pattern[1:-2]})\s*[:=]\s*(['\"]?)([^,'\"}}\s]+)")
HIDDEN = "***"

_assigned: set[str] = set()
_whole: dict[str, str] = {}


def shown(address: str) -> str:
    """An address without its secrets: no userinfo, and no values of a query that are passwords, tokens or keys."""
    return _parts(address)[0]


def seal(address: str) -> str:
    """The same, for `opened` in this process; an address without secrets stays as it is."""
    found = shown(address)
    if found != address:
        _whole[found] = address
    return found


def opened(address: str) -> str:
    """The whole address that was sealed as this one."""
    return _whole.get(address, address)


def sealed(values: Any) -> Any:
    """Nested plain values with every address in them sealed."""
    if isinstance(values, dict):
        return {key: sealed(value) for key, value in values.items()}
    if isinstance(values, list):
        return [sealed(value) for value in values]
    return seal(values) if isinstance(values, str) and ARGUMENT.match(values) else values


def sealed_argument(argument: str) -> str:
    """An argument of a command line with the address in it sealed, be it quoted, in braces or one of several."""
    found = ARGUMENT.search(argument)
    if not found:
        return argument
    start, mark = found.start("start"), found["quote"]
    if mark:
        end = argument.rfind(mark)
        end = end if end > start else len(argument)
    else:
        last = max(argument.rfind("@"), start)
        end = last + len(re.match(r"[^,}\])\s]*", argument[last:])[0])  # type: ignore[index]
    address = argument[start:end]
    plain = seal(address.replace(f"\\{mark}", mark) if mark else address)
    return argument[:start] + plain + argument[end:]


def masked(text: str) -> str:
    """Running text without what stands in it as an address's secret."""
    return TEXT_QUERY.sub(rf"\1{HIDDEN}", TEXT.sub(r"\1", text)) if "://" in text else text


def clean(text: str) -> str:
    """Running text without any secret that this process knows, wherever it stands and however it is encoded."""
    text = masked(text)
    for secret in sorted(_known(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def guard() -> None:
    """Seals the command line of this process, and keeps secrets out of what it prints from now on.

    Standard output, which may be a table, loses addresses' secrets only; standard error, where libraries say what they
    like, every secret that is known.
    """
    _assigned.update(found[1] for a in sys.argv[1:] for found in ASSIGNED.findall(a))
    sys.argv[1:] = [sealed_argument(a) for a in sys.argv[1:]]
    _filter(sys.stdout, masked)
    _filter(sys.stderr, clean)


def _filter(stream: TextIO, change: Callable[[str], str]) -> None:
    write = stream.write
    stream.write = lambda text: write(change(text))  # type: ignore[method-assign]


def _parts(address: str) -> tuple[str, list[str]]:
    """An address without its secrets, and these."""
    scheme, found, rest = address.partition("://")
    if not found:
        if not ARGUMENT.match(address):  # a path
            return address, []
        scheme, rest = "", address
    rest, secrets = _without_userinfo(rest)
    secrets += [value for _, value in QUERY.findall(rest)]
    return scheme + found + QUERY.sub(rf"\1{HIDDEN}", rest), secrets


def _without_userinfo(rest: str) -> tuple[str, list[str]]:
    """What follows the scheme without the userinfo: up to the last @ that can belong to it, however it is written."""
    authority = re.match(r"[^/?#]*", rest)[0]  # type: ignore[index]
    end = authority.rfind("@")
    if ":" in authority:  # a password may hold a bare slash, ? or #
        end = PATH.match(rest)[0].rfind("@")  # type: ignore[index]
        end = rest.rfind("@") if end < 0 else end
    if end < 0 or "${" in rest[:end]:  # Hydra has yet to put it in
        return rest, []
    user, colon, password = rest[:end].partition(":")
    return rest[end + 1 :], [password] if colon else [user]


def _known() -> set[str]:
    """Every form of every secret of this process, but for what stands in an address openly too."""
    variables = [v for k, v in os.environ.items() if VARIABLES.search(k)]
    addresses = {*_whole.values(), *(v for v in os.environ.values() if "://" in v)}
    found = {form for value in (*variables, *_assigned) for form in _forms(value)}
    for address in addresses:
        plain, secrets = _parts(address)
        found |= {form for secret in secrets for form in _forms(secret) if form not in plain}
    return found


def _forms(secret: str) -> set[str]:
    """A secret as libraries may write it: encoded, decoded, or the parts that they took for a host or port."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    pieces = {piece for text in plain for piece in re.split(r"[/?#@:;=\s]+", text)}
    found = {*plain, *(f(text) for text in plain for f in (quote, quote_plus)), *pieces}
    return {form for form in found if len(form) > 2}
