"""Notifications as the alerts job makes them, for tests of whoever sends or shows them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from spendstream_schemas.alert_feed import Fact
from stream_jobs.alerts.notification import AlertView, Notification

STARTED_AT = datetime(2026, 11, 26, 2, 51, 7, 123456, tzinfo=UTC)
UPDATED_AT = datetime(2026, 11, 26, 3, 2, 9, tzinfo=UTC)

BUDGET_ALERT = AlertView(
    alert_id="budget/search-monthly/2026-11/threshold",
    kind="budget",
    name="BudgetThreshold",
    status="open",
    severity="error",
    summary="Team search has spent 92 % of its budget for November",
    starts_at=STARTED_AT,
    updated_at=UPDATED_AT,
    money_usd=Decimal("1234.567000000001"),
    level=90,
    labels={"team": "search", "model": "gpt-4o"},
    facts=(
        Fact(name="Spent", text="$9,234.57 of $10,000"),
        Fact(name="Until", text="2026-12-01 00:00 UTC"),
    ),
    causes=("gpt-4o in feature answers: $4,100 more than last month",),
    action="Ask the owner, or raise the budget: spendstream budgets show search-monthly",
    link="https://grafana.example.com/d/budgets?var-budget=search-monthly&kiosk",
    owner="alice@example.com",
)

TRIGGER = Notification(
    key="oncall/search-monthly/1",
    group_id="search-monthly#1",
    revision=1,
    action="trigger",
    severity="error",
    change="90 % crossed",
    alerts=(BUDGET_ALERT,),
    open_alerts=1,
    resolved_alerts=0,
    money_usd=BUDGET_ALERT.money_usd,
    started_at=STARTED_AT,
    updated_at=UPDATED_AT,
    labels={"team": "search", "model": "gpt-4o"},
)
UPDATE = replace(
    TRIGGER,
    key="oncall/search-monthly/2",
    revision=2,
    action="update",
    severity="critical",
    change="100 % crossed",
    alerts=(replace(BUDGET_ALERT, severity="critical", level=100),),
)
ACKNOWLEDGE = replace(
    UPDATE,
    key="oncall/search-monthly/3",
    revision=3,
    action="acknowledge",
    change="acknowledged by bob",
    alerts=(replace(UPDATE.alerts[0], status="acknowledged", acknowledged_by="bob"),),
)
RESOLVE = replace(
    ACKNOWLEDGE,
    key="oncall/search-monthly/4",
    revision=4,
    action="resolve",
    change="resolved",
    alerts=(
        replace(
            ACKNOWLEDGE.alerts[0],
            status="resolved",
            resolved_at=UPDATED_AT,
            resolution="The budget was raised to $20,000",
        ),
    ),
    open_alerts=0,
    resolved_alerts=1,
)
LIFE = (TRIGGER, UPDATE, ACKNOWLEDGE, RESOLVE)
"""The states of one group, in order."""


def big_group(total: int = 100_000) -> Notification:
    """Many alerts, of which ten are spelled out."""
    alerts = tuple(
        replace(BUDGET_ALERT, alert_id=f"budget/{number}", summary=f"Team team-{number} has spent 92 % of its budget")
        for number in range(10)
    )
    return replace(
        TRIGGER, key="oncall/big/1", alerts=alerts, open_alerts=total, money_usd=Decimal(total) * 1000, labels={}
    )


HOSTILE = "x</b>\r\nBcc: evil@example.com\x00\u202e <!channel> <https://evil.example|here> & \ud83d é😀"
"""What a label can hold if somebody means harm."""


def hostile() -> Notification:
    """Every text of it is hostile, and as long as the contract allows, or longer."""
    text = HOSTILE * 30
    alert = replace(
        BUDGET_ALERT,
        summary=text[:300],
        labels={f"label-{number}": text[:256] for number in range(32)},
        facts=tuple(Fact(name=f"fact {number}", text=text[:1000].replace("\ud83d", "")) for number in range(24)),
        causes=tuple(text[:1000] for _ in range(8)),
        action=text[:1000],
        owner=text[:128],
        acknowledged_by=text[:128],
        link="https://example.com/?a=1&b=%22%3E|<script>",
    )
    return replace(
        TRIGGER,
        key="oncall/hostile/1",
        group_id="hostile",
        alerts=(alert,) * 10,
        open_alerts=2_000_000,
        change=text[:100],
        labels=dict(alert.labels),
        action="update",
    )
