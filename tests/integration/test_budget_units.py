"""Thresholds in money, amounts of nothing, quotas and other currencies, on the real store and broker: what people are
told, what services are told and do, and what lists, views and reports say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendstream import Attribution, Decision, Guard, GuardConfig
from spendstream.cli import main
from spendstream_schemas.alert_feed import AlertSignal
from tests.integration.budget_office import Office
from tests.integration.budget_world import taken_back
from tests.integration.pipeline import until
from tests.integration.test_budget_periods import office, spend
from tests.store_server import StoreProcess

pytestmark = pytest.mark.slow

__all__ = ["office"]  # a fixture
WAIT_S = 30.0
ONLY_ACTUAL: dict[str, Any] = {"actual": [100], "forecast": []}


def booked(office: Office, *amounts: int | str, **facts: Any) -> list[dict[str, Any]]:
    """Charges of now, counted."""
    nothing = {"input_tokens": 0, "output_tokens": 0, "gpu_seconds": None}
    now = office.store.now()
    rows = [spend(now, amount) | nothing | facts for amount in amounts]
    office.cycle(office.block(rows))
    return rows


def alert(office: Office, budget_id: str, kind: str = "budget") -> AlertSignal:
    (found,) = [one for one in office.alerts().values() if one.alert_id.startswith(f"{kind}/{budget_id}/")]
    return found


@contextmanager
def guard(office: Office) -> Iterator[Guard]:
    office.cycle()
    with Guard(GuardConfig(bootstrap_servers=office.broker, source="tests")) as guard:

        def ready() -> bool:
            office.cycle()
            return guard.ready

        until(ready, WAIT_S, "a guard that knows the budgets")
        yield guard


def looked(services: Guard, who: Attribution, estimate_usd: int = 0) -> Decision:
    """The decision for a request that is not made: it is none of a quota's requests."""
    decision = services.decide(who, estimate_usd)
    decision.cancel()
    return decision


def shown(process: StoreProcess, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["budgets", *arguments, "--url", process.url]) == 0
    return capsys.readouterr().out


