-- Nothing vanishes: what became of the records of each topic partition, per hour in which their blocks were fixed.
--
-- received is what the receipts of finished blocks claim; booked, duplicates and quarantined are the rows that are really
-- there, each under the instant of its block (booked_at, seen_at, quarantined_at are the block's fixed_at). So a lost or a
-- doubled row shows, and so does a receipt. difference = received - booked - duplicates - quarantined is 0 or has a name:
--   rows_missing     a receipt claims rows that are not there
--   rows_extra       rows that no receipt claims, or the same row twice
--   receipt_missing  rows between finished blocks that no receipt covers
--   gap              offsets between finished blocks that no receipt covers
--   overlap          offsets that two receipts cover
--   unbalanced       received is not the sum of what the receipt says became of the records
--   ttl_dropped      rows that retention has removed
-- These are no differences: in_flight (offsets taken from Kafka whose block is not finished yet; what still waits in Kafka
-- only 'spendstream conservation' knows), taken_back (copies of a row that reconciliation reversed), superseded (blocks
-- that never became official), no_record (offsets without a record: Kafka's transaction markers, or compaction),
-- before_first (offsets of the partition before the first block).
-- A filter on hour reaches the tables; without one this reads everything.
CREATE OR REPLACE VIEW conservation AS
WITH
    (
        SELECT now() - toIntervalDay(toUInt32OrZero(extract(create_table_query, 'TTL .*toIntervalDay\\((\\d+)\\)')) - 2)
        FROM system.tables
        WHERE database = currentDatabase() AND name = 'ledger' AND create_table_query LIKE '%TTL %'
    ) AS ledger_horizon,
    (
        SELECT now() - toIntervalDay(toUInt32OrZero(extract(create_table_query, 'TTL .*toIntervalDay\\((\\d+)\\)')) - 2)
        FROM system.tables
        WHERE database = currentDatabase() AND name = 'quarantine' AND create_table_query LIKE '%TTL %'
    ) AS quarantine_horizon,
    finished AS
    (
        SELECT
            topic, topic_id, partition, first_offset, last_offset,
            any(block_receipts.received) AS received,
            any(block_receipts.booked) AS claimed_booked,
            any(block_receipts.duplicates) AS claimed_duplicates,
            any(block_receipts.quarantined) AS claimed_quarantined,
            min(completed_at) AS completed
        FROM block_receipts
        GROUP BY topic, topic_id, partition, first_offset, last_offset
    ),
    fixed AS
    (
        -- Of rows with the same range the one of the highest generation is official: see last_block in
        -- stream_jobs/blocks/store.py.
        SELECT
            topic, topic_id, partition, first_offset, last_offset,
            argMax(fixed_at, (generation, fixed_at)) AS fixed_last
        FROM blocks
        GROUP BY topic, topic_id, partition, first_offset, last_offset
    ),
    tiled AS
    (
        SELECT
            *,
            max(last_offset + 1) OVER earlier AS expected,
            count() OVER earlier = 0 AS is_first
        FROM finished
        WINDOW earlier AS
        (
            PARTITION BY topic_id, partition ORDER BY first_offset, last_offset
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ),
    ends AS
    (
        SELECT
            topic_id, partition,
            max(last_offset + 1) AS finished_to,
            groupArrayIf((expected, first_offset), NOT is_first AND first_offset > expected) AS holes
        FROM tiled
        GROUP BY topic_id, partition
    ),
    facts AS
    (
        SELECT
            tiled.topic AS topic, tiled.topic_id AS topic_id, tiled.partition AS partition,
            if(fixed.fixed_last = toDateTime64(0, 6, 'UTC'), completed, fixed.fixed_last) AS instant,
            1 AS finished_blocks, 0 AS other_blocks, first_offset, last_offset,
            received, claimed_booked, claimed_duplicates, claimed_quarantined,
            if(NOT is_first AND first_offset > expected, first_offset - expected, 0) AS gap,
            if(NOT is_first AND first_offset < expected, least(expected, last_offset + 1) - first_offset, 0) AS overlap,
            if(is_first, first_offset, 0) AS before_first,
            0 AS booked, 0 AS duplicates, 0 AS quarantined, toInt64(0) AS copies, toInt64(0) AS offset_sum
        FROM tiled
        LEFT JOIN fixed USING (topic, topic_id, partition, first_offset, last_offset)
        UNION ALL
        SELECT topic, topic_id, partition, fixed_last, 0, 1, first_offset, last_offset, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM fixed
        WHERE (topic, topic_id, partition, first_offset, last_offset) NOT IN
            (SELECT topic, topic_id, partition, first_offset, last_offset FROM block_receipts)
        UNION ALL
        SELECT
            '', topic_id, partition, booked_at, 0, 0, min(offset), max(offset), 0, 0, 0, 0, 0, 0, 0,
            count(), 0, 0, 0, toInt64(sum(offset))
        FROM ledger
        WHERE entry_kind = 'charge'
        GROUP BY topic_id, partition, booked_at
        UNION ALL
        SELECT
            '', topic_id, partition, booked_at, 0, 0, min(offset), max(offset), 0, 0, 0, 0, 0, 0, 0,
            count(), 0, 0, 0, toInt64(sum(offset))
        FROM outcomes
        WHERE entry_kind = 'charge'
        GROUP BY topic_id, partition, booked_at
        UNION ALL
        SELECT
            any(duplicates.topic), topic_id, partition, seen_at, 0, 0, min(offset), max(offset), 0, 0, 0, 0, 0, 0, 0,
            0, count(), 0, 0, toInt64(sum(offset))
        FROM duplicates
        GROUP BY topic_id, partition, seen_at
        UNION ALL
        SELECT
            any(quarantine.topic), topic_id, partition, quarantined_at, 0, 0, min(offset), max(offset), 0, 0, 0, 0, 0, 0, 0,
            0, 0, count(), 0, toInt64(sum(offset))
        FROM quarantine
        GROUP BY topic_id, partition, quarantined_at
        UNION ALL
        SELECT
            '', topic_id, partition, copies_booked_at, 0, 0, min(offset), max(offset), 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, sum(reconciliation_findings.copies), -sum(offset * reconciliation_findings.copies)
        FROM reconciliation_findings
        WHERE reconciliation_findings.copies != 0
        GROUP BY topic_id, partition, copies_booked_at
    ),
    accounts AS
    (
        SELECT
            max(facts.topic) AS topic, topic_id, partition, instant,
            sum(finished_blocks) > 0 AS done,
            sum(other_blocks) > 0 AS intended,  -- written before any row of it
            min(first_offset) AS lowest,
            max(last_offset) AS highest,
            sum(facts.received) AS received,
            toInt64(sum(facts.booked)) - sum(facts.copies) AS booked,
            toInt64(sum(facts.duplicates)) AS duplicates,
            toInt64(sum(facts.quarantined)) AS quarantined,
            sum(facts.copies) AS copies,
            sum(facts.gap) AS gap,
            sum(facts.overlap) AS overlap,
            sum(facts.before_first) AS before_first,
            booked + duplicates + quarantined AS present,
            toInt64(sum(claimed_booked)) - booked AS short_booked,
            toInt64(sum(claimed_duplicates)) - duplicates AS short_duplicates,
            toInt64(sum(claimed_quarantined)) - quarantined AS short_quarantined,
            greatest(short_booked, 0) + greatest(short_duplicates, 0) + greatest(short_quarantined, 0) AS absent,
            greatest(-short_booked, 0) + greatest(-short_duplicates, 0) + greatest(-short_quarantined, 0) AS surplus,
            multiIf(instant < ledger_horizon, absent, instant < quarantine_horizon, greatest(short_quarantined, 0), 0) AS dropped,
            -- One row gone and another there twice leave the number as it was, but not the sum of the offsets.
            absent = 0 AND surplus = 0 AND facts_received = highest - lowest + 1
                AND toInt64(sum(offset_sum)) != intDiv((lowest + highest) * facts_received, 2) AS swapped,
            sum(facts.received) AS facts_received,
            toInt64(facts_received) - toInt64(sum(claimed_booked) + sum(claimed_duplicates) + sum(claimed_quarantined))
                AS unbalanced
        FROM facts
        GROUP BY topic_id, partition, instant
    )
SELECT
    max(accounts.topic) AS topic,
    topic_id,
    partition,
    toStartOfHour(instant) AS hour,
    countIf(done) AS blocks,
    sumIf(accounts.received, done) AS received,
    sumIf(accounts.booked, done) AS booked,
    sumIf(accounts.duplicates, done) AS duplicates,
    sumIf(accounts.quarantined, done) AS quarantined,
    maxIf(highest + 1 - finished_to, waiting) AS in_flight,
    toInt64(received) - booked - duplicates - quarantined AS difference,
    sumIf(absent - dropped + swapped, done) AS rows_missing,
    sumIf(surplus + swapped, done)
        + sumIf(present, NOT done AND NOT waiting AND NOT in_hole) AS rows_extra,
    sumIf(present, NOT done AND NOT waiting AND in_hole) AS receipt_missing,
    sum(accounts.gap) AS gap,
    sum(accounts.overlap) AS overlap,
    sumIf(abs(accounts.unbalanced), done) AS unbalanced,
    sumIf(dropped, done) AS ttl_dropped,
    sum(copies) AS taken_back,
    countIf(intended AND NOT done AND NOT waiting AND present = 0) AS superseded,
    sumIf(highest - lowest + 1 - accounts.received, done) AS no_record,
    sum(accounts.before_first) AS before_first
FROM
(
    SELECT
        accounts.*,
        ends.finished_to AS finished_to,
        NOT accounts.done AND accounts.intended AND accounts.lowest >= ends.finished_to AS waiting,
        arrayExists(hole -> accounts.lowest < hole.2 AND accounts.highest >= hole.1, ends.holes) AS in_hole
    FROM accounts
    LEFT JOIN ends USING (topic_id, partition)
) AS accounts
GROUP BY topic_id, partition, hour;
