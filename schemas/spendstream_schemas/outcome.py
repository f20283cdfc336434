"""Business value, for unit economics: what a feature or a customer brought in."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from spendstream_schemas.types import (
    Labels,
    Message,
    Quantity,
    Text64,
    Text128,
    Timestamp,
    canonical,
    decimal_schema,
    number_is_plain,
)


class OutcomeEvent(Message):
    """So many things happened for a feature or customer, worth so much (USD, signed: refunds are negative).

    Identity is ``event_id`` alone; ``revision`` corrects it, as of usage.
    """

    schema_version: Literal[1]
    event_id: Text128
    revision: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 0
    occurred_at: Timestamp
    source: Text128
    outcome: Text64  # ticket_resolved, order_placed, document_processed, ...
    quantity: Quantity
    value_usd: (
        Annotated[
            Decimal,
            Field(ge=-(10**15), le=10**15, max_digits=27, decimal_places=12, allow_inf_nan=False),
            BeforeValidator(number_is_plain),
            AfterValidator(canonical),
            decimal_schema(minimum=-(10**15)),
        ]
        | None
    ) = None
    project: Text128 | None = None
    environment: Text128 | None = None
    team: Text128 | None = None
    feature: Text128 | None = None
    customer: Text128 | None = None
    user_id: Text128 | None = None
    trace_id: Text128 | None = None
    labels: Labels | None = None
