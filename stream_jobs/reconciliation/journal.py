"""What reconciliation is about to post, and what it has posted: the batches, and the report of what was found."""

from typing import Any, cast

from stream_jobs.base.instants import as_utc
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.packed import unpacked
from stream_jobs.reconciliation.findings import Batch
from stream_jobs.reconciliation.runs import Run, Runs
from stream_jobs.store.arrow_stream import encoded
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES, arrow_table, insert


class Journal:
    """reconciliation_batches and reconciliation_findings; a `Journal` of `ledger.posting` for one run."""

    def __init__(self, store: StoreClient, runs: Runs, run: Run) -> None:
        self._store = store
        self._runs = runs
        self._run = run

    def interrupted(self) -> list[Batch]:
        """What earlier runs had planned and not finished."""
        rows = self._store.rows(
            "SELECT batch, turn, at, base64Encode(ledger_rows), base64Encode(finding_rows) FROM reconciliation_batches "
            "WHERE state = 'planned' AND batch NOT IN "
            "(SELECT batch FROM reconciliation_batches WHERE state = 'posted') ORDER BY at, batch",
        )
        findings = TABLES["reconciliation_findings"]
        return [
            Batch(token, int(run), as_utc(at), unpacked(entries, LEDGER_COLUMNS), unpacked(report, findings))
            for token, run, at, entries, report in cast(list[tuple[Any, ...]], rows)
        ]

    def plan(self, plan: Batch) -> Batch:
        """Equal findings are one batch, whoever plans it. Raises LostLeaseError."""
        self.awaits(plan)
        self._write("planned", plan, encoded(plan.entries), encoded(plan.findings))
        return plan

    def awaits(self, _plan: Batch) -> bool:
        """It is, as long as the run has its turn. Raises LostLeaseError when a later run was opened."""
        self._runs.check(self._run, self._store.now())
        return True

    def mark_posted(self, plan: Batch) -> None:
        insert(self._store.client, "reconciliation_findings", plan.findings, plan.token)
        # A crash here, or within the insert above: the next run repeats the batch; its tokens drop what is there.
        self._write("posted", plan, b"", b"")

    def _write(self, state: str, plan: Batch, entries: bytes, findings: bytes) -> None:
        row = {
            "batch": plan.token,
            "turn": plan.run,
            "state": state,
            "at": plan.at,
            "entries": plan.entries.num_rows,
            "ledger_rows": entries,
            "finding_rows": findings,
        }
        rows = arrow_table("reconciliation_batches", [row])
        insert(self._store.client, "reconciliation_batches", rows, f"{plan.token} {state}")
