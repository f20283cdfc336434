"""The windows that are judged, and their names. Index 0 of a measure is cost, 1 is the number of requests."""

from typing import Final

MEASURES: Final = 2
COST: Final = 0
EVENTS: Final = 1

FAST: Final = (1, 5, 15, 60)  # minutes, rolling
HOURS: Final = (1, 2, 3, 6, 12, 24)  # the present hour as far as it is, and those before it
DAYS: Final = (48, 96, 168)  # whole hours, judged when one ends
WEEK_HOURS: Final = 168

NAMES: Final = (
    "1m",
    "5m",
    "15m",
    "60m",
    "1h",
    "2h",
    "3h",
    "6h",
    "12h",
    "24h",
    "2d",
    "4d",
    "7d",
    "ramp",
    "silence",
    "request",
)
N_FAST: Final = len(FAST)
N_HOURS: Final = len(HOURS)
FIRST_HOURS: Final = N_FAST
FIRST_DAYS: Final = N_FAST + N_HOURS
RAMP: Final = FIRST_DAYS + len(DAYS)
SILENCE: Final = RAMP + 1
REQUEST: Final = RAMP + 2
WINDOWS: Final = RAMP + 1  # those that have a standardised figure per measure

GROUPS: Final = (slice(0, FIRST_HOURS + 1), slice(FIRST_HOURS + 1, FIRST_DAYS), slice(FIRST_DAYS, WINDOWS))
"""Scales whose past is looked at together: up to an hour, hours, days."""

LENGTH: Final = (*FAST, *(60 * hours for hours in HOURS), *(60 * hours for hours in DAYS), 10080, 60, 1)
"""Minutes that a scale looks back; of silence and request nominal."""

LOOKS: Final = (400.0, 200.0, 100.0, 40.0, 40.0, 25.0, 18.0, 10.0, 6.0, 4.0, 2.0, 1.0, 0.7, 0.2, 40.0, 1.0)
"""About how many independent looks a scale takes in a day, at two measures; the ramp has one."""
SHARE: Final = (0.06, 0.08, 0.08, 0.05, 0.05, 0.08, 0.08, 0.08, 0.07, 0.06, 0.05, 0.03, 0.02, 0.14, 0.05, 0.02)
"""Of the budget of false alarms; sums to 1."""
