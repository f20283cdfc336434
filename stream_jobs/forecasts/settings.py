"""SPENDSTREAM_FORECASTS_*: when forecasts are made, and of how much."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from stream_jobs.base.environment import variables
from stream_jobs.base.instants import time_zone
from stream_jobs.forecasts.rest_days import knows


class ForecastsSettings(BaseSettings):
    """Read from the environment."""

    model_config = variables("SPENDSTREAM_FORECASTS_")

    hourly: Annotated[
        bool, Field(description="Whether the next days are forecast by the hour, every hour; requests are always met.")
    ] = True
    daily: Annotated[
        bool, Field(description="Whether the next months are forecast by the day, every day and when the job begins.")
    ] = True
    hours: Annotated[int, Field(ge=1, le=168, description="So many hours ahead.")] = 72
    days: Annotated[
        int,
        Field(ge=1, le=400, description="So many days ahead; to the end of the longest period of a budget at least."),
    ] = 90
    history_hours: Annotated[
        int, Field(ge=48, le=2_400, description="So many hours of the past are looked at for the next hours.")
    ] = 42 * 24
    history_days: Annotated[
        int, Field(ge=14, le=3_660, description="So many days of the past are looked at for the next months.")
    ] = 1_100
    most_values: Annotated[
        int,
        Field(
            ge=1,
            le=1_000,
            description="Most teams, projects, models, providers, features and customers that have a forecast each, by "
            "what they cost of late; all others of a kind have one together. Also the values of a budget per value.",
        ),
    ] = 40
    demand_values: Annotated[
        int,
        Field(
            ge=0,
            le=200,
            description="Most deployments of models whose requests and tokens are forecast, by their requests of late; "
            "as many again by region. 0: none.",
        ),
    ] = 20
    zone: Annotated[
        str, Field(max_length=64, description="Whose days forecasts by the day are; those of budgets follow their own.")
    ] = "UTC"
    country: Annotated[
        str,
        Field(
            max_length=2,
            description="Whose public holidays are expected to be as quiet as Sundays, as ISO 3166 has it: DE. Empty: "
            "nobody's.",
        ),
    ] = ""
    slow_series: Annotated[
        int,
        Field(
            ge=0,
            le=1_000,
            description="Most series of days to which Prophet, ETS, Theta and STL are fitted in one run: the total, "
            "budgets, then those that cost most; from 24 weeks of history on. 0: none, and none of these is loaded.",
        ),
    ] = 40
    slow_run_s: Annotated[
        float,
        Field(
            ge=1,
            le=1_800,
            allow_inf_nan=False,
            description="So long a run fits them, at most half of its limit; then it goes on with what is there, and "
            "the next one with the others. Runs of hours, and who asks for one, wait meanwhile.",
        ),
    ] = 40.0
    slow_fit_s: Annotated[
        float, Field(ge=1, le=600, allow_inf_nan=False, description="A fit that takes longer is killed, and named.")
    ] = 10.0
    slow_workers: Annotated[int, Field(ge=1, le=16, description="So many are fitted at once.")] = 1
    slow_memory_mib: Annotated[
        int,
        Field(ge=64, le=4_096, description="What a fit may ask for, beyond the libraries; one that needs more fails."),
    ] = 256
    grace_s: Annotated[
        float,
        Field(
            ge=0,
            le=3_600,
            allow_inf_nan=False,
            description="How long after it happened usage may reach Kafka; an hour that is over is forecast from then.",
        ),
    ] = 60.0
    stale_after_s: Annotated[
        float,
        Field(
            ge=60,
            le=86_400,
            allow_inf_nan=False,
            description="A forecast that should have been made anew for so long, and was not, is marked as stale.",
        ),
    ] = 900.0
    limit_s: Annotated[
        float,
        Field(
            ge=10,
            le=3_600,
            allow_inf_nan=False,
            description="A run that is not done after so long is given up, and the store refuses what it still sends.",
        ),
    ] = 600.0

    @field_validator("zone")
    @classmethod
    def _there_is_one(cls, name: str) -> str:
        time_zone(name)
        return name

    @field_validator("country")
    @classmethod
    def _has_holidays(cls, name: str) -> str:
        country = name.strip().upper()
        if country and not knows(country):
            raise ValueError(
                f"no holidays are known of a country {name!r}: write its two letters as ISO 3166 has them, such as DE"
            )
        return country
