"""Cheap forecasts: each says what its name says, and what it cannot tell is not known."""

import numpy as np
import pytest

from stream_jobs.forecasting.atoms import ATOMS, atoms
from tests.unit.forecasting.hours import traffic


def test_there_is_one_for_each_name() -> None:
    assert atoms(np.ones((2, 30)), 5).shape == (len(ATOMS), 2, 5)


def test_what_repeats_is_repeated_by_all() -> None:
    window = np.tile(5 + np.sin(2 * np.pi * np.arange(24) / 24), 28)[None, :]
    for made in atoms(window, 48)[:-1]:  # the last one has no course of a day
        assert made[0] == pytest.approx(window[0, :48], abs=0.02)


def test_the_last_week_is_not_known_before_there_was_one() -> None:
    made = atoms(np.ones((1, 167)), 3)
    assert np.isnan(made[ATOMS.index("last week")]).all()
    assert np.isfinite(np.delete(made, ATOMS.index("last week"), axis=0)).all()


def test_after_a_jump_levels_of_hours_are_ahead_of_those_of_days() -> None:
    window = np.full((1, 10 * 24), 5.0)
    window[0, -6:] = 8.0
    fast, slow = (atoms(window, 1)[ATOMS.index(name), 0, 0] for name in ("profile and level", "profile and slow level"))
    assert 5 < slow < fast < 8


def test_days_of_the_week_are_in_all_of_them_from_the_second_week_on() -> None:
    values = traffic(7, series=3, days=26, noise=0.05)  # the 26th is a Friday: the weekend comes
    made = atoms(np.cbrt(values), 48)
    friday = np.cbrt(values)[:, -24:].mean(axis=1)
    for one in made:
        assert (one[:, 24:].mean(axis=1) < 0.9 * friday).all()
