"""SPENDSTREAM_ANOMALIES_*: what is watched for anomalies, and when a minute is judged."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from stream_jobs.base.environment import split_list, variables
from stream_jobs.series.measures import is_dimension

LEVELS: Final = ("provider", "model", "team", "project", "feature", "customer", "user_id")
"""What is watched by itself, beside the total."""
MAX_PAIRS: Final = 8
MAX_TOGETHER: Final = 3


class AnomaliesSettings(BaseSettings):
    """Read from the environment."""

    model_config = variables("SPENDSTREAM_ANOMALIES_")

    max_series: Annotated[
        int,
        Field(
            ge=10,
            le=100_000,
            description="Most series that are watched. Beyond it the least important are not: users first, then what "
            "has spent and asked least of late. Each takes about 4 KB of memory.",
        ),
    ] = 10_000
    pairs: Annotated[
        str,
        Field(
            max_length=4096,
            description="Values that are watched together, beside the total and every provider, model, team, project, "
            f"feature, customer and user: team+model,customer+feature. At most {MAX_PAIRS}.",
        ),
    ] = ""
    grace_s: Annotated[
        float,
        Field(
            ge=1,
            le=3_600,
            allow_inf_nan=False,
            description="How long after its end a minute waits for what happened in it to reach Kafka. What comes "
            "later is late: it changes findings, and where it may change what was concluded, the minutes are judged "
            "again.",
        ),
    ] = 20.0
    patience_s: Annotated[
        float,
        Field(
            ge=60,
            le=86_400,
            allow_inf_nan=False,
            description="How long a minute waits for records that are in Kafka and not booked. After that nobody knows "
            "what the minute held: it is neither a drop nor learned from.",
        ),
    ] = 3_600.0
    snapshot_s: Annotated[
        float,
        Field(
            ge=60,
            le=86_400,
            allow_inf_nan=False,
            description="How often what is learned is written to ClickHouse. A restart reads that and the entries "
            "booked since.",
        ),
    ] = 1_800.0
    history_days: Annotated[
        int,
        Field(ge=0, le=370, description="Where nothing is learned yet, so many days of the ledger are learned from."),
    ] = 42

    false_alerts_per_week: Annotated[
        float,
        Field(
            ge=0.01,
            le=1_000,
            allow_inf_nan=False,
            description="Of the whole installation: how often people may be told of what is nothing. The more series "
            "are watched, and the less one has spent, the more surprising it must be.",
        ),
    ] = 2.0
    floor_usd: Annotated[
        Decimal,
        Field(
            ge=0,
            le=10**9,
            max_digits=27,
            decimal_places=12,
            allow_inf_nan=False,
            description="What has cost less than this more or less than expected, and would within a day if it holds "
            "(which it must have done for five minutes), is recorded and told to nobody.",
        ),
    ] = Decimal(1)
    quiet: Annotated[
        str,
        Field(
            max_length=4096,
            description="Levels whose findings are recorded and told to nobody, unless others have the same cause: "
            "user_id,team+model.",
        ),
    ] = ""

    @field_validator("quiet")
    @classmethod
    def _quiet_of_dimensions(cls, text: str) -> str:
        for level in split_list(text):
            if not all(map(is_dimension, _together(level))):
                raise ValueError(f"{level[:80]!r}: there are {', '.join(LEVELS)} and others, with + between them")
        return text

    @field_validator("pairs")
    @classmethod
    def _of_dimensions(cls, text: str) -> str:
        pairs = [_together(pair) for pair in split_list(text)]
        if len(pairs) > MAX_PAIRS:
            raise ValueError(f"{len(pairs)} of them, at most {MAX_PAIRS} are watched")
        if len({frozenset(pair) for pair in pairs}) < len(pairs):
            raise ValueError("names one twice")
        for pair in pairs:
            if not 2 <= len(set(pair)) == len(pair) <= MAX_TOGETHER or not all(map(is_dimension, pair)):
                raise ValueError(
                    f"{'+'.join(pair)[:80]!r}: write two or three different dimensions with + between them, such as "
                    f"team+model; there are {', '.join(LEVELS)} and others, and labels as labels.NAME"
                )
        return text

    @property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The dimensions of each kind of series: of the total none."""
        return ((), *((name,) for name in LEVELS), *(_together(pair) for pair in split_list(self.pairs)))

    @property
    def quiet_levels(self) -> frozenset[tuple[str, ...]]:
        """The dimensions of those series that nobody is told of."""
        return frozenset(_together(level) for level in split_list(self.quiet))


def _together(pair: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in pair.split("+"))
