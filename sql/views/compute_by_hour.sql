-- Compute, spread over the hours that it ran: an entry of a job of ten hours is ten rows, one that does not say how long is
-- one. An hour's amount is what the entry comes to until the hour's end less what it comes to until its beginning, so the
-- hours add up to the entry to the last digit, corrections included.
-- The ledger, its rollups and the budgets have a job's cost at the instant when it began; here it is when it ran. Hours are
-- of UTC: days of a zone that is off by half an hour begin within one, and `spendstream figures show --spread` cuts there.
-- Ask a range of hours together with a range of occurred_at that begins 31 days before, the longest that a job runs:
-- that is what the ledger is ordered by.
CREATE OR REPLACE VIEW compute_by_hour AS
WITH
    greatest(hour_number * 3600000000, began_us) - began_us AS since_us,
    least((hour_number + 1) * 3600000000, began_us + whole_us) - began_us AS until_us
SELECT
    toDateTime(hour_number * 3600, 'UTC') AS hour,
    entry.event_id AS event_id,
    entry.entry_kind AS entry_kind,
    entry.occurred_at AS occurred_at,
    entry.source AS source,
    entry.provider AS provider,
    entry.region AS region,
    entry.accelerator AS accelerator,
    entry.accelerator_count AS accelerator_count,
    entry.instance_type AS instance_type,
    entry.purchase_option AS purchase_option,
    entry.category AS category,
    entry.project AS project,
    entry.environment AS environment,
    entry.team AS team,
    entry.feature AS feature,
    entry.customer AS customer,
    entry.labels AS labels,
    entry.unpriced_reason AS unpriced_reason,
    if(entry.duration_s IS NULL, NULL, toDecimal64(until_us - since_us, 6) / 1000000) AS seconds,
    if(hour_number = first_hour, entry.events, 0) AS events,
    if(hour_number = first_hour, entry.unpriced, 0) AS unpriced,
    prorate(entry.gpu_seconds, until_us, whole_us) - prorate(entry.gpu_seconds, since_us, whole_us) AS gpu_seconds,
    prorate(entry.busy_gpu_seconds, until_us, whole_us)
        - prorate(entry.busy_gpu_seconds, since_us, whole_us) AS busy_gpu_seconds,
    prorate(entry.cpu_seconds, until_us, whole_us) - prorate(entry.cpu_seconds, since_us, whole_us) AS cpu_seconds,
    prorate(entry.busy_cpu_seconds, until_us, whole_us)
        - prorate(entry.busy_cpu_seconds, since_us, whole_us) AS busy_cpu_seconds,
    prorate(entry.list_cost, until_us, whole_us) - prorate(entry.list_cost, since_us, whole_us) AS list_cost,
    prorate(entry.contracted_cost, until_us, whole_us)
        - prorate(entry.contracted_cost, since_us, whole_us) AS contracted_cost,
    prorate(entry.effective_cost, until_us, whole_us)
        - prorate(entry.effective_cost, since_us, whole_us) AS effective_cost
FROM
(
    SELECT
        *,
        toUnixTimestamp64Micro(ledger.occurred_at) AS began_us,
        greatest(toInt64(ifNull(ledger.duration_s, 0) * 1000000), 1) AS whole_us,
        intDiv(began_us, 3600000000) AS first_hour,
        range(toUInt64(first_hour), toUInt64(intDiv(began_us + whole_us - 1, 3600000000) + 1)) AS hours
    FROM ledger
    WHERE kind = 'compute'
) AS entry
ARRAY JOIN arrayMap(number -> toInt64(number), hours) AS hour_number;
