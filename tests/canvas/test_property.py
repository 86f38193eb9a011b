"""Random networks on random scenes: a canvas gives what the ordinary tensor gives."""

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from equivariance.canvas import CanvasUnsupported

from .networks import cases
from .oracle import IllPosed, assert_equal, outcome

QUIET = list(HealthCheck)


def check(network, scene):
    try:
        dense = outcome(network, scene, False)
    except (RuntimeError, ValueError) as error:
        assume("inplace operation" not in str(error))  # autograd's complaint; a canvas does not write in place
        with pytest.raises((RuntimeError, ValueError)):
            outcome(network, scene, True)
        return
    assume(0 not in dense.values[0].shape)
    try:
        assert_equal(network, scene)
    except IllPosed:
        assume(False)
    except CanvasUnsupported as error:
        assume("shares memory" not in str(error))  # refused, not approximated: see test_errors
        raise


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=QUIET,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
)
@given(cases())
def test_random_networks(case):
    check(*case)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, suppress_health_check=QUIET)
@given(cases())
def test_many_random_networks(case):
    check(*case)
