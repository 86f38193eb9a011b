"""What is true of one network, in numbers: where it feels the boundary, what that costs, what helps.

`audit(model)` gives a typed report; each figure is proved or measured, or says why it cannot be.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equivariance.audit.asked import audit as audit
    from equivariance.audit.report import Missing as Missing
    from equivariance.audit.report import Report as Report

__all__ = ["Missing", "Report", "audit"]


def __getattr__(name: str) -> Any:
    """What is public, loaded with torch when it is first asked for."""
    if name == "audit":
        from equivariance.audit.asked import audit

        return audit
    if name in __all__:
        from equivariance.audit import report

        return getattr(report, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Callable(ModuleType):
    """`equivariance.audit` is the function, also where this room was imported, which bears its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Report:
        """See `equivariance.audit.asked.audit`."""
        from equivariance.audit.asked import audit

        return audit(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
