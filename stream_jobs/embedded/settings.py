"""Bounds of the embedded mode: what it keeps in memory and how much it logs."""

from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings

from stream_jobs.base.environment import variables

MIB: Final = 1024 * 1024


class EmbeddedSettings(BaseSettings):
    """Read from SPENDSTREAM_EMBEDDED_*."""

    model_config = variables("SPENDSTREAM_EMBEDDED_")

    broker_max_records: Annotated[
        int,
        Field(
            ge=1_000,
            description="Records that the broker in memory takes before an empty one takes its place. While the full "
            "one is booked to its end there are two of them; when both are full, producers are held out.",
        ),
    ] = 500_000
    broker_max_mib: Annotated[
        int,
        Field(ge=64, le=65_536, description="The same in MiB of the broker's memory; what is reached first counts."),
    ] = 256
    log_max_mib: Annotated[
        int, Field(ge=1, le=10_240, description="Size of a log file in the data folder at which a new one begins.")
    ] = 16
    log_files: Annotated[
        int, Field(ge=1, le=100, description="Log files kept of each process, the one in use included.")
    ] = 4

    @property
    def broker_max_bytes(self) -> int:
        return self.broker_max_mib * MIB

    @property
    def log_max_bytes(self) -> int:
        return self.log_max_mib * MIB
