"""The public holidays of a country. Plain."""

from datetime import date
from functools import cache


def knows(country: str) -> bool:
    """Whether there are any: `country` as ISO 3166 has it, DE."""
    import holidays  # here: half a second, which who names no country need not spend

    return country in holidays.list_supported_countries()


@cache
def rest_days(country: str, first_year: int, last_year: int) -> frozenset[int]:
    """The ordinals of those of these years, both included; none without a country."""
    if not country:
        return frozenset()
    import holidays

    years = range(max(first_year, date.min.year), min(last_year, date.max.year) + 1)
    return frozenset(day.toordinal() for day in holidays.country_holidays(country, years=years))
