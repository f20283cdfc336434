"""Why the catalogues differ, and which models are looked at singly: data in YAML beside this file."""

import re
from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from stream_jobs.pricing.yaml_models import load_model
from tests.benchmarks.catalogue.compare import Found

EXPLANATIONS: Final = Path(__file__).with_name("explanations.yaml")
POPULAR: Final = Path(__file__).with_name("popular.yaml")
_GEOGRAPHY: Final = re.compile(r"(?:global|us|us-gov|eu|apac|jp|au|in|ca)\.")
_SNAPSHOT: Final = re.compile(
    r"(?:[-@]20\d\d-?\d\d-?\d\d|@default|-\d{4})?(?:-v\d{1,2})?(?::\d{1,2}|-1:0|-v\d{1,2}:\d{1,2})?"
)
Patterns = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class Explanation(BaseModel):
    """Disagreements of one cause: those of these providers, models and probes (shell patterns) by this factor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    providers: Patterns
    names: Patterns = ["*"]  # of their entries, lower case
    probes: Patterns = ["*"]
    free: bool | None = None  # true: only where their figure is 0
    cause: Annotated[str, Field(min_length=1)]  # the same words for the same cause: it is what is counted
    right: Literal["ours", "theirs", "open"]
    source: Annotated[str, Field(min_length=1)]
    checked: date
    reason: str = ""

    def covers(self, found: Found) -> bool:
        if self.free is not None and self.free != (found.probe.usd == 0):
            return False
        return (
            _any(self.providers, found.row.provider)
            and _any(self.names, found.row.name.lower())
            and _any(self.probes, found.probe.name)
        )


class Explanations(BaseModel):
    """The whole of explanations.yaml; the first that covers a disagreement is its explanation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    explanations: list[Explanation]

    def of(self, found: Found) -> Explanation | None:
        return next((one for one in self.explanations if one.covers(found)), None)

    def unused(self, disagreements: Sequence[Found]) -> list[Explanation]:
        """Those that explain nothing any more: to be deleted."""
        used = {id(self.of(found)) for found in disagreements}
        return [one for one in self.explanations if id(one) not in used]


class Popular(BaseModel):
    """The models that are looked at singly: provider -> ids without date, version and geography."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, list[str]]

    def lists(self, found: Found) -> bool:
        """True for an entry about one of the models, as any snapshot in any place."""
        own = _GEOGRAPHY.sub("", found.row.model.lower(), count=1)
        return any(
            own.startswith(name) and _SNAPSHOT.fullmatch(own, len(name)) is not None
            for name in self.models.get(found.row.provider, ())
        )


def load(explanations: Path = EXPLANATIONS, popular: Path = POPULAR) -> tuple[Explanations, Popular]:
    """Both files. Raises ConfigError with every problem."""
    return load_model(Explanations, explanations), load_model(Popular, popular)


def _any(patterns: Sequence[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
