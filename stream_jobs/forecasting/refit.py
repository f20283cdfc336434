"""When slow members are fitted again: what still holds is not improved by another fit."""

from typing import Final

MOST_DAYS: Final = 7
"""That a fit is kept. So few days are too few to tell by whether its bands still hold; a level that moved is seen after
four."""


def why_refit(
    fitted_on: int, until: int, today: int, needed_until: int, *, moved: bool = False, known_otherwise: bool = False
) -> str | None:
    """The reason, for people; None while what was fitted is good enough. Days are ordinals: `until` is the first that
    the fit says nothing of. `moved`: the level of the series has, since. `known_otherwise`: what is known beforehand of
    the days that it learned from (planned events, prices) is not what it was."""
    if not 0 <= today - fitted_on <= MOST_DAYS:
        return f"it is older than {MOST_DAYS} days"
    if moved:
        return "the level moved"
    if known_otherwise:
        return "what is known beforehand changed"
    if needed_until > until:
        return "it does not reach far enough"
    return None
