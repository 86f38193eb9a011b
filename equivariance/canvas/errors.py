"""The one error of an op that a canvas does not know."""

from equivariance.ops import calling_module


class CanvasUnsupported(NotImplementedError):  # noqa: N818 - the name says what it is; "Error" would add nothing
    """An op that has no exact form on a canvas; the message names the op, its module and the way out.

    Args:
        op: what was asked for, in words.
        reason: why it has no exact form, or None where it is merely not known.
    """

    def __init__(self, op: str, reason: str | None = None) -> None:
        why = f": {reason}" if reason else ""
        super().__init__(
            f"{op} has no exact form on a canvas{why} (called in {calling_module()}); "
            "call canvas.dense() before it to go on with the ordinary tensor"
        )
