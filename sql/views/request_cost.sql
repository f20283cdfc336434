-- What each event costs today: the sum of its entries, adjustments and retractions included. Ask for the most expensive
-- with ORDER BY effective_cost DESC LIMIT n and a time range; costs are NULL while the event has no price, whatever was
-- booked before. An event that was revised is there as its last revision says; one that was taken back is not there. The
-- tags are those of the last entry that counts the event: a re-attribution moves it. All entries of a revision have its time,
-- so that a range of occurred_at reads that range of the ledger and no more.
CREATE OR REPLACE VIEW request_cost AS
SELECT
    event_id,
    ledger.occurred_at AS occurred_at,
    any(ledger.provider) AS provider,
    any(if(ledger.model = '', ledger.response_model, ledger.model)) AS model,
    argMaxIf(ledger.project, ledger.booked_at, ledger.events > 0) AS project,
    argMaxIf(ledger.team, ledger.booked_at, ledger.events > 0) AS team,
    argMaxIf(ledger.feature, ledger.booked_at, ledger.events > 0) AS feature,
    argMaxIf(ledger.customer, ledger.booked_at, ledger.events > 0) AS customer,
    argMaxIf(ledger.user_id, ledger.booked_at, ledger.events > 0) AS user_id,
    any(ledger.session_id) AS session_id,
    if(sum(ledger.unpriced) > 0, NULL, sum(ledger.effective_cost)) AS effective_cost,
    if(sum(ledger.unpriced) > 0, NULL, sum(ledger.list_cost)) AS list_cost,
    sum(ledger.input_tokens) AS input_tokens,
    sum(ledger.output_tokens) AS output_tokens,
    sum(ledger.unpriced) AS unpriced,
    count() AS entries
FROM ledger
GROUP BY
    event_id, revision, occurred_at
HAVING sum(ledger.events) != 0 OR sum(ifNull(ledger.effective_cost, 0)) != 0;
