"""Amounts and periods of budgets, from files."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli.forecast_amounts import read_amounts

AT = datetime(2027, 3, 28, 12, tzinfo=UTC)


def written(folder: Path, text: str, name: str = "budgets.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv(tmp_path: Path) -> None:
    """In its order; months of UTC where nothing else is said."""
    path = written(tmp_path, "amount;series;period;timezone\n0.10;b;;\n\n20;a;week;Europe/Berlin\n")
    first, second = read_amounts(path, [])
    assert (first.name, first.amount, first.zone.key) == ("b", Decimal("0.10"), "UTC")
    month, week = first.calendar.period_at(AT), second.calendar.period_at(AT)
    assert month is not None
    assert week is not None
    assert (month.start.day, month.end.month) == (1, 4)
    assert (week.end - week.start).total_seconds() == (7 * 24 - 1) * 3600  # clocks go forward


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1"),
        ("a,b\n", "line 1"),
        ("budget,series,amount\nx,y,1\n", "line 1"),
        ("budget,amount\n", "no rows"),
        ("budget,amount\na,1\na,2\n", "line 3: budget 'a' is there twice"),
        ("budget,amount\n,1\n", "line 2: a budget without a name"),
        ("budget,amount\na,x\n", "line 2: amount 'x' is no number"),
        ("budget,amount\na,-1\n", "line 2: amount '-1' is not between"),
        ("budget,amount\na,nan\n", "line 2: amount 'nan' is not between"),
        ("budget,amount\na\n", "line 2: amount '' is no number"),
        ("budget,amount,period\na,1,decade\n", "line 2: period 'decade' is none of hour, day"),
        ("budget,amount,timezone\na,1,Mars/Base\n", "line 2: there is no time zone 'Mars/Base'"),
    ],
)
def test_wrong_lines(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_amounts(written(tmp_path, text), [])


def test_no_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "budgets.csv"
    path.write_bytes(b"budget,amount\n\xff,1\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_amounts(path, [])


def test_budgets_yaml(tmp_path: Path) -> None:
    """Whatever it is called: with its periods; a budget per value has a series for each."""
    text = (
        "timezone: Europe/Berlin\nbudgets:\n"
        "  - {id: all, name: All, amount: 100, period: total, valid_from: 2027-01-01}\n"
        "  - {id: teams, name: Teams, per: [team], amount: 5, amounts: {ml: 7}, period: month}\n"
        "  - {id: users, name: Users, per: [user_id], amount: 5, period: {rolling: 24h}}\n"
    )
    plan = read_amounts(written(tmp_path, text, "mine.yaml"), ["all", "teams/ml", "teams/web", "teams/a/b"])
    amounts = {planned.name: int(planned.amount) for planned in plan}
    assert amounts == {"all": 100, "teams/ml": 7, "teams/web": 5, "users": 5}
    assert "users/VALUE" in plan[-1].note
    assert not plan[0].in_force(datetime(2026, 12, 31, tzinfo=UTC))
