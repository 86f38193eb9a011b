"""The two ways for a run to end that are no accident: the user's mistake, and numbers that mean nothing."""


class UserError(Exception):
    """The user's mistake: the message is one line that names the thing at fault and what is allowed."""


class NotFinite(Exception):  # noqa: N818 - named for what is the matter
    """A number of a run is NaN or infinite, so that the run shows nothing; the message says which."""
