"""Which model an id means. Strict: an id that merely looks like a known one is unknown.

An id names a model when genai-prices' clauses pick that model *and* the id is one of the literal names in those clauses
(or the model's id), bare or followed by one of the known dated or versioned forms below. So `claude-opus-4-5-20251101`
is known and `claude-opus-4-5-foo` is not, although the clause "starts with claude-opus-4-5" takes both.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from genai_prices import types as genai

from stream_jobs.pricing.base import names_of

_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_YEAR: Final = r"20[1-4]\d"
_FULL_DATE: Final = rf"[-@]{_YEAR}-?{_MONTH}-?{_DAY}"  # -2025-04-14, -20250414, @20250414
_SHORT_DATES: Final = {
    "month-day": rf"-{_MONTH}-{_DAY}",  # -05-20
    "month-year": rf"-{_MONTH}-{_YEAR}",  # -08-2024
    "monthday": rf"-{_MONTH}{_DAY}",  # -0613
    "yearmonth": rf"-[2-3]\d{_MONTH}",  # -2411
}
_SHORT_DATES_OF: Final = {
    "google": ("month-day", "month-year"),
    "cohere": ("month-year",),
    "mistral": ("yearmonth",),
    "openai": ("monthday",),
    "azure": ("monthday", "month-year", "yearmonth"),  # it sells OpenAI's, Cohere's and Mistral's models
    "x-ai": ("monthday",),
    "moonshotai": ("monthday",),
}
"""How a provider writes dates beside the full ones; a form that it never writes is an invented id."""
_VERSION_OF: Final = {
    "aws": r"(?:-v(?P<major>\d{1,2})(?::(?P<minor>\d{1,2}))?(?::\d{1,4}k|:mm)?|:(?P<revision>\d{1,2}))",
    "google": r"(?:[-@]00[12]|@default)",
    "anthropic": r"@default",  # Claude on Vertex
}
_OWN_VERSION: Final = re.compile(r"-v(\d{1,2})(?::(\d{1,2}))?(?=$|:)")
_ANY_DATE: Final = "|".join([_FULL_DATE, *_SHORT_DATES.values()])
_PREVIEW_SUFFIX: Final = re.compile(rf"-preview(?:{_ANY_DATE})?")
_DATED: Final = re.compile(rf"(?:{_ANY_DATE})")
_GEOGRAPHY: Final = re.compile(r"(?:global|us|us-gov|eu|apac|jp|au|ca|in|sa|me|af|mx|uk|il)\.")
_BEDROCK_PREFIX: Final = re.compile(
    rf"(?:{_GEOGRAPHY.pattern})?"
    r"(?:(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|google|nvidia|writer|moonshotai|moonshot|zai|minimax)\.)?"
)
_OWNERS: Final = re.compile(r"^(?:[a-z][a-z0-9-]*\.)+(?=[a-z])")
_ENDING: Final = re.compile(rf"(?:{_FULL_DATE})?(?:{'|'.join(_VERSION_OF.values())})?$")
_PARTIAL_END: Final = re.compile(r"(?:(?<!-\d\d)-20\d\d-?|[-@:])$")
_COMPACT_DATE: Final = re.compile(rf"-({_YEAR})({_MONTH})({_DAY})$")
_AZURE_FINE_TUNE: Final = re.compile(r"\.ft-[0-9a-z-]{1,64}")
MAX_FOUND: Final = 256
"""Ids of a provider that are kept with what they mean: one is asked for several times in a row."""
PREVIEW_PROVIDERS: Final = frozenset({"google"})
"""Where '<name>-preview-05-06' is the documented way to write a dated preview of <name>."""


def dated_form_of(name: str, ref: str) -> bool:
    """True if `ref` is `name` plus a date: the snapshot that an undated name stood for."""
    return ref.startswith(name) and _DATED.fullmatch(ref, len(name)) is not None


class ProviderIndex:
    """All names of one provider's models, for look-ups that cost the same for known and for invented ids."""

    def __init__(self, provider_id: str, models: Iterable[genai.ModelInfo]) -> None:
        self.provider_id = provider_id
        self._suffix = _suffix_of(provider_id)
        self._models: dict[str, list[tuple[int, genai.ModelInfo]]] = {}
        self.find = lru_cache(MAX_FOUND)(self._find)
        """The model that the lower-case id `ref` names, or None. Precedence among models is the base data's."""
        self._order = tuple(models)
        for rank, model in enumerate(self._order):
            for name in {stem for text in (model.id.lower(), *names_of(model.match)) for stem in _stems(text)}:
                self._models.setdefault(name, []).append((rank, model))

    def names(self, model: str) -> list[str]:
        """The names under which a model is looked for."""
        return sorted(name for name, found in self._models.items() if any(one.id.lower() == model for _, one in found))

    def _find(self, ref: str) -> genai.ModelInfo | None:
        for form in (ref, _COMPACT_DATE.sub(r"-\1-\2-\3", ref)):
            candidates = {
                rank: model
                for name, version in self._names_in(form)
                for rank, model in self._models.get(name, ())
                if not version or _is_version(model.id.lower(), name, version)
            }
            matching = next((r for r in sorted(candidates) if candidates[r].is_match(form)), None)
            if matching is not None and self._is_first(matching, form):
                return candidates[matching]
        return None

    def _is_first(self, rank: int, ref: str) -> bool:
        """False if the base data itself would take another model first: then the clauses don't mean this one."""
        return not any(model.is_match(ref) for model in self._order[:rank])

    def _names_in(self, ref: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """`ref` and every shorter name of which it is a dated, versioned or prefixed form, with the version it says."""
        starts = {0}
        if self.provider_id == "aws":
            starts |= {end for end in range(1, min(len(ref), 32)) if ref[end - 1] == "." and _prefix(ref[:end])}
        for start in sorted(starts):
            for end in range(len(ref), start, -1):
                if (version := self._version_in(ref[end:])) is not None:
                    yield ref[start:end], version

    def _version_in(self, text: str) -> Mapping[str, str] | None:
        """The parts of the version that an ending says (none, if it says none); None if its form is not known."""
        if not text:
            return {}
        if text[0] not in "-@:." or len(text) > 72:
            return None
        if found := self._suffix.fullmatch(text):
            return {part: said for part, said in found.groupdict().items() if said is not None}
        known = _AZURE_FINE_TUNE.fullmatch(text) or (
            self.provider_id in PREVIEW_PROVIDERS and _PREVIEW_SUFFIX.fullmatch(text)
        )
        return {} if known else None


def _suffix_of(provider: str) -> re.Pattern[str]:
    """Dates and versions as the provider writes them."""
    dates = "|".join([_FULL_DATE, *(_SHORT_DATES[form] for form in _SHORT_DATES_OF.get(provider, ()))])
    version = f"(?:{_VERSION_OF[provider]})?" if provider in _VERSION_OF else ""
    return re.compile(rf"(?:{dates})?{version}")


def _is_version(model_id: str, name: str, said: Mapping[str, str]) -> bool:
    """True if what follows the name is the version of the model's own id; an id without one is of the first."""
    if "revision" in said:  # the name has its version up to the colon
        return ":" not in name and said["revision"] == (model_id.partition(":")[2] or "0")
    own = _OWN_VERSION.search(model_id)
    major, minor = (own[1], own[2] or "0") if own is not None else ("1", "0")
    return _OWN_VERSION.search(name) is None and said["major"] == major and said.get("minor", minor) == minor


def without_geography(ref: str) -> str:
    """eu.amazon.nova-pro-v1:0 is amazon.nova-pro-v1:0 in Europe. A global profile is a model of its own."""
    found = _GEOGRAPHY.match(ref)
    return ref if found is None or ref.startswith("global.") else ref[found.end() :]


def bare(name: str) -> str:
    """A lower-case name without geography, maker, day and version, whoever writes them.

    `eu.anthropic.claude-x-v1:0` and `claude-x@20260205` are both `claude-x`: it tells whether two names may mean one
    model, never what one costs.
    """
    return _ENDING.sub("", _OWNERS.sub("", name))


def _prefix(text: str) -> bool:
    return _BEDROCK_PREFIX.fullmatch(text) is not None


def _stems(text: str) -> Iterator[str]:
    """The name itself, and the name that a clause like 'claude-sonnet-4-2025' or 'claude-sonnet-4@' was cut from."""
    cut = _PARTIAL_END.sub("", text.removesuffix(".ft-"))
    yield cut
    yield cut.removeprefix("regional.")
