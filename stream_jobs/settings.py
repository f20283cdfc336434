"""Settings of the application: each package's own, and those of the jobs together, checked at once at start.

See base/environment.py for how they are read. Secrets can come from files: SPENDSTREAM_KAFKA_SASL_PASSWORD_FILE.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.base.environment import PREFIX, from_environment, prefix_of, variables
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import folder_of, is_folder
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.embedded.settings import EmbeddedSettings
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.origin.settings import OriginSettings
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.runtime.browsers.names import parse_patterns
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import LOOPBACK
from stream_jobs.series.settings import SeriesSettings
from stream_jobs.store.retention import RetentionSettings
from stream_jobs.store.settings import ClickHouseSettings

SDK_VARIABLES: Final = frozenset(
    PREFIX + name
    for name in (
        "SOURCE",
        "MEMORY_MAX_EVENTS",
        "MEMORY_MAX_BYTES",
        "SPOOL_DIR",
        "SPOOL_MAX_BYTES",
        "SPOOL_SEGMENT_BYTES",
        "DURABLE",
        "DELIVERY_TIMEOUT_S",
        "CLOSE_TIMEOUT_S",
        "LINGER_MS",
        "SIGNING_KEY",
        "SIGNING_KEY_FILE",
        "SIGNING_KEY_ID",
    )
)
"""Variables that only the producer in the services reads; they are no typos here."""
_TYPO_CUTOFF: Final = 0.8
DEFAULT_LIMITS: Final = BookerLimits()


class PipelineSettings(BaseSettings):
    """How the jobs work."""

    model_config = variables(PREFIX)

    data_dir: Annotated[
        Path,
        Field(description="Folder of the embedded mode, and of what a worker keeps for a restart."),
    ] = Path(".spendstream")
    config_dir: Annotated[
        Path | None,
        Field(
            description="Folder with attribution.yaml, budgets.yaml, currencies.yaml, events.yaml, alerts.yaml, "
            "overlays/, rate_cards/ and corrections/. Default: config in the data folder, if there is one."
        ),
    ] = None
    max_block_rows: Annotated[
        int, Field(ge=1, le=1_000_000, description="Most events that one insert into the ledger carries.")
    ] = DEFAULT_LIMITS.max_block_rows
    max_block_bytes: Annotated[
        int,
        Field(ge=65_536, le=1_073_741_824, description="Most bytes that the events of one insert have, as messages."),
    ] = DEFAULT_LIMITS.max_block_bytes
    max_queued_records: Annotated[
        int,
        Field(ge=1, le=10_000_000, description="Records that wait in a worker's memory before it stops reading."),
    ] = DEFAULT_LIMITS.max_queued_records
    max_queued_bytes: Annotated[
        int,
        Field(ge=65_536, le=8_589_934_592, description="Bytes that wait so, keys and values of all partitions."),
    ] = DEFAULT_LIMITS.max_queued_bytes
    future_tolerance_s: Annotated[
        float,
        Field(ge=0, le=86_400, allow_inf_nan=False, description="How far ahead of our clock an event may claim to be."),
    ] = 300.0
    session_timeout_s: Annotated[
        float,
        Field(
            ge=1,
            le=1_800,
            allow_inf_nan=False,
            description="A worker that Kafka has not heard of for this long loses its partitions.",
        ),
    ] = 30.0
    held_up_after_s: Annotated[
        float,
        Field(
            ge=1,
            le=3_600,
            allow_inf_nan=False,
            description="Seconds without a booked block, while records wait, after which /readyz says no.",
        ),
    ] = 10.0
    http_host: Annotated[
        str,
        Field(min_length=1, description="Address that /healthz, /readyz and /metrics listen on; 0.0.0.0 for probes."),
    ] = LOOPBACK
    http_allowed_hosts: Annotated[
        str,
        Field(
            description="Names by which /healthz, /readyz and /metrics may be asked for, beside the address, names "
            "without a dot and those that public DNS does not hold: metrics.example.com,*.prod.example.com; * for any."
        ),
    ] = ""
    http_port: Annotated[
        int, Field(ge=0, le=65_535, description="Port of /healthz, /readyz and /metrics; 0 takes a free one.")
    ] = 0
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="DEBUG, INFO, WARNING or ERROR.")
    ] = "INFO"

    @field_validator("http_allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, value: str) -> str:
        parse_patterns(value)
        return value

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """`http_allowed_hosts`, one by one."""
        return parse_patterns(self.http_allowed_hosts)

    @field_validator("data_dir", "config_dir")
    @classmethod
    def _of_somebody(cls, path: Path | None) -> Path | None:
        return path if path is None else folder_of(path)

    @model_validator(mode="after")
    def _find_config_dir(self) -> Self:
        if self.config_dir is None and is_folder(self.data_dir / "config"):
            object.__setattr__(self, "config_dir", self.data_dir / "config")
        elif self.config_dir is not None and not is_folder(self.config_dir):
            raise ValueError(f"config_dir: {self.config_dir} is not a folder")
        return self


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the application."""

    kafka: KafkaSettings
    clickhouse: ClickHouseSettings
    pipeline: PipelineSettings
    retention: RetentionSettings
    origin: OriginSettings
    series: SeriesSettings
    reconciliation: ReconciliationSettings
    data_quality: DataQualitySettings
    anomalies: AnomaliesSettings
    forecasts: ForecastsSettings
    embedded: EmbeddedSettings

    def groups(self) -> list[BaseSettings]:
        """One by one."""
        return [getattr(self, name) for name in GROUPS]


GROUPS: Final[Mapping[str, type[BaseSettings]]] = {
    "pipeline": PipelineSettings,
    "kafka": KafkaSettings,
    "clickhouse": ClickHouseSettings,
    "retention": RetentionSettings,
    "origin": OriginSettings,
    "series": SeriesSettings,
    "reconciliation": ReconciliationSettings,
    "data_quality": DataQualitySettings,
    "anomalies": AnomaliesSettings,
    "forecasts": ForecastsSettings,
    "embedded": EmbeddedSettings,
}


def load_settings() -> Settings:
    """Everything from the environment. Raises ConfigError with every problem of every group at once."""
    problems: list[str] = []
    groups: dict[str, Any] = {}
    for name, group in GROUPS.items():
        try:
            groups[name] = from_environment(group)
        except ConfigError as error:
            problems += error.problems
    problems += unknown_variables(os.environ)[0]
    if problems:
        raise ConfigError(problems)
    return Settings(**groups)


def known_variables() -> frozenset[str]:
    """Every variable that means something, to the application or to the SDK."""
    ours = {prefix_of(group) + field.upper() for group in GROUPS.values() for field in group.model_fields}
    return SDK_VARIABLES | ours


def unknown_variables(environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """SPENDSTREAM_* variables that nothing reads: (problems: those that look like a typo, warnings: the others)."""
    problems, warnings = [], []
    known = sorted(known_variables())
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_TYPO_CUTOFF)
        # All names share the prefix, so it says nothing about how alike two of them are.
        if nearest and _alike(name.upper(), nearest[0]):
            problems.append(f"{name}: there is no such setting; did you mean {nearest[0]}?")
        else:
            warnings.append(f"{name}: nothing reads this variable")
    return problems, warnings


def _alike(name: str, other: str) -> bool:
    matcher = difflib.SequenceMatcher(None, name.removeprefix(PREFIX), other.removeprefix(PREFIX))
    return matcher.ratio() >= _TYPO_CUTOFF
