"""When the data is no longer good enough: SPENDSTREAM_DATA_QUALITY_*."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from stream_jobs.base.environment import variables

_Percent = Annotated[Decimal, Field(ge=0, le=100, allow_inf_nan=False)]
_Usd = Annotated[Decimal, Field(ge=0, le=10**9, decimal_places=12, allow_inf_nan=False)]


class DataQualitySettings(BaseSettings):
    """Read from the environment. A condition holds only if all of its thresholds are passed."""

    model_config = variables("SPENDSTREAM_DATA_QUALITY_")

    interval_s: Annotated[
        float,
        Field(ge=0, le=86_400, allow_inf_nan=False, description="How often the job looks; 0 switches it off."),
    ] = 30.0
    window_s: Annotated[
        int,
        Field(
            ge=60,
            le=7 * 86_400,
            description="How far back it looks for quarantined records, untagged cost and models in use.",
        ),
    ] = 600
    quarantine_percent: Annotated[
        _Percent, Field(description="Of a source's records of the window, at most so many may be in quarantine.")
    ] = Decimal(1)
    quarantine_records: Annotated[
        int, Field(ge=1, le=10**12, description="Fewer records of a source in quarantine than this are no alert.")
    ] = 10
    unpriced_events: Annotated[
        int, Field(ge=1, le=10**12, description="Fewer events of a model without a price than this are no alert.")
    ] = 1
    unpriced_days: Annotated[
        int, Field(ge=1, le=3_660, description="Events without a price that are older than this are no alert.")
    ] = 31
    unpriced_usd_per_event: Annotated[
        _Usd, Field(description="What an event of a model that nobody knows is taken to cost at most.")
    ] = Decimal("1.00")
    unallocated_percent: Annotated[
        _Percent, Field(description="Of the window's cost, at most so much may lack a mandatory tag.")
    ] = Decimal(5)
    unallocated_usd: Annotated[
        _Usd, Field(description="Less cost of the window without a mandatory tag than this is no alert.")
    ] = Decimal(1)
    stated_percent: Annotated[
        _Percent, Field(description="What a provider says its calls cost may differ from our cost by so much of it.")
    ] = Decimal(1)
    stated_usd: Annotated[
        _Usd, Field(description="A difference in the window that is smaller than this is no alert.")
    ] = Decimal("0.01")
    lag_records: Annotated[
        int, Field(ge=1, le=10**12, description="So many records of a partition may wait to be booked.")
    ] = 100_000
    stalled_s: Annotated[
        float,
        Field(
            ge=1,
            le=86_400,
            allow_inf_nan=False,
            description="Booking stands still when records wait and none was booked for so long.",
        ),
    ] = 60.0
    conservation_interval_s: Annotated[
        float,
        Field(
            ge=0,
            le=86_400,
            allow_inf_nan=False,
            description="How often it checks that nothing was lost or doubled, in two hours of the ledger; 0: never.",
        ),
    ] = 120.0
    conservation_hours: Annotated[
        int,
        Field(ge=2, le=24 * 31, description="How long an hour in which something was lost or doubled stays an alert."),
    ] = 24
    price_checked_days: Annotated[
        int,
        Field(
            ge=1,
            le=3_660,
            description="A correction that contradicts genai-prices counts for so long after it was checked.",
        ),
    ] = 90
