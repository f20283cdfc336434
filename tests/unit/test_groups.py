"""Tests that share a broker or a pipeline run in one worker of pytest-xdist."""

import pytest


@pytest.mark.xdist_group("groups")
def test_the_group_of_a_test_reaches_the_scheduler(request: pytest.FixtureRequest) -> None:
    """It stands at the end of the test's id. Where it gets lost, all groups are silently spread over all workers."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("not run with --dist loadgroup")
    assert request.node.nodeid.endswith("@groups")
