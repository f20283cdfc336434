"""Where slow members are members."""

from stream_jobs.forecasting.members.fits import MEMBERS
from stream_jobs.forecasting.members.which import DAYS, members_for


def test_days_have_all_of_them_from_half_a_year_on() -> None:
    """Before that, none."""
    assert set(members_for("day", DAYS)) == set(MEMBERS)
    assert members_for("day", DAYS - 1) == ()


def test_hours_have_none() -> None:
    """However long their history is."""
    assert members_for("hour", 24 * 365) == ()
