"""What the adapter tests share."""

from typing import Any

from spendstream.adapters import ExtractedUsage


def meters(found: ExtractedUsage) -> dict[str, Any]:
    """Exactly the meters that were reported, so that an assertion also sees what must be absent."""
    assert found.usage is not None
    return found.usage.model_dump(exclude_none=True, exclude={"kind"})
