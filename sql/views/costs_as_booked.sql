-- What each event was booked with: its charge, as if nothing had been re-priced or re-attributed since. An event that was
-- revised is there with its last revision; one that was taken back altogether is not there. occurred_at filters quickly.
CREATE OR REPLACE VIEW costs_as_booked AS
SELECT
    event_id,
    revision,
    occurred_at,
    anyIf(ledger.provider, ledger.entry_kind = 'charge') AS provider,
    anyIf(if(ledger.model = '', ledger.response_model, ledger.model), ledger.entry_kind = 'charge') AS model,
    anyIf(ledger.project, ledger.entry_kind = 'charge') AS project,
    anyIf(ledger.environment, ledger.entry_kind = 'charge') AS environment,
    anyIf(ledger.cost_center, ledger.entry_kind = 'charge') AS cost_center,
    anyIf(ledger.team, ledger.entry_kind = 'charge') AS team,
    anyIf(ledger.feature, ledger.entry_kind = 'charge') AS feature,
    anyIf(ledger.customer, ledger.entry_kind = 'charge') AS customer,
    anyIf(ledger.category, ledger.entry_kind = 'charge') AS category,
    anyIf(ledger.list_cost, ledger.entry_kind = 'charge') AS list_cost,
    anyIf(ledger.contracted_cost, ledger.entry_kind = 'charge') AS contracted_cost,
    anyIf(ledger.effective_cost, ledger.entry_kind = 'charge') AS effective_cost,
    anyIf(ledger.unpriced_reason, ledger.entry_kind = 'charge') AS unpriced_reason,
    anyIf(ledger.price_book_version, ledger.entry_kind = 'charge') AS price_book_version,
    anyIf(ledger.attribution_version, ledger.entry_kind = 'charge') AS attribution_version
FROM ledger
GROUP BY
    event_id, revision, occurred_at
HAVING sum(ledger.events) > 0;
