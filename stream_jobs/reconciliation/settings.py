"""How reconciliation works: SPENDSTREAM_RECONCILIATION_*."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from stream_jobs.base.environment import split_list, variables


class ReconciliationSettings(BaseSettings):
    """Read from the environment; texts that are lists are separated by commas."""

    model_config = variables("SPENDSTREAM_RECONCILIATION_")

    interval_s: Annotated[
        float,
        Field(ge=0, le=86_400, allow_inf_nan=False, description="How often the job looks; 0 switches the timer off."),
    ] = 60.0
    margin_s: Annotated[
        float,
        Field(
            ge=1,
            le=86_400,
            allow_inf_nan=False,
            description="How far back before the last pass it looks again: more than the clocks of workers differ by.",
        ),
    ] = 30.0
    sources: Annotated[
        str,
        Field(
            description="Whose report counts when several sources report one call (same response_id): "
            "names or patterns of sources, best first, such as *-gateway,checkout. Others come after them."
        ),
    ] = ""
    window_s: Annotated[
        float,
        Field(
            ge=1,
            le=30 * 86_400,
            allow_inf_nan=False,
            description="Reports with one response_id that occurred further apart are not taken for the same call.",
        ),
    ] = 86_400.0
    max_reports: Annotated[
        int,
        Field(
            ge=2,
            le=10_000,
            description="A response_id that more different reports carry than this is no id of one call: all count.",
        ),
    ] = 100
    unreliable_providers: Annotated[
        str, Field(description="Providers whose response_id is not unique; their reports are never compared.")
    ] = "ollama"

    @field_validator("sources")
    @classmethod
    def _patterns_are_not_empty(cls, text: str) -> str:
        if text and not split_list(text):
            raise ValueError("holds no name; write it like *-gateway,checkout")
        return text

    @property
    def source_patterns(self) -> tuple[str, ...]:
        return split_list(self.sources)

    @property
    def excluded_providers(self) -> tuple[str, ...]:
        return tuple(name for part in self.unreliable_providers.split(",") if (name := part.strip()))
