"""Which model an id means. Strict: an id that merely looks like a known one is unknown.

An id names a model when genai-prices' clauses pick that model *and* the id is one of the literal names in those clauses
(or the model's id), bare or followed by one of the known dated or versioned forms below. So `claude-opus-4-5-20251101`
is known and `claude-opus-4-5-foo` is not, although the clause "starts with claude-opus-4-5" takes both.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from genai_prices import types as genai

from stream_jobs.pricing.base import names_of

_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_YEAR: Final = r"20[1-4]\d"
_DATE: Final = (
    rf"(?:[-@]{_YEAR}-?{_MONTH}-?{_DAY}"  # -2025-04-14, -20250414, @20250414
    rf"|-{_MONTH}-{_DAY}|-{_MONTH}-{_YEAR}"  # Gemini previews: -05-20, -09-2025
    rf"|-{_MONTH}{_DAY}|-[2-3]\d{_MONTH})"  # -0613, and Mistral's year and month: -2411
)
_VERSION: Final = r"(?:-v\d{1,2}(?::\d{1,2})?(?::\d{1,4}k|:mm)?|:\d{1,2}|-00\d|@00\d|@default)"  # Bedrock, Vertex
_SUFFIX: Final = re.compile(rf"(?:{_DATE})?(?:{_VERSION})?")
_PREVIEW_SUFFIX: Final = re.compile(rf"-preview(?:{_DATE})?")
_DATED: Final = re.compile(_DATE)
_GEOGRAPHY: Final = re.compile(r"(?:global|us|us-gov|eu|apac|jp|au|ca|in|sa|me|af|mx|uk|il)\.")
_BEDROCK_PREFIX: Final = re.compile(
    rf"(?:{_GEOGRAPHY.pattern})?"
    r"(?:(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|google|nvidia|writer|moonshotai|moonshot|zai|minimax)\.)?"
)
_PARTIAL_END: Final = re.compile(r"(?:(?<!-\d\d)-20\d\d-?|[-@:])$")
_COMPACT_DATE: Final = re.compile(rf"-({_YEAR})({_MONTH})({_DAY})$")
_AZURE_FINE_TUNE: Final = re.compile(r"\.ft-[0-9a-z-]{1,64}")
PREVIEW_PROVIDERS: Final = frozenset({"google"})
"""Where '<name>-preview-05-06' is the documented way to write a dated preview of <name>."""


def dated_form_of(name: str, ref: str) -> bool:
    """True if `ref` is `name` plus a date: the snapshot that an undated name stood for."""
    return ref.startswith(name) and _DATED.fullmatch(ref, len(name)) is not None


class ProviderIndex:
    """All names of one provider's models, for look-ups that cost the same for known and for invented ids."""

    def __init__(self, provider_id: str, models: Iterable[genai.ModelInfo]) -> None:
        self.provider_id = provider_id
        self._models: dict[str, list[tuple[int, genai.ModelInfo]]] = {}
        self._order = tuple(models)
        for rank, model in enumerate(self._order):
            for name in {stem for text in (model.id.lower(), *names_of(model.match)) for stem in _stems(text)}:
                self._models.setdefault(name, []).append((rank, model))

    def find(self, ref: str) -> genai.ModelInfo | None:
        """The model that the lower-case id `ref` names, or None. Precedence among models is the base data's."""
        for form in (ref, _COMPACT_DATE.sub(r"-\1-\2-\3", ref)):
            candidates = {rank: model for name in self._names_in(form) for rank, model in self._models.get(name, ())}
            matching = next((r for r in sorted(candidates) if candidates[r].is_match(form)), None)
            if matching is not None and self._is_first(matching, form):
                return candidates[matching]
        return None

    def _is_first(self, rank: int, ref: str) -> bool:
        """False if the base data itself would take another model first: then the clauses don't mean this one."""
        return not any(model.is_match(ref) for model in self._order[:rank])

    def _names_in(self, ref: str) -> Iterator[str]:
        """`ref` and every shorter name of which it is a dated, versioned or prefixed form."""
        starts = {0}
        if self.provider_id == "aws":
            ref = ref.rsplit("/", 1)[-1]  # an ARN ends with the id
            starts |= {end for end in range(1, min(len(ref), 32)) if ref[end - 1] == "." and _prefix(ref[:end])}
        for start in sorted(starts):
            for end in range(len(ref), start, -1):
                if self._is_suffix(ref[end:]):
                    yield ref[start:end]

    def _is_suffix(self, text: str) -> bool:
        if not text:
            return True
        if text[0] not in "-@:." or len(text) > 72:
            return False
        return bool(
            _SUFFIX.fullmatch(text)
            or (self.provider_id in PREVIEW_PROVIDERS and _PREVIEW_SUFFIX.fullmatch(text))
            or _AZURE_FINE_TUNE.fullmatch(text)
        )


def without_geography(ref: str) -> str:
    """eu.amazon.nova-pro-v1:0 is amazon.nova-pro-v1:0 in Europe. A global profile is a model of its own."""
    found = _GEOGRAPHY.match(ref)
    return ref if found is None or ref.startswith("global.") else ref[found.end() :]


def _prefix(text: str) -> bool:
    return _BEDROCK_PREFIX.fullmatch(text) is not None


def _stems(text: str) -> Iterator[str]:
    """The name itself, and the name that a clause like 'claude-sonnet-4-2025' or 'claude-sonnet-4@' was cut from."""
    cut = _PARTIAL_END.sub("", text.removesuffix(".ft-"))
    yield cut
    yield cut.removeprefix("regional.")
