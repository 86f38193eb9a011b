"""For pytest: the library's assertions as fixtures, in the test suite of any project in which the package is installed.

    def test_our_network_does_not_know_where(assert_position_blind):
        assert_position_blind(OurNetwork(), border=64)

They are plain functions too: `from equivariance import assert_position_blind, assert_exact_tiles, assert_even_padding`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(name="assert_position_blind")
def _position_blind() -> Callable[..., None]:
    """See `equivariance.assert_position_blind`."""
    from equivariance import assert_position_blind

    return assert_position_blind


@pytest.fixture(name="assert_exact_tiles")
def _exact_tiles() -> Callable[..., None]:
    """See `equivariance.assert_exact_tiles`."""
    from equivariance import assert_exact_tiles

    return assert_exact_tiles


@pytest.fixture(name="assert_even_padding")
def _even_padding() -> Callable[..., None]:
    """See `equivariance.assert_even_padding`."""
    from equivariance import assert_even_padding

    return assert_even_padding
