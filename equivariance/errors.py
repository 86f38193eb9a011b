"""Exceptions with a meaning: what a user is meant to see, one line, and what no result may hold."""

from sweeps.errors import NotFinite as NotFinite
from sweeps.errors import UserError as UserError
