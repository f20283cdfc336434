from stream_jobs.detection.config import Config
from stream_jobs.detection.severity import LEVELS, severity


def level(
    nats: float = 30.0, excess: float = 10.0, per_day: float = 1000.0, slow: bool = False, up: bool = True
) -> str:
    """Of a series that usually spends 100 a day."""
    return LEVELS[severity(Config(), nats, excess, per_day, 100.0, slow, up)]


def test_severity_grows_with_money() -> None:
    """Half a day's spend more per day is a warning, ten times an emergency."""
    assert [level(per_day=rate) for rate in (50.0, 200.0, 1000.0)] == ["warning", "error", "critical"]
    assert level(per_day=200.0, excess=400.0) == "critical"


def test_little_surprise_slow_changes_and_little_money_page_nobody() -> None:
    """At most a warning each; a slow change that has not cost half a day's spend is information."""
    assert level(nats=10.0) == "warning"
    assert level(slow=True) == "info"
    assert level(slow=True, excess=80.0) == "warning"
    assert LEVELS[severity(Config(), 30.0, 0.1, 0.5, 0.01, False, True)] == "warning"


def test_a_minute_of_cents_is_no_emergency() -> None:
    """A minute's money times those of a day says little: it is critical once a dollar was lost."""
    assert [level(excess=lost, per_day=1440 * lost) for lost in (0.7, 1.0)] == ["error", "critical"]


def test_a_drop_is_never_critical() -> None:
    """It saves money; that all is gone is an error."""
    assert level(per_day=-100.0, up=False) == "error"
    assert level(per_day=-30.0, up=False) == "warning"
