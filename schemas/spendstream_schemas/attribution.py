"""Who a cost belongs to, and what it was for."""

from typing import Final

from spendstream_schemas.types import Labels, Message, Text128

MANDATORY_TAGS: Final = ("project", "environment", "cost_center", "workload_type")
"""Without one of these a cost is booked as unallocated. (The model is mandatory too, where there is one.)"""
RECOMMENDED_TAGS: Final = ("team", "owner", "budget_code")


class Attribution(Message):
    """All fields are optional on the wire: what is missing is filled by rules, and else measured as unallocated."""

    project: Text128 | None = None
    environment: Text128 | None = None
    cost_center: Text128 | None = None
    workload_type: Text128 | None = None  # inference, training, fine_tuning, evaluation, experiment, ...
    team: Text128 | None = None
    owner: Text128 | None = None
    budget_code: Text128 | None = None
    feature: Text128 | None = None
    customer: Text128 | None = None
    user_id: Text128 | None = None  # may be an HMAC: see spendstream.pseudonymize
    labels: Labels | None = None


ATTRIBUTION_FIELDS: Final = tuple(name for name in Attribution.model_fields if name != "labels")
