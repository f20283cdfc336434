-- What people said of findings: real, or expected. Kept with who, when and why.
--
-- Rows are added and never changed: of one finding the last mark counts. Few in years, so neither partitions nor a TTL.
-- ORDER BY the time: the job asks for what was marked since it last looked, and for what still has an effect.
CREATE TABLE IF NOT EXISTS anomaly_marks
(
    finding_id String COMMENT 'as in anomaly_findings; what is said of it holds for all findings of its cause',
    mark LowCardinality(String) COMMENT 'real or expected',
    note String,
    by String COMMENT 'who said so',
    at DateTime64(6, 'UTC') COMMENT 'by the store''s clock'
)
ENGINE = MergeTree
ORDER BY (at, finding_id)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;
