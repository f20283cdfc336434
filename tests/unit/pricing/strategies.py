"""Random usages, conditions and instants for every model of the base data."""

from datetime import UTC, datetime, timedelta
from typing import Any

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot
from hypothesis import strategies as st

from spendstream_schemas import UsageEvent
from tests.unit.pricing.events import event


def equal_names(clause: Any) -> list[str]:
    """The ids that a match clause names in full."""
    children = [*(getattr(clause, "or_", None) or ()), *(getattr(clause, "and_", None) or ())]
    own = [clause.equals.lower()] if isinstance(clause, genai.ClauseEquals) else []
    return own + [name for child in children for name in equal_names(child)]


IDS = sorted(
    {
        (provider.id, name)
        for provider in get_snapshot().providers
        for model in provider.models
        for name in (model.id.lower(), *equal_names(model.match))
        if len(name) <= 128 and not name.endswith("-") and provider.find_model(name) is not None
    }
)
"""(provider, id) of every id that the base data names in full."""
VARIED = [(provider, name) for provider, name in IDS if provider in ("openai", "anthropic", "google", "mistral", "aws")]
"""Where tiers, modalities and cliffs are."""
_LIFETIMES: list[tuple[str, ...]] = [
    (),
    ("cache_write_tokens",),
    ("cache_write_5m_tokens", "cache_write_1h_tokens"),
    ("cache_write_30m_tokens",),
]
_KINDS = ("audio", "image", "video")


def boundaries() -> list[datetime]:
    """Every instant at which some base price starts."""
    found: set[datetime] = set()
    for provider in get_snapshot().providers:
        for model in provider.models:
            dated = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
            for item in dated:
                if isinstance(item.constraint, genai.StartDateConstraint):
                    start = item.constraint.start_date
                    found.add(datetime(start.year, start.month, start.day, tzinfo=UTC))
    return sorted(found)


instants = st.one_of(
    st.datetimes(datetime(2021, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive
    st.sampled_from(boundaries()).flatmap(
        lambda start: st.sampled_from([start, start - timedelta(microseconds=1), start + timedelta(hours=5)])
    ),
)
sizes = st.one_of(
    st.integers(0, 50),
    st.integers(0, 2_000_000),
    st.sampled_from([b + d for b in (100_000, 128_000, 200_000, 256_000, 272_000, 512_000) for d in (-1, 0, 1)]),
)


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any]:
    """Token usage whose parts fit their wholes, mostly plain text, sometimes of several modalities or other meters."""
    used: dict[str, Any] = {"kind": "tokens", "input_tokens": draw(sizes), "output_tokens": draw(sizes)}
    lifetimes = draw(st.sampled_from([*_LIFETIMES, (), ()]))
    _take(draw, used, used["input_tokens"], ("cache_read_tokens", *lifetimes))
    _take(draw, used, used["output_tokens"], ("reasoning_tokens",))
    if draw(st.integers(0, 4)) == 4:
        _take(draw, used, used["input_tokens"], tuple(f"input_{kind}_tokens" for kind in _KINDS))
        _take(draw, used, used["output_tokens"], tuple(f"output_{kind}_tokens" for kind in _KINDS))
        cached = used.get("cache_read_tokens", 0)
        for kind in _KINDS:
            whole = min(cached, used.get(f"input_{kind}_tokens", 0))
            if whole and draw(st.booleans()):
                used[f"cache_read_{kind}_tokens"] = draw(st.integers(0, whole))
                cached -= used[f"cache_read_{kind}_tokens"]
    if draw(st.integers(0, 9)) == 9:
        used = {"kind": "tokens"}
        for meter in draw(st.sampled_from([("input_characters",), ("input_audio_seconds",), ("input_pages",), ()])):
            used[meter] = draw(st.integers(0, 100_000))
        if "input_pages" in used and draw(st.booleans()):
            used["input_annotated_pages"] = draw(st.integers(0, used["input_pages"]))
    return used


def _take(draw: st.DrawFn, used: dict[str, Any], whole: int, parts: tuple[str, ...]) -> None:
    """Cut some disjoint parts out of a whole."""
    for part in parts:
        if whole and draw(st.integers(0, 2)) == 0:
            used[part] = draw(st.integers(0, whole))
            whole -= used[part]


@st.composite
def events(draw: st.DrawFn) -> UsageEvent:
    """An event about a model of the base data, under its own id."""
    provider, model = draw(st.sampled_from(draw(st.sampled_from([IDS, VARIED, VARIED]))))
    tiers = [*[None] * 9, "batch", "batch", "flex", "priority"]
    fields: dict[str, Any] = {"service_tier": draw(st.sampled_from(tiers))}
    if draw(st.integers(0, 9)) == 9:
        fields["conditions"] = {"speed": draw(st.sampled_from(["fast", "standard"]))}
    if draw(st.integers(0, 4)) == 4:
        fields["tool_calls"] = {draw(st.sampled_from(["web_search", "file_search"])): draw(st.integers(0, 1000))}
    return event(draw(usages()), provider=provider, at=draw(instants), model=model, **fields)
