"""Scores of what people expected, in ClickHouse: how far they were off by now, and how far the model was."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.forecasting.overrides import OverrideScore
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

_PLACES: Final = Decimal(1).scaleb(-12)


def write_scores(
    store: StoreClient, scores: Mapping[str, OverrideScore], at: datetime, token: str, not_after: datetime | None = None
) -> None:
    """By the override's id; each replaces the one of before. Those of whose time nothing is over are left out. Raises
    StoreUnavailableError, and LateInsertError after `not_after`."""
    rows = [
        {
            "override_id": override_id,
            "scored_at": at,
            "part": _exact(score.part),
            "came": _exact(score.came),
            "override": _exact(score.override),
            "model": None if score.model is None else _exact(score.model),
        }
        for override_id, score in scores.items()
        if score.over
    ]
    table = arrow_table("forecast_override_scores", rows)
    insert(store.client, "forecast_override_scores", table, token, not_after)


def read_scores(store: StoreClient) -> dict[str, tuple[float, Decimal, Decimal, Decimal | None]]:
    """By the override's id: the part of the time that is over, what came in it, what the person had said of it, and the
    model. Raises StoreUnavailableError."""
    rows = store.rows("SELECT override_id, part, came, override, model FROM forecast_override_scores FINAL")
    return {str(row[0]): (float(row[1]), row[2], row[3], row[4]) for row in cast(list[tuple[Any, ...]], rows)}


def _exact(amount: float) -> Decimal:
    """A statistic: of its digits twelve places are kept."""
    return Decimal(repr(amount)).quantize(_PLACES)
