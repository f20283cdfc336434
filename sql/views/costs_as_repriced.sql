-- What each event costs and whom it belongs to after all adjustments. Beside costs_as_booked, which has the same columns:
-- the difference of the two is what corrections did. The costs are NULL while the event has no price.
-- The tags are those of the last entry that counts the event: a re-attribution takes it back in one place and books it in
-- another. occurred_at filters quickly.
CREATE OR REPLACE VIEW costs_as_repriced AS
SELECT
    event_id,
    revision,
    occurred_at,
    any(ledger.provider) AS provider,
    any(if(ledger.model = '', ledger.response_model, ledger.model)) AS model,
    argMaxIf(ledger.project, ledger.booked_at, ledger.events > 0) AS project,
    argMaxIf(ledger.environment, ledger.booked_at, ledger.events > 0) AS environment,
    argMaxIf(ledger.cost_center, ledger.booked_at, ledger.events > 0) AS cost_center,
    argMaxIf(ledger.team, ledger.booked_at, ledger.events > 0) AS team,
    argMaxIf(ledger.feature, ledger.booked_at, ledger.events > 0) AS feature,
    argMaxIf(ledger.customer, ledger.booked_at, ledger.events > 0) AS customer,
    argMaxIf(ledger.category, ledger.booked_at, ledger.events > 0) AS category,
    if(sum(ledger.unpriced) > 0, NULL, sum(ledger.list_cost)) AS list_cost,
    if(sum(ledger.unpriced) > 0, NULL, sum(ledger.contracted_cost)) AS contracted_cost,
    if(sum(ledger.unpriced) > 0, NULL, sum(ledger.effective_cost)) AS effective_cost,
    if(sum(ledger.unpriced) > 0, argMaxIf(ledger.unpriced_reason, ledger.booked_at, ledger.events > 0), '')
        AS unpriced_reason,
    argMaxIf(ledger.price_book_version, ledger.booked_at, ledger.events >= 0) AS price_book_version,
    argMaxIf(ledger.attribution_version, ledger.booked_at, ledger.events > 0) AS attribution_version
FROM ledger
GROUP BY
    event_id, revision, occurred_at
HAVING sum(ledger.events) > 0;
