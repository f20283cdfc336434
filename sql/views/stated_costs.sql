-- What providers say that their calls cost, beside our own cost, per day, provider and served model: which events the
-- price book priced, what they cost by it (contracted) and as stated, and the difference; and which events cost what is
-- stated because the book has no price for them. All entries of an event that states a cost have a stated cost (0 in a
-- correction of the cost alone). Answers from a service's own cache repeat what another call cost, so they are left out.
CREATE OR REPLACE VIEW stated_costs AS
SELECT
    toDate(occurred_at) AS day,
    provider,
    if(response_model = '', model, response_model) AS model_name,
    sumIf(ledger.events, price_model != 'stated') AS compared_events,
    sumIf(ifNull(ledger.contracted_cost, 0), price_model != 'stated') AS our_cost,
    sumIf(ifNull(ledger.stated_cost, 0), price_model != 'stated') AS stated_for_them,
    stated_for_them - our_cost AS difference,
    sumIf(ledger.events, price_model = 'stated') AS only_stated_events,
    sumIf(ifNull(ledger.stated_cost, 0), price_model = 'stated') AS only_stated_cost
FROM ledger
WHERE ledger.stated_cost IS NOT NULL AND NOT cached_response
GROUP BY
    day, provider, model_name
HAVING compared_events != 0 OR only_stated_events != 0;
