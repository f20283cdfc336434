"""The kinds of synthetic events that are priced on both sides: one meter each, in a tier, above a context length."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

STANDARD: Final = "standard"
TIERS: Final = (STANDARD, "batch", "flex", "priority")
_N: Final = 1000  # units of the meter in an event


@dataclass(frozen=True)
class Probe:
    """An event of one kind: its usage, and which lines of the receipt are what is compared."""

    kind: str
    tier: str
    above: int  # the whole request is longer than this; 0: short
    conditions: tuple[tuple[str, str], ...]
    usd: Decimal | None  # what the counted lines cost by their figures; None: they have none

    @property
    def name(self) -> str:
        """'output, flex, input above 272000, data_residency=eu'."""
        parts = [self.kind, *([self.tier] if self.tier != STANDARD else [])]
        parts += [f"input above {self.above}"] if self.above else []
        return ", ".join([*parts, *(f"{name}={value}" for name, value in self.conditions)])

    @property
    def meters(self) -> frozenset[str]:
        return _KINDS[self.kind][1]

    def usage(self) -> dict[str, Any]:
        """The event's `usage`."""
        filled: dict[str, Any] = {"kind": "tokens"}
        if self.above or self.kind in (*_TOOLS, "request"):
            filled["input_tokens"] = self.above + 1
        if self.kind in ("output", "reasoning"):
            filled |= _ALL_TEXT
        return filled | dict.fromkeys(_KINDS[self.kind][0], self.units)

    def tool_calls(self) -> dict[str, int]:
        """The event's calls of server-side tools; that there was no search, which models that search must say."""
        return {"web_search": 0} | ({_TOOLS[self.kind]: self.units} if self.kind in _TOOLS else {})

    @property
    def units(self) -> int:
        """How many units of its meter the event is of."""
        if self.kind == "request":
            return 1
        return self.above + 1 if self.above and "input_tokens" in _KINDS[self.kind][0] else _N


_TOOLS: Final = {"web_search": "web_search", "maps": "maps_grounding", "code_execution": "code_execution"}
_ALL_TEXT: Final = {f"output_{kind}_tokens": 0 for kind in ("audio", "image", "video")}
"""Models that write other things too have no price for output of which nobody says what it is."""
_INPUT: Final = frozenset({"input_tokens", "input_audio_tokens", "input_image_tokens", "input_video_tokens"})
_OUTPUT: Final = frozenset(
    {"output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens", "output_video_tokens"}
)
_CACHED: Final = frozenset({"cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens"})
_KINDS: Final[dict[str, tuple[tuple[str, ...], frozenset[str]]]] = {
    "input": (("input_tokens",), _INPUT),
    "output": (("output_tokens",), _OUTPUT),
    "reasoning": (("output_tokens", "reasoning_tokens"), _OUTPUT),
    "cache_read": (("input_tokens", "cache_read_tokens"), _CACHED | _INPUT),
    "cache_write": (("input_tokens", "cache_write_tokens"), frozenset({"cache_write_tokens", "input_tokens"})),
    "cache_write_1h": (("input_tokens", "cache_write_1h_tokens"), frozenset({"cache_write_1h_tokens"})),
    "cache_write_12h": (("input_tokens", "cache_write_12h_tokens"), frozenset({"cache_write_12h_tokens"})),
    "input_audio": (("input_tokens", "input_audio_tokens"), _INPUT),
    "output_audio": (("output_tokens", "output_audio_tokens"), _OUTPUT),
    "input_image": (("input_tokens", "input_image_tokens"), _INPUT),
    "output_image": (("output_tokens", "output_image_tokens"), _OUTPUT),
    "input_video": (("input_tokens", "input_video_tokens"), _INPUT),
    "output_video": (("output_tokens", "output_video_tokens"), _OUTPUT),
    "cache_read_audio": (
        ("input_tokens", "cache_read_tokens", "input_audio_tokens", "cache_read_audio_tokens"),
        _CACHED | _INPUT,
    ),
    "cache_read_image": (
        ("input_tokens", "cache_read_tokens", "input_image_tokens", "cache_read_image_tokens"),
        _CACHED | _INPUT,
    ),
    "characters": (("input_characters",), frozenset({"input_characters"})),
    "image": (("output_images",), frozenset({"output_images"})),
    "video_second": (("output_video_seconds",), frozenset({"output_video_seconds"})),
    "audio_second": (("input_audio_seconds",), frozenset({"input_audio_seconds"})),
    "page": (("input_pages",), frozenset({"input_pages"})),
    "query": (("search_units",), frozenset({"search_units"})),
    **{kind: ((), frozenset({f"tool.{tool}"})) for kind, tool in _TOOLS.items()},
    "request": ((), frozenset({"requests"})),
}
"""Kind -> the fields of the usage that are filled, and the lines of the receipt that are compared."""
KINDS: Final = tuple(_KINDS)


def probe(
    kind: str,
    *,
    tier: str = STANDARD,
    above: int = 0,
    usd: Decimal | None = None,
    conditions: Mapping[str, str] | None = None,
) -> Probe:
    """A probe; `usd` is per unit of the meter, the probe's is for all of its units."""
    made = Probe(kind, tier, above, tuple((conditions or {}).items()), None)
    total = None if usd is None else usd * made.units
    return Probe(kind, tier, above, made.conditions, total)
