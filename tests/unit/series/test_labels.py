"""Which labels deltas tell."""

import pytest

from stream_jobs.series.labels import WatchedLabels
from stream_jobs.series.measures import MAX_LABELS


def test_watched_labels_come_before_those_of_the_settings() -> None:
    """Each once, and no more than a delta can tell."""
    asked = ["b", "c"]
    labels = WatchedLabels(("a", "b"), lambda: asked)
    told = [labels.names]
    labels.look()
    told.append(labels.names)
    asked.extend(f"l{number}" for number in range(MAX_LABELS))
    labels.look()
    told.append(labels.names)
    assert told == [("a", "b"), ("b", "c", "a"), ("b", "c", *(f"l{number}" for number in range(MAX_LABELS - 2)))]


def test_what_cannot_be_asked_changes_nothing() -> None:
    """While the store is away, deltas go on telling what they told."""
    answers = [["a"]]
    labels = WatchedLabels((), answers.pop)
    labels.look()
    with pytest.raises(IndexError):
        labels.look()
    assert labels.names == ("a",)
