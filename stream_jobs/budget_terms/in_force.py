"""The budgets that count now, for those who only read them: the file, what was set above it, and credits."""

import logging
from datetime import datetime
from pathlib import Path
from typing import cast

from stream_jobs.base.errors import ConfigError
from stream_jobs.budget_terms.control import CONTROL
from stream_jobs.budget_terms.credits import Credits, read_credits
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.notes import REFUSED
from stream_jobs.budget_terms.resolve import Budgets, budget_from_json, load_budgets, merge_fitting
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)


def budgets_in_force(store: StoreClient, config_dir: Path | None, now: datetime) -> Budgets:
    """As the budgets job counts them; nothing is written. What does not fit (any more) is left out, as it is there.
    Raises ConfigError for a budgets.yaml that cannot be used, StoreUnavailableError."""
    file = load_budgets(config_dir).with_credits(Credits(read_credits(store)))
    rows = store.rows(
        "SELECT budget_id, toString(origin), removed, definition FROM budget_definitions "
        "WHERE NOT startsWith(note, {refused:String}) ORDER BY budget_id, at DESC LIMIT 1 BY budget_id",
        {"refused": REFUSED},
    )
    overrides: dict[str, Budget | None] = {}
    for budget_id, origin, removed, definition in cast(list[tuple[str, str, bool, str]], rows):
        if origin == CONTROL:
            try:
                overrides[budget_id] = None if removed else budget_from_json(definition)
            except ConfigError as error:
                log.warning("budget %s, as it was set, cannot be used any more: %s", budget_id, error)
    return merge_fitting(file, overrides, now=now)[0]
