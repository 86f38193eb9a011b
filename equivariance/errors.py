"""The one exception a user is meant to see: one line, exit code 2."""


class UserError(Exception):
    """The user's mistake: the message is one line that names the thing at fault and what is allowed."""
