-- received = booked + duplicates + quarantined, per topic partition; difference must be 0.
SELECT
    topic,
    topic_id,
    partition,
    sum(receipt.received) AS received,
    sum(receipt.booked) AS booked,
    sum(receipt.duplicates) AS duplicates,
    sum(receipt.quarantined) AS quarantined,
    toInt64(received) - toInt64(booked + duplicates + quarantined) AS difference
FROM
(
    -- A redo of a block writes its receipt again: one per range counts.
    SELECT topic, topic_id, partition, first_offset, last_offset,
        any(received) AS received, any(booked) AS booked, any(duplicates) AS duplicates, any(quarantined) AS quarantined
    FROM block_receipts
    GROUP BY topic, topic_id, partition, first_offset, last_offset
) AS receipt
GROUP BY
    topic, topic_id, partition
ORDER BY
    topic, partition;
