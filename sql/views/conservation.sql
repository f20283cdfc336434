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
-- A filter on hour reaches the tables; without one this reads everything, in the memory of any other question: what does
-- not fit is grouped and sorted on disk, so nothing here may join two long tables or keep a list of all blocks.
--   receipts, intentions  the two tables of blocks; stream_jobs/conservation/portions.py narrows them, and nothing else
--   irregular  receipts that do not begin where those before them end: few
--   ranges     a row per range of offsets, of its receipt, its intention and where it is irregular
--   accounts   a row per block, of its range and of the rows that bear its instant
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
    receipts AS (SELECT * FROM block_receipts),
    intentions AS (SELECT * FROM blocks),
    names AS
    (
        SELECT topic_id, max(known.topic) AS topic
        FROM
        (
            SELECT topic_id, topic FROM receipts
            UNION ALL
            SELECT topic_id, topic FROM intentions
            UNION ALL
            SELECT topic_id, topic FROM duplicates
            UNION ALL
            SELECT topic_id, topic FROM quarantine
        ) AS known
        GROUP BY topic_id
    ),
    ends AS
    (
        SELECT topic_id, partition, max(last_offset + 1) AS finished_to
        FROM receipts
        GROUP BY topic_id, partition
    ),
    -- A running maximum keeps all rows that it runs over, so it runs over the receipts of one stretch of offsets, and
    -- over the stretches.
    stretches AS
    (
        SELECT topic_id, partition, stretch, max(ended) OVER earlier AS expected
        FROM
        (
            SELECT topic_id, partition, intDiv(first_offset, 262144) AS stretch, max(last_offset + 1) AS ended
            FROM receipts
            GROUP BY topic_id, partition, stretch
        )
        WINDOW earlier AS
            (PARTITION BY topic_id, partition ORDER BY stretch ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    irregular AS
    (
        SELECT
            topic_id, partition, first_offset, last_offset,
            greatest(tiles.expected, stretches.expected) AS expected_offset,  -- 0: the first of its partition
            toUInt64(if(expected_offset > 0 AND first_offset > expected_offset, first_offset - expected_offset, 0)) AS gap,
            toUInt64(if(first_offset < expected_offset, least(expected_offset, last_offset + 1) - first_offset, 0)) AS overlap,
            toUInt64(if(expected_offset = 0, first_offset, 0)) AS before_first
        FROM
        (
            SELECT
                topic_id, partition, first_offset, last_offset, intDiv(first_offset, 262144) AS stretch,
                max(last_offset + 1) OVER earlier AS expected,
                last_value(first_offset) OVER earlier = first_offset AND last_value(last_offset) OVER earlier = last_offset
                    AND expected > 0 AS repeated  -- a redo of a block writes its receipt again
            FROM receipts
            WINDOW earlier AS
            (
                PARTITION BY topic_id, partition, intDiv(first_offset, 262144) ORDER BY first_offset, last_offset
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        ) AS tiles
        INNER JOIN stretches USING (topic_id, partition, stretch)
        WHERE NOT repeated AND first_offset != expected_offset
    ),
    ranges AS
    (
        -- Of rows with the same range the one of the highest generation is official: see last_block in
        -- stream_jobs/blocks/store.py.
        SELECT
            topic_id, partition, first_offset, last_offset,
            max(is_receipt) AS finished,
            argMaxIf(at, bitShiftLeft(toInt128(generation), 64) + toUnixTimestamp64Micro(at), is_block) AS fixed_last,
            if(max(is_block), fixed_last, minIf(at, is_receipt)) AS instant,
            max(parts.received) AS received,
            max(parts.claimed_booked) AS claimed_booked,
            max(parts.claimed_duplicates) AS claimed_duplicates,
            max(parts.claimed_quarantined) AS claimed_quarantined,
            max(parts.gap) AS gap,
            max(parts.overlap) AS overlap,
            max(parts.before_first) AS before_first
        FROM
        (
            SELECT
                topic_id, partition, first_offset, last_offset, completed_at AS at, 0 AS generation,
                true AS is_receipt, false AS is_block, received, booked AS claimed_booked,
                duplicates AS claimed_duplicates, quarantined AS claimed_quarantined,
                toUInt64(0) AS gap, toUInt64(0) AS overlap, toUInt64(0) AS before_first
            FROM receipts
            UNION ALL
            SELECT
                topic_id, partition, first_offset, last_offset, fixed_at, generation, false, true, 0, 0, 0, 0, 0, 0, 0
            FROM intentions
            UNION ALL
            SELECT
                topic_id, partition, first_offset, last_offset, toDateTime64(0, 6, 'UTC'), 0, false, false, 0, 0, 0, 0,
                gap, overlap, before_first
            FROM irregular
        ) AS parts
        GROUP BY topic_id, partition, first_offset, last_offset
    ),
    facts AS
    (
        SELECT
            topic_id, partition, instant, toUInt64(finished) AS finished_blocks, toUInt64(NOT finished) AS other_blocks,
            first_offset, last_offset, received, claimed_booked, claimed_duplicates, claimed_quarantined, gap, overlap,
            before_first, toUInt64(0) AS booked, toUInt64(0) AS duplicates, toUInt64(0) AS quarantined,
            toInt64(0) AS copies, toInt64(0) AS offset_sum
        FROM ranges
        UNION ALL
        SELECT
            topic_id, partition, booked_at, 0, 0, offset, offset, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, toInt64(offset)
        FROM ledger
        WHERE entry_kind = 'charge'
        UNION ALL
        SELECT
            topic_id, partition, booked_at, 0, 0, offset, offset, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, toInt64(offset)
        FROM outcomes
        WHERE entry_kind = 'charge'
        UNION ALL
        SELECT
            topic_id, partition, seen_at, 0, 0, offset, offset, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, toInt64(offset)
        FROM duplicates
        UNION ALL
        SELECT
            topic_id, partition, quarantined_at, 0, 0, offset, offset, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, toInt64(offset)
        FROM quarantine
        UNION ALL
        SELECT
            topic_id, partition, copies_booked_at, 0, 0, offset, offset, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            findings.copies, -toInt64(offset) * findings.copies
        FROM reconciliation_findings AS findings
        WHERE findings.copies != 0
    ),
    accounts AS
    (
        SELECT
            topic_id, partition, instant,
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
    any(accounts.topic) AS topic,
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
        accounts.topic_id AS topic_id, accounts.partition AS partition,
        names.topic AS topic,
        ends.finished_to AS finished_to,
        NOT accounts.done AND accounts.intended AND accounts.lowest >= ends.finished_to AS waiting,
        accounts.lowest < holes.ended AS in_hole  -- the last hole that begins before the account ends
    FROM accounts
    LEFT JOIN names USING (topic_id)
    LEFT JOIN ends USING (topic_id, partition)
    ASOF LEFT JOIN
    (
        SELECT topic_id, partition, expected_offset AS began, first_offset AS ended
        FROM irregular
        WHERE gap > 0
    ) AS holes ON accounts.topic_id = holes.topic_id AND accounts.partition = holes.partition AND accounts.highest >= holes.began
) AS accounts
GROUP BY topic_id, partition, hour
SETTINGS max_bytes_before_external_group_by = 268435456, max_bytes_before_external_sort = 134217728;
