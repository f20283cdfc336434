-- Quarantined messages that nobody has sent again yet.
CREATE OR REPLACE VIEW quarantine_open AS
SELECT *
FROM quarantine
WHERE (topic_id, partition, offset) NOT IN
(
    SELECT topic_id, partition, offset
    FROM quarantine_replays
);
