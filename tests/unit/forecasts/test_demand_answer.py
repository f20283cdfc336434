"""GET /demand, from the query to the answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasts.demand import Deployment, Outlook
from stream_jobs.forecasts.demand_answer import MAX_CHARS, answered
from tests.unit.forecasts.demand_build import CHAT, NINE, hours, outlook

KNOWN = outlook({CHAT: hours([6, 8, 2]), Deployment("x", "dead"): hours([0, 0, 0], tokens=0)})


def ask(query: str, known: Outlook | None = KNOWN) -> tuple[int, dict[str, Any]]:
    answer = answered(query, known, NINE)
    assert answer.content_type == "application/json"
    return int(answer.status), json.loads(answer.body)


def test_an_autoscaler_reads_rates_and_replicas() -> None:
    """The P90 of the next hour unless it asks for something else."""
    assert ask("model=gpt-4o&provider=openai&horizon=1h&quantile=0.9&per_replica=5") == (
        200,
        {
            **{"provider": "openai", "model": "gpt-4o", "region": "", "horizon_s": 3600, "quantile": 0.9},
            **{"as_of": NINE.isoformat(), "label": "steady"},
            **{"requests_per_second": 16, "tokens_per_second": 200, "replicas": 4},
        },
    )
    _, plain = ask("model=gpt-4o&quantile=0.5&horizon=59m")
    assert (plain["requests_per_second"], "replicas" in plain) == (6, False)
    assert ask("model=gpt-4o&tokens_per_replica=30&per_replica=100")[1]["replicas"] == 7


def test_what_is_known_to_be_nothing_is_0() -> None:
    """Only that."""
    assert ask("model=dead&per_replica=1")[1]["replicas"] == 0


@pytest.mark.parametrize(
    ("query", "known", "why"),
    [
        ("model=gpt-4o", None, "no forecast of demand yet"),
        ("model=gpt-4o", outlook({CHAT: hours([1, 1])}, stale="no run since"), "stale: no run since"),
        ("model=gpt-5", KNOWN, "no forecast of 'gpt-5'"),
        ("model=gpt-4o&horizon=4h", KNOWN, "not all hours up to"),
        ("model=gpt-4o&per_replica=1", outlook({CHAT: hours([None, None])}), "no forecast of requests"),
    ],
)
def test_what_is_not_known_is_503_with_a_reason_and_without_any_figure(
    query: str, known: Outlook | None, why: str
) -> None:
    """A scaler must never take a missing forecast for no traffic."""
    status, content = ask(query, known)
    assert status == 503
    assert list(content) == ["error"]
    assert why in content["error"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "of which model"),
        ("model=", "of which model"),
        ("modell=gpt-4o", "parameters are model"),
        ("model=gpt-4o&model=gpt-5", "each once"),
        ("&".join(f"a{number}=1" for number in range(99)), "parameters are"),
        ("model=%ff", "UTF-8"),
        ("model=gpt-4o&horizon=1d", "horizon is like"),
        ("model=gpt-4o&horizon=49h", "48h at most"),
        ("model=gpt-4o&horizon=-1h", "horizon"),
        ("model=gpt-4o&quantile=0.99", "one of 0.5, 0.9"),
        ("model=gpt-4o&per_replica=0", "per_replica is"),
        ("model=gpt-4o&per_replica=nan", "per_replica is"),
        ("model=gpt-4o&per_replica=-5", "per_replica is"),
        ("model=gpt-4o&tokens_per_replica=1e300", "tokens_per_replica is"),
        ("model=" + "x" * MAX_CHARS, "characters"),
    ],
)
def test_a_question_that_is_wrong_is_400_and_says_what_to_ask(query: str, why: str) -> None:
    """A name that is mistyped is not passed over: a scaler would go on by the default."""
    status, content = ask(query)
    assert status == 400
    assert list(content) == ["error"]
    assert why in content["error"]


@given(st.text(max_size=30))
def test_whatever_is_asked_gets_an_answer(query: str) -> None:
    """And no figure unless it is 200."""
    status, content = ask(query)
    assert ("error" in content) == (status != 200)
