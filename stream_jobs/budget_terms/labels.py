"""The labels that budgets look at: what those who write deltas must tell."""

from typing import Final

from spendstream_schemas.scope import LABEL
from stream_jobs.budget_terms.notes import REFUSED
from stream_jobs.store.client import StoreClient

_QUESTION: Final = """
SELECT DISTINCT arrayJoin(arrayConcat(
    JSONExtractKeys(definition, 'scope'), JSONExtract(definition, 'per', 'Array(String)')
)) AS field
FROM (
    SELECT definition, removed
    FROM budget_definitions
    WHERE NOT startsWith(note, {refused:String})
    ORDER BY budget_id, at DESC
    LIMIT 1 BY budget_id
)
WHERE NOT removed AND startsWith(field, {label:String})
ORDER BY field"""


def labels_in_use(store: StoreClient) -> list[str]:
    """The names of those that the budgets in force, or in force one day, look at. Raises StoreUnavailableError."""
    rows = store.rows(_QUESTION, {"refused": REFUSED, "label": LABEL})
    return [str(field).removeprefix(LABEL) for (field,) in rows]
