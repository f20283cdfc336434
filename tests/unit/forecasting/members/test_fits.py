"""Real fits of Prophet and statsmodels: near what comes, bounded whatever they are given, or refused in words."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.forecasting.members.fits import BOUND, MEMBERS, fit, fit_and_forecast
from stream_jobs.forecasting.members.history import MOST_STEPS
from stream_jobs.forecasting.members.model import Answer, Floats, MemberName, Options, Step, Task
from tests.unit.forecasting.members.series import HOUR, MONDAY, daily, hourly

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("members")]  # loading the libraries takes seconds
each_member = pytest.mark.parametrize("member", list(MEMBERS))
FIRST: dict[Step, int] = {"hour": HOUR, "day": MONDAY}


def sound(answer: Answer, values: Floats, horizon: int) -> bool:
    """A bounded answer or a named refusal."""
    if answer.refused:
        return len(answer.refused) > 10 and answer.values.shape == (0,)
    most = BOUND * np.nanmax(values, initial=0.0)
    return answer.values.shape == (horizon,) and bool(((answer.values >= 0) & (answer.values <= most)).all())


@each_member
def test_a_week_is_forecast_from_daily_sums(member: MemberName) -> None:
    """Each day of the week at its own height."""
    answer = fit_and_forecast(member, daily(), MONDAY, "day", 30)
    assert (answer.refused, answer.notes) == ("", ())
    assert answer.values == pytest.approx(daily(150, noise=0.0)[120:], rel=0.15)


@each_member
def test_a_day_is_forecast_from_hours(member: MemberName) -> None:
    """Each hour at its own height."""
    answer = fit_and_forecast(member, hourly(), HOUR, "hour", 48)
    expected = 50 + 40 * np.sin(np.arange(240, 288) * 2 * np.pi / 24)
    assert np.abs(answer.values - expected).mean() < 6


@each_member
def test_the_same_history_gives_the_same_forecast_to_the_last_bit(member: MemberName) -> None:
    """Whatever was fitted before it."""
    first = fit(Task(member, daily(), MONDAY, "day", 14))
    fit(Task(member, daily(90, seed=3), MONDAY, "day", 14))
    assert first.values.tobytes() == fit(Task(member, daily(), MONDAY, "day", 14)).values.tobytes()


@pytest.fixture
def temp_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@each_member
def test_a_fit_is_quiet_and_leaves_no_file(
    member: MemberName, temp_folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is written or logged, and no warning given (which would be an error here)."""
    fit_and_forecast(member, daily(60), MONDAY, "day", 7)  # what libraries say when they are loaded
    capfd.readouterr()
    caplog.clear()
    assert not fit_and_forecast(member, daily(60, noise=0.5), MONDAY, "day", 7, Options(country="US")).refused
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelname not in ("DEBUG", "INFO")] == []
    assert list(temp_folder.iterdir()) == []


SPIKE = daily()
SPIKE[77] *= 1e6
GAPS = daily()
GAPS[30:44] = np.nan
GAPS[100] = np.nan
STRANGE = {
    "nothing": np.zeros(0),
    "one point": np.array([5.0]),
    "one point and a gap": np.array([5.0, *[np.nan] * 60]),
    "all zeros": np.zeros(60),
    "constant": np.full(60, 42.0),
    "a huge constant": np.full(60, 1e15),
    "nothing known": np.full(60, np.nan),
    "negative": -daily(),
    "credits among amounts": np.where(np.arange(120) % 9 == 4, -50.0, daily()),
    "huge": 1e15 * daily() / 100,
    "tiny": 1e-12 * daily(),
    "beyond any usage": np.full(60, 1e200) * daily(60),
    "infinite": np.where(np.arange(120) == 60, np.inf, daily()),
    "a spike": SPIKE,
    "a spike at the end": np.append(daily(), 1e8),
    "gaps": GAPS,
    "mostly zeros": np.where(np.arange(120) % 17 == 0, daily(), 0.0),
    "one amount among zeros": np.where(np.arange(120) == 60, 1e6, 0.0),
    "grows tenfold a week": 10.0 ** (np.arange(70) / 7),
    "falls to nothing": 1e6 * 10.0 ** (-np.arange(70) / 3),
    "a shift yesterday": np.append(daily(), 5000.0),
    "one step up": np.repeat([1.0, 1000.0], 40),
}


