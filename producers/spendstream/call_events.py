"""The events of one response: what the service said over what the response says; bad fields are mended."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from spendstream.mending import KNOWN, mended
from spendstream_schemas import UsageEvent

if TYPE_CHECKING:
    from spendstream.adapters import ExtractedUsage

_MENDINGS: Final = 4  # what was put in a bad field's place may lead to another; each time fewer are left


@cache
def adapters() -> Any:
    """Loaded at the first call or by `prepare`; an import statement in each call takes longer than looking here."""
    from spendstream import adapters as found

    return found


def events_of(
    provider: str,
    found: "ExtractedUsage",
    known: Mapping[str, Any],
    said: dict[str, Any],
    say: Callable[[str, str], None],
) -> list[UsageEvent]:
    """The events of what a response says (`found`), with the call's own fields (`known`) and what the service said of
    it, which wins. A field that breaks the contract costs itself alone; `say` is told the kind and the detail.

    Raises AdapterError where not even the call's own fields make an event.
    """
    result = adapters().result
    if found.stated_cost_refused is not None:
        say("stated_cost_refused", found.stated_cost_refused)
    if found.unreadable:
        say("unreadable_response", "; ".join(found.unreadable)[:2000])
    if not KNOWN.issuperset(said):
        unknown = ", ".join(sorted(said.keys() - KNOWN))
        say("invalid_fields", f"unknown field(s) {unknown}")
        said = {name: value for name, value in said.items() if name in KNOWN}
    asked = said
    for _ in range(_MENDINGS):
        try:
            return _events(provider, found, {**known, **said})
        except result.InvalidEventError as error:
            say("invalid_fields", str(error))
            said = mended(said, error.places)
        except result.AdapterError as error:  # conditions that are none
            say("invalid_fields", str(error))
            said = mended(said, [("conditions",)])
    fields = {name: value for name, value in asked.items() if name in ("status", "latency_ms")}
    bare = mended(fields, [("provider",), ("model",), ("event_id",)])
    return _events(provider, result.ExtractedUsage(), {**known, **bare})


def _events(provider: str, found: "ExtractedUsage", fields: dict[str, Any]) -> list[UsageEvent]:
    if "provider" in fields:
        found = replace(found, provider=fields.pop("provider"))
    events: list[UsageEvent] = adapters().usage_events(provider, found, **fields)
    return events
