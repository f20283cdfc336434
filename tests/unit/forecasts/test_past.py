"""Who has a forecast, and what of it is known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasts.model import REST, Floats
from stream_jobs.forecasts.past import _most
from tests.unit.forecasts.build import HOURS


def test_who_matters_is_who_spent_of_late_and_all_others_are_one() -> None:
    """Credits matter as costs do."""
    found: dict[tuple[str, ...], Floats] = {
        ("old",): np.array([9.0, *[0.0] * 672]),
        ("large",): np.array([*[0.0] * 672, 5.0]),
        ("credited",): np.array([*[0.0] * 672, -4.0]),
        ("small",): np.array([*[0.0] * 672, 1.0]),
    }
    rows = dict(_most(found, 2, HOURS))
    assert list(rows) == [("credited",), ("large",), (REST,)]
    assert (rows[(REST,)][0], rows[(REST,)][-1]) == (9.0, 1.0)


@given(st.dictionaries(st.text(min_size=1), st.lists(st.integers(-9, 9), min_size=3, max_size=3)), st.integers(1, 5))
def test_nothing_is_lost_of_those_who_have_none(given_: dict[str, list[int]], most: int) -> None:
    """All series together are everybody."""
    found: dict[tuple[str, ...], Floats] = {(name,): np.array(row, dtype=float) for name, row in given_.items()}
    rows = _most(found, most, HOURS)
    assert len(rows) <= most + 1
    zero = np.zeros(3)
    assert sum((row for _, row in rows), zero).tolist() == sum(found.values(), zero).tolist()