@each_member
@pytest.mark.parametrize("step", ["day", pytest.param("hour", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", list(STRANGE))
def test_strange_histories_get_a_bounded_answer_or_a_reason(name: str, step: Step, member: MemberName) -> None:
    """Finite, not negative, at most five times the most that was ever seen."""
    values = STRANGE[name]
    answer = fit_and_forecast(member, values, FIRST[step], step, 30)
    assert sound(answer, np.where(np.isfinite(values), values, 0.0), 30), answer


@each_member
@pytest.mark.parametrize("horizon", [0, 1, 90, 400, MOST_STEPS["day"]])
def test_any_horizon_gets_as_many_steps(horizon: int, member: MemberName) -> None:
    """None gets none."""
    for values in (daily(), 1.02 ** np.arange(200.0) * daily(200)):
        assert sound(fit_and_forecast(member, values, MONDAY, "day", horizon), values, horizon)


@pytest.mark.parametrize("horizon", [-1, MOST_STEPS["day"] + 1, 10**9])
def test_no_horizon_without_end(horizon: int) -> None:
    """Refused with the bound."""
    assert "are not between 0 and" in fit_and_forecast("ets", daily(), MONDAY, "day", horizon).refused


@pytest.mark.parametrize("first", [-(10**12), 0, 10**12])
def test_no_day_before_1970_or_far_ahead(first: int) -> None:
    """Whose calendar libraries don't know."""
    assert "begins on no day" in fit_and_forecast("prophet", daily(), first, "day", 7).refused


@pytest.mark.parametrize("member", ["ets", "theta", "stl"])
@given(data=st.data())
@settings(max_examples=25)
def test_any_history_gets_a_bounded_answer_or_a_reason(member: MemberName, data: st.DataObject) -> None:
    """Of any amounts, with gaps."""
    amounts = st.floats(-1e6, 1e15) | st.just(float("nan")) | st.just(0.0) | st.floats(0, 100)
    values = np.array(data.draw(st.lists(amounts, min_size=0, max_size=70)))
    horizon = data.draw(st.sampled_from([1, 7, 90]))
    assert sound(fit_and_forecast(member, values, MONDAY, "day", horizon), values, horizon)


@given(st.lists(st.floats(-10, 1e9) | st.just(float("nan")), min_size=20, max_size=60))
@settings(max_examples=8)
def test_any_history_gets_a_bounded_answer_of_prophet_or_a_reason(values: list[float]) -> None:
    """Of any amounts, with gaps."""
    assert sound(fit_and_forecast("prophet", np.array(values), MONDAY, "day", 30), np.array(values), 30)


@each_member
def test_what_must_not_teach_does_not(member: MemberName) -> None:
    """An incident of a week is as unknown days."""
    poisoned, gaps = daily(), daily()
    ignored = np.zeros(120, dtype=bool)
    ignored[100:107] = True
    poisoned[100:107] *= 50
    gaps[100:107] = np.nan
    masked = fit_and_forecast(member, poisoned, MONDAY, "day", 14, Options(ignored=ignored))
    assert masked.values.tobytes() == fit_and_forecast(member, gaps, MONDAY, "day", 14).values.tobytes()
    assert masked.values == pytest.approx(daily(134, noise=0.0)[120:], rel=0.2)


@each_member
def test_declared_events_are_taken_out_of_the_history_and_put_into_the_forecast(member: MemberName) -> None:
    """A launch that tripled the last week, and one that will make ten times as much of the next but one day: above five
    times the most that was seen, as it is declared."""
    factors = np.ones(120 + 14)
    factors[113:120] = 3.0
    factors[121] = 10.0
    answer = fit_and_forecast(member, daily() * factors[:120], MONDAY, "day", 14, Options(factors=factors))
    assert answer.values == pytest.approx(daily(134, noise=0.0)[120:] * factors[120:], rel=0.2)
    assert answer.notes == ()


@each_member
def test_maintenance_teaches_nothing_and_leaves_nothing(member: MemberName) -> None:
    """A factor of 0."""
    factors = np.ones(120 + 7)
    factors[60:63] = 0.0
    factors[122] = 0.0
    answer = fit_and_forecast(member, daily() * factors[:120], MONDAY, "day", 7, Options(factors=factors))
    assert answer.values == pytest.approx(daily(127, noise=0.0)[120:] * factors[120:], rel=0.2)


@each_member
def test_an_event_that_was_declared_and_did_not_come_teaches_no_multiple(member: MemberName) -> None:
    """Maintenance that was put off: the days are as unknown."""
    factors = np.ones(120 + 7)
    factors[100:103] = 0.01
    answer = fit_and_forecast(member, daily(), MONDAY, "day", 7, Options(factors=factors))
    assert answer.values == pytest.approx(daily(127, noise=0.0)[120:], rel=0.2)


def test_prophet_learns_what_an_event_did() -> None:
    """Of a campaign without a factor that doubled each of its three times, the fourth."""
    running = np.zeros(120 + 14)
    for begin in (20, 55, 90, 124):
        running[begin : begin + 4] = 1.0
    values = daily() * (1 + running[:120])
    options = Options(events={"campaign": running, "never seen": np.eye(1, 134, 130)[0]})
    answer = fit_and_forecast("prophet", values, MONDAY, "day", 14, options)
    assert answer.values == pytest.approx(daily(134, noise=0.0)[120:] * (1 + running[120:]), rel=0.2)


def test_prophet_learns_holidays() -> None:
    """Of a company that does no work on them: July 4th, and Labor Day, which moves."""
    pandas = pytest.importorskip("pandas")
    import holidays

    days = pandas.date_range("2022-01-03", periods=3 * 364, freq="D")
    off = np.array([day.date() in holidays.country_holidays("US", years=range(2022, 2026)) for day in days])
    values = daily(len(days)) * np.where(off, 0.2, 1.0)
    begin = 980  # 2024-09-09
    first = days[0].date().toordinal()
    answer = fit_and_forecast("prophet", values[:begin], first, "day", 112, Options(country="US"))
    blind = fit_and_forecast("prophet", values[:begin], first, "day", 112)
    ahead = off[begin : begin + 112]
    assert ahead.sum() >= 3
    error = [np.abs(one.values - values[begin : begin + 112])[ahead].mean() for one in (answer, blind)]
    assert error[0] < 0.5 * error[1]


def test_a_country_that_nobody_knows_is_told() -> None:
    """The forecast is made without its holidays."""
    answer = fit_and_forecast("prophet", daily(60), MONDAY, "day", 7, Options(country="Atlantis"))
    assert answer.notes == ("no holidays are known of a country 'Atlantis'",)
    assert answer.values.shape == (7,)


def test_arrays_that_do_not_fit_together_are_a_mistake_of_the_caller() -> None:
    """No refusal of the series."""
    with pytest.raises(ValueError, match="factors"):
        fit_and_forecast("ets", daily(), MONDAY, "day", 7, Options(factors=np.ones(120)))
    for wrong in (np.nan, np.inf, -1.0, 1e9):
        with pytest.raises(ValueError, match="factors are between 0 and"):
            fit_and_forecast("ets", daily(), MONDAY, "day", 7, Options(factors=np.append(np.ones(126), wrong)))
    with pytest.raises(ValueError, match="one series"):
        fit_and_forecast("ets", np.ones((2, 60)), MONDAY, "day", 7)


def test_too_little_is_refused_with_what_is_missing() -> None:
    """Known cells count, not the span."""
    sparse = np.full(120, np.nan)
    sparse[::10] = 5.0
    assert "has 12 known days; a fit needs 14" in fit_and_forecast("stl", sparse, MONDAY, "day", 7).refused
    sparse[::4] = 5.0
    assert "only 36 of its 120 days" in fit_and_forecast("stl", sparse, MONDAY, "day", 7).refused