def test_a_threshold_in_money_is_told_once_and_taken_back(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly at its last digit, beside percents; graver ones are told anew; a correction takes it back, and services
    follow steps in money."""
    office.write(
        {
            "id": "money",
            "name": "Money",
            "amount": 1000,
            "period": "month",
            "thresholds": {"actual": [{"at_amount": "499.99"}, 80], "forecast": []},
            "policy": {"steps": [{"at_amount": 500, "action": "reduced"}, {"at_percent": 100, "action": "refuse"}]},
        }
    )
    office.restart()
    booked(office, "499.989999999999")
    assert office.alerts() == {}
    with guard(office) as services:
        assert services.decide(Attribution(team="search")).action == "full"
        booked(office, "0.000000000001")
        first = alert(office, "money")
        assert (first.status, first.severity, first.level) == ("firing", "warning", 49_999)
        assert first.summary == "Money has used $499.99 of $1,000.00 (49.9 %), past $499.99"
        assert services.decide(Attribution(team="search"), "0.01").action == "reduced"
        assert "from 500.00 USD on" in services.decide(Attribution(team="search"), "0.01").reason
    office.restart()
    booked(office, "300.01")
    second = alert(office, "money")
    assert (second.summary, second.level) == ("Money has used $800.00 of $1,000.00 (80.0 %)", 80_000)
    rows = office.store.rows(
        "SELECT toString(threshold), toString(threshold_amount), toString(direction) FROM budget_crossings ORDER BY at"
    )
    assert rows == [("0", "499.99", "up"), ("80", "0", "up")], "each once, also after a restart"
    text = shown(process, capsys, "show", "money")
    assert "$499.99" in text
    assert "80 %" in text
    office.correct("run-1/0", [spend(office.store.now(), "-300.010000000001") | {"entry_kind": "adjustment"}])
    office.cycle()
    last = alert(office, "money")
    assert (last.status, last.resolution) == (
        "resolved",
        "it is below its thresholds again: $499.989999999999 of $1,000.00",
    )


def test_of_an_amount_of_nothing_the_first_cent_is_told(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spent or held; no percent is said anywhere, and services refuse from the beginning."""
    nothing = {"name": "Nothing", "amount": 0, "period": "month", "scope": {"team": "ads"}}
    office.write({"id": "nothing", **nothing}, {"id": "held", **nothing, "scope": {"team": "held"}})
    office.restart()
    booked(office, 5)
    assert office.alerts() == {}
    with guard(office) as services:
        decision = services.decide(Attribution(team="ads"))
        assert decision.action == "refuse"
        assert decision.remaining_usd == decision.amount_usd == 0
        assert "nothing may be spent" in decision.reason
        assert services.decide(Attribution(team="search")).action == "full"
    booked(office, "0.01", team="ads")
    found = alert(office, "nothing")
    assert (found.severity, found.level, found.money_usd) == ("error", 100_000, Decimal("0.01"))
    assert found.summary == "Nothing may spend nothing, and has used $0.0100"
    assert ("Amount", "$0: nothing may be spent") in [(fact.name, fact.text) for fact in found.facts]
    booked(office, 0, team="held", effective_cost=None, unpriced=1, unpriced_reason="unknown_model")
    assert alert(office, "held").status == "firing"
    office.cycle()
    for arguments in (("list",), ("show", "nothing"), ("show", "nothing", "--json"), ("list", "--json")):
        text = shown(process, capsys, *arguments)
        assert "inf" not in text
        assert "nan" not in text
    assert "anything at all" in shown(process, capsys, "show", "nothing")
    assert "%" not in shown(process, capsys, "show", "nothing").replace("100 % of it", "")
    assert office.store.rows(
        "SELECT used_share, toString(remaining) FROM budget_status WHERE budget_id = 'nothing'"
    ) == [(None, "-0.01")]


QUOTAS = (
    {"id": "tokens", "name": "Tokens", "measure": "tokens", "amount": 5_000, "period": "month"},
    {"id": "requests", "name": "Requests", "measure": "requests", "amount": 3, "period": "month"},
    {"id": "gpus", "name": "GPUs", "measure": "gpu_hours", "amount": "1.5", "period": "month", "per": ["user_id"]},
)


def test_quotas_count_tokens_requests_and_gpu_hours(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is told, listed and kept is in what they count, whatever it cost; retractions take back; and what is
    estimated in money means nothing to them. A row of money is not added to one of tokens unseen: each has its unit."""
    steps = {"policy": {"steps": [{"at_percent": 100, "action": "refuse"}]}, "thresholds": ONLY_ACTUAL}
    office.write(*({**quota, **steps} for quota in QUOTAS))
    office.restart()
    booked(office, 900, input_tokens=4_000, output_tokens=999, gpu_seconds=Decimal("5399.999999999999"))
    assert office.alerts() == {}
    with guard(office) as services:
        who = Attribution(team="search", user_id="u1")
        before = looked(services, who, 1_000_000)
        assert (before.action, before.remaining_usd, before.used_usd) == ("full", None, None)
        rows = booked(office, 1, input_tokens=1, gpu_seconds=Decimal("0.000000000001"))
        until(lambda: looked(services, who).action == "refuse", WAIT_S, "a quota that is used up")
        decision = looked(services, who)
        assert (decision.unit, decision.amount, decision.used) in (
            ("tokens", Decimal(5000), Decimal(5000)),
            ("gpu_hours", Decimal("1.5"), Decimal("1.5")),
        )
        assert "USD" not in decision.reason
        other = looked(services, Attribution(team="search", user_id="u2"))
        assert other.reason.startswith("refuse: budget tokens has used 5,000 of 5,000 tokens (100.0%); from 100% on")
    assert alert(office, "tokens").summary == "Tokens has used 5,000 of 5,000 tokens (100.0 %)"
    assert alert(office, "tokens").money_usd == 0
    assert alert(office, "gpus").summary == ("GPUs (user_id u1) has used 1.50 GPU hours of 1.50 GPU hours (100.0 %)")
    assert not any("$" in fact.text for one in office.alerts().values() for fact in one.facts)
    booked(office, 1)
    assert alert(office, "requests").summary == "Requests has used 3 of 3 requests (100.0 %)"
    office.cycle(office.block([taken_back(rows[0])]))
    assert {one.status for one in office.alerts().values()} == {"resolved"}
    assert "below its thresholds again: 4,999 of 5,000 tokens" in str(alert(office, "tokens").resolution)
    found = office.store.rows(
        "SELECT budget_id, unit, currency, toString(amount), toString(spent) FROM budget_status ORDER BY budget_id"
    )
    assert found == [
        ("gpus", "gpu_hours", "", "1.5", "1.499999999999"),
        ("requests", "requests", "", "3", "2"),
        ("tokens", "tokens", "", "5000", "4999"),
    ]
    office.settle()
    office.restart()
    office.settle()
    assert office.difference() == 0
    text = shown(process, capsys, "list")
    assert "4,999 tokens" in text
    assert "$" not in text
    text = shown(process, capsys, "show", "tokens")
    assert "user_id u1: 4,999 tokens in the last 15 minutes, all of it" in text or "4,999 tokens" in text
    assert "$" not in text


def test_a_guard_that_knows_no_quotas_sees_a_budget_that_nothing_uses_up(office: Office) -> None:
    """It leaves out what it does not know: what is left reads as money without end, none of it spent."""
    office.write({**QUOTAS[0], "policy": {"steps": [{"at_percent": 100, "action": "refuse"}]}})
    office.restart()
    booked(office, 1, input_tokens=9_999)
    (state,) = office.states().values()
    assert state.amount_usd == 10**20
    assert state.spent_usd == state.held_usd == 0
    assert state.quota is not None
    assert (state.quota.unit, int(state.quota.amount), int(state.quota.used)) == ("tokens", 5_000, 9_999)
    assert state.burn_usd_per_hour is None
    assert state.forecast_usd is None


def test_a_budget_in_another_currency_is_read_in_it(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Headline, facts, lists and the past; thresholds and steps too. The store keeps USD, with the rate."""
    office.write(
        {
            "id": "euros",
            "name": "Euros",
            "amount": 100,
            "currency": "EUR",
            "period": "month",
            "thresholds": {"actual": [{"at_amount": 50}, 100], "forecast": []},
        },
        currencies={"EUR": [{"usd": "1.083712345678", "valid_from": "2025-01-01"}]},
    )
    office.restart()
    booked(office, "54.185617283899")
    assert office.alerts() == {}, "a pico-dollar less than 50 EUR"
    booked(office, "0.000000000001")
    assert alert(office, "euros").summary == "Euros has used 50.00 EUR of 100.00 EUR (50.0 %), past 50.00 EUR"
    booked(office, "54.185617283899")
    facts = {fact.name: fact.text for fact in alert(office, "euros").facts}
    assert facts["Amount"] == "100.00 EUR ($108.37)"
    office.cycle()
    text = shown(process, capsys, "list")
    assert "99.999999999999 EUR" in text, "not used up, and it does not look so"
    assert "100.00 EUR" in text
    assert "$" not in text
    (line,) = shown(process, capsys, "list", "--json").splitlines()
    standing = json.loads(line)["standing"]
    assert (standing["unit"], standing["currency"], standing["rate"]) == ("USD", "EUR", "1.083712345678")
    assert standing["threshold_amounts"] == ["50"]
    assert "50.00 EUR" in shown(process, capsys, "show", "euros")


def test_a_report_says_each_budget_in_its_own_unit(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """On the terminal and on the page: tokens, euros and money; nothing may be spent has no percents."""
    rates = {"EUR": [{"usd": "1.25", "valid_from": "2025-01-01"}]}
    office.write(
        QUOTAS[0],
        {"id": "euros", "name": "Euros", "amount": 8, "currency": "EUR", "period": "month", "thresholds": [50]},
        {"id": "nothing", "name": "None at all", "amount": 0, "period": "month"},
        currencies=rates,
    )
    office.restart()
    booked(office, 5, input_tokens=4_100)
    office.cycle()
    page = tmp_path / "page.html"
    assert main(["report", "--url", process.url, "--out", str(page)]) == 0
    text = capsys.readouterr().out
    html = page.read_text()
    for said in ("4,100 tokens", "5,000 tokens", "4.00 EUR", "8.00 EUR", "anything at all"):
        assert said in text
        assert said in html
    assert 'title="4100 tokens"' in html


def test_a_budget_that_never_resets_counts_since_its_first_day(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Months ago as well as now, also after a restart: when it is used up is said, and no end is foretold; one with an
    end has a forecast. What is told is told once, however long it runs; a correction takes it back."""
    now = office.store.now()
    first = (now - timedelta(days=300)).date()
    total = {"name": "All of it", "amount": 100, "period": "total", "valid_from": first}
    ends = {**total, "id": "ends", "name": "Until then", "valid_to": (now + timedelta(days=20)).date()}
    office.write({**total, "id": "ever", "policy": {"steps": [{"at_percent": 80, "action": "refuse"}]}}, ends)
    office.restart()
    old = [spend(now - timedelta(days=days), amount) for days, amount in ((301, 500), (299, 30), (100, 30))]
    office.cycle(office.block(old))
    office.settle()
    assert office.alerts() == {}
    booked(office, 15)
    assert office.store.rows(
        "SELECT budget_id, toString(spent), isNull(forecast), isNull(exhausted_at) FROM budget_status "
        "ORDER BY budget_id"
    ) == [("ends", "75", 0, 0), ("ever", "75", 1, 0)]
    assert alert(office, "ends", "forecast").summary.startswith("Until then will use $")
    booked(office, 10)
    told = alert(office, "ever")
    assert told.summary == "All of it has used $85.00 of $100.00 (85.0 %)"
    facts = {fact.name: fact.text for fact in told.facts}
    assert facts["Period"] == f"{first} 00:00 and never anew (UTC)"
    assert "Used up" in facts
    with guard(office) as services:
        assert services.decide(Attribution(team="search")).action == "refuse"
    office.restart()
    office.settle()
    ups = "SELECT count() FROM budget_crossings WHERE budget_id = 'ever' AND direction = 'up'"
    assert office.store.rows(ups) == [(1,)]
    assert f"since-{first}" in shown(process, capsys, "show", "ever")
    assert "%" in shown(process, capsys, "list")
    office.correct("run-1/0", [old[1] | {"entry_kind": "adjustment", "events": 0, "effective_cost": Decimal(-10)}])
    office.cycle()
    office.settle()
    assert alert(office, "ever").status == "resolved"
    assert office.difference() == 0


def test_past_periods_of_a_quota_are_counted_again(office: Office) -> None:
    """Also those that are no longer in memory: a correction of tokens reaches them, and the check compares them."""
    office.write({**QUOTAS[0], "period": "day", "thresholds": ONLY_ACTUAL})
    office.restart()
    at = office.store.now() - timedelta(days=9)
    row = spend(at, 1) | {"input_tokens": 6_000, "output_tokens": 0}
    office.cycle(office.block([row]))
    office.settle()
    assert alert(office, "tokens").status == "firing"
    office.restart()
    office.correct("run-1/0", [taken_back(row) | {"entry_kind": "adjustment"}])
    office.cycle()
    office.settle()
    assert alert(office, "tokens").status == "resolved"
    assert sorted(spent for spent, _ in office.history("tokens").values()) == [0, 0]
    assert office.difference() == 0


def test_a_value_with_an_amount_of_its_own_is_known_before_it_spends(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody but one user may spend anything, and elsewhere only one nothing: services know it from the first request
    on, also after a restart; the list still begins with who has used most."""
    each = {"per": ["user_id"], "period": "day", "thresholds": ONLY_ACTUAL, "name": "Each user"}
    refuse = {"policy": {"steps": [{"at_percent": 100, "action": "refuse"}]}}
    office.write(
        {"id": "allowed", "amount": 0, "amounts": {"vip": 100}, "scope": {"team": "a"}, **each, **refuse},
        {"id": "blocked", "amount": 10, "amounts": {"bob": 0}, "scope": {"team": "b"}, **each, **refuse},
    )

    def answers(services: Guard) -> list[bool]:
        asked = [("a", "vip"), ("a", "bob"), ("b", "bob"), ("b", "vip")]
        return [services.decide(Attribution(team=team, user_id=one), "5").allowed for team, one in asked]

    for _ in range(2):
        office.restart()
        with guard(office) as services:
            assert answers(services) == [True, False, False, True]
    booked(office, 4, team="b", user_id="eve")
    line = next(text for text in shown(process, capsys, "list").splitlines() if "blocked" in text)
    assert line.split("\t")[2:5] == ["eve and 1 more", "$4.00", "$10.00"]
    assert sorted(office.history("blocked").values()) == [(Decimal(0), 0), (Decimal(4), 0)]
    assert office.difference() == 0
