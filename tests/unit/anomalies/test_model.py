"""The words of the job."""

from stream_jobs.anomalies.model import Series, finding_id


def test_names_for_people() -> None:
    """A series is called by its values, and what has none is the total."""
    assert Series().name == "total"
    assert Series(("team", "model"), ("search", "gpt-5")).name == "team=search, model=gpt-5"


def test_ids_tell_apart_what_only_joined_texts_would_confuse() -> None:
    """Values from outside that contain each other's separators have ids of their own."""
    one = finding_id(Series(("team",), ("a\0001:b",)), "up", 5)
    other = finding_id(Series(("team", "a"), ("b", "")), "up", 5)
    assert one != other
    assert one == finding_id(Series(("team",), ("a\0001:b",)), "up", 5)
