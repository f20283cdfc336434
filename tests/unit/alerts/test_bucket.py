"""How often a receiver is told, and how long it is left alone."""

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.alerts.bucket import LONGEST_BACKOFF_S, LONGEST_GRAVE_S, Backoff, TokenBucket


@given(st.integers(1, 600), st.lists(st.sampled_from([0.0, 0.1, 1.0, 7.0, 100.0]), max_size=80))
def test_never_more_than_the_limit_in_any_minute(per_minute: int, pauses: list[float]) -> None:
    """However the attempts are spread; and one is always allowed again."""
    bucket, now_s, taken = TokenBucket(per_minute, 0.0), 0.0, list[float]()
    for pause_s in pauses:
        now_s += pause_s
        now_s += bucket.wait_s(now_s) + 1e-6
        assert bucket.wait_s(now_s) <= 1e-6
        bucket.take(now_s)
        taken.append(now_s)
    assert all(sum(begin <= at < begin + 60 for at in taken) <= per_minute for begin in taken)


def test_the_pause_grows_to_five_minutes_and_begins_anew_after_a_success() -> None:
    """With jitter of up to a half; what the receiver asks for is kept, up to an hour."""
    backoff = Backoff(seed=1)
    pauses = [backoff.failed() for _ in range(15)]
    assert all(0.5 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses[:8]))
    assert all(LONGEST_BACKOFF_S / 2 <= pause <= LONGEST_BACKOFF_S for pause in pauses[9:])
    assert backoff.failed(retry_after_s=700) == 700
    assert backoff.failed(retry_after_s=1e9) == 3600
    backoff.succeeded()
    assert backoff.failed() <= 1


def test_while_something_grave_waits_it_is_tried_every_half_minute() -> None:
    """However often it failed, and whatever it asks for."""
    backoff = Backoff(seed=1)
    pauses = [backoff.failed(grave=True) for _ in range(15)]
    assert all(LONGEST_GRAVE_S / 2 <= pause <= LONGEST_GRAVE_S for pause in pauses[6:])
    assert backoff.failed(retry_after_s=3600, grave=True) == LONGEST_GRAVE_S
    assert backoff.failed() >= LONGEST_BACKOFF_S / 2
