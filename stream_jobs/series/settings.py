"""SPENDSTREAM_SERIES_*: what can be watched over time beside attribution and models."""

from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from stream_jobs.base.environment import split_list, variables
from stream_jobs.series.measures import MAX_LABELS

MAX_NAME_CHARS: Final = 64


class SeriesSettings(BaseSettings):
    """Read by those who write deltas."""

    model_config = variables("SPENDSTREAM_SERIES_")

    labels: Annotated[
        str,
        Field(
            max_length=4096,
            description="Names of labels that what is announced of each block tells, beside those that budgets look at "
            f"(which come first; at most {MAX_LABELS} in all): experiment,tenant. Labels with more than some hundreds "
            "of values make it as large as the block.",
        ),
    ] = ""

    @field_validator("labels")
    @classmethod
    def _few_labels_with_names(cls, text: str) -> str:
        names = split_list(text)
        if len(names) > MAX_LABELS:
            raise ValueError(f"{len(names)} labels, at most {MAX_LABELS} can be watched")
        if len(set(names)) < len(names):
            raise ValueError("names a label twice")
        for name in names:
            if len(name) > MAX_NAME_CHARS:
                raise ValueError(f"{name[:MAX_NAME_CHARS]!r}... is longer than the name of any label")
        return text

    @property
    def label_names(self) -> tuple[str, ...]:
        """`labels`, one by one."""
        return split_list(self.labels)
