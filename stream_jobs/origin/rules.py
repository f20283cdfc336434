"""Which source may correct which, and which must sign. Plain functions; the text of the rules is their version."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Self

from stream_jobs.base.environment import split_list
from stream_jobs.base.errors import ConfigError

_KNOWN_SOURCES: Final = 10_000
"""Names come from messages and may be endless: what is remembered of them is bounded."""


@dataclass(frozen=True, slots=True)
class SenderRules:
    """`correctors` are pairs of patterns: (who corrects, whose entries). `signed` are patterns of sources whose records
    count only with a signature. `anybody`: a block from before there were rules, in which every source could correct
    every other."""

    correctors: tuple[tuple[str, str], ...] = ()
    signed: tuple[str, ...] = ()
    anybody: bool = False
    _must_sign: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, correctors: str, signed: str) -> Self:
        """From the settings. Raises ValueError that says what is wrong."""
        pairs = []
        for part in split_list(correctors):
            corrector, equals, corrected = (piece.strip() for piece in part.partition("="))
            if not equals or not corrector or not corrected or "=" in corrected:
                raise ValueError(f"{part!r} is not corrector=corrected, like billing-backfill=checkout")
            pairs.append((corrector, corrected))
        return cls(tuple(pairs), split_list(signed))

    @property
    def text(self) -> str:
        """What a block keeps of the rules it is computed with. Empty only for blocks from before there were any."""
        if self.anybody:
            return ""
        return json.dumps({"correctors": self.correctors, "signed": self.signed}, ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `text`. Raises ConfigError for a text that this version did not write."""
        if not text:
            return cls(anybody=True)
        try:
            document = json.loads(text)
            pairs = tuple((str(corrector), str(corrected)) for corrector, corrected in document["correctors"])
            return cls(pairs, tuple(map(str, document["signed"])))
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"sender rules that this version does not know: {text[:200]!r} ({error!r})") from None

    def must_sign(self, source: str) -> bool:
        """Whether a record that names this source counts only with a signature."""
        if not self.signed:
            return False
        known = self._must_sign.get(source)
        if known is None:
            if len(self._must_sign) >= _KNOWN_SOURCES:
                self._must_sign.clear()
            known = self._must_sign[source] = matches(source, self.signed)
        return known

    def may_correct(self, source: str, corrected: str) -> bool:
        """Whether a revision from `source` counts against an entry of `corrected`.

        What is protected by a signature gives way only to what is: a permission for a source whose name anybody can
        write would take the protection away.
        """
        if self.anybody or source == corrected:
            return True
        if self.must_sign(corrected) and not self.must_sign(source):
            return False
        return any(fnmatchcase(source, who) and fnmatchcase(corrected, whose) for who, whose in self.correctors)


def matches(source: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(source, pattern) for pattern in patterns)
