"""When slow members are fitted again."""

import pytest

from stream_jobs.forecasting.refit import why_refit

FITTED = 739_000
UNTIL = FITTED + 97


def test_a_fit_that_holds_is_kept_for_a_week() -> None:
    """And not for a day longer; nor is one from another day of the calendar than has been yet."""
    assert [why_refit(FITTED, UNTIL, FITTED + days, UNTIL) for days in (0, 1, 7)] == [None, None, None]
    assert why_refit(FITTED, UNTIL, FITTED + 8, UNTIL) == "it is older than 7 days"
    assert why_refit(FITTED, UNTIL, FITTED - 1, UNTIL) is not None


@pytest.mark.parametrize(
    ("since", "reason"),
    [
        ({"moved": True}, "the level moved"),
        ({"known_otherwise": True}, "what is known beforehand changed"),
        ({"needed_until": UNTIL + 1}, "it does not reach far enough"),
    ],
)
def test_what_no_longer_holds_is_fitted_again_and_said_why(since: dict[str, int], reason: str) -> None:
    """However young it is: the period of a budget may have grown, too."""
    needed = since.pop("needed_until", UNTIL)
    assert (
        why_refit(FITTED, UNTIL, FITTED + 1, needed, **{name: bool(value) for name, value in since.items()}) == reason
    )
