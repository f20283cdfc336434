-- What was found unusual, as it stands: the last version of each finding, with what people last said of it or of another
-- finding of the same cause. dims and vals are the series (both empty: the total); amounts are of the measure, from
-- starts_at to known_until: its end, and while it is open how far its figures go; is_calm: as usual since then, though
-- it is open.
CREATE OR REPLACE VIEW anomalies AS
WITH
    last AS
    (
        SELECT
            *,
            if(group_id = '', finding_id, group_id) AS same_cause
        FROM anomaly_findings
        ORDER BY
            version DESC, at DESC
        LIMIT 1 BY finding_id
    ),
    figured AS
    (
        SELECT
            finding_id,
            min(at) AS since
        FROM anomaly_findings
        INNER JOIN last USING (finding_id, expected, actual)
        GROUP BY finding_id
    ),
    said AS
    (
        SELECT
            same_cause,
            argMax(anomaly_marks.mark, anomaly_marks.at) AS mark,
            argMax(anomaly_marks.note, anomaly_marks.at) AS note,
            argMax(anomaly_marks.by, anomaly_marks.at) AS marked_by,
            max(anomaly_marks.at) AS marked_at
        FROM anomaly_marks
        INNER JOIN last ON last.finding_id = anomaly_marks.finding_id
        GROUP BY same_cause
    )
SELECT
    last.finding_id AS finding_id,
    last.version AS version,
    last.at AS changed_at,
    toString(last.state) AS state,
    last.kind AS kind,
    toString(last.direction) AS direction,
    last.scale AS scale,
    last.measure AS measure,
    last.dims AS dims,
    last.vals AS vals,
    arrayStringConcat(arrayMap((name, value) -> concat(name, '=', value), last.dims, last.vals), ', ') AS series,
    last.starts_at AS starts_at,
    last.detected_at AS detected_at,
    last.ends_at AS ends_at,
    last.expected AS expected,
    last.actual AS actual,
    last.actual - last.expected AS excess,
    last.low AS low,
    last.high AS high,
    last.per_day AS per_day,
    last.score AS score,
    last.severity AS severity,
    coalesce(
        last.ends_at,
        parseDateTime64BestEffortOrNull(JSONExtractString(last.document, 'known_until'), 6, 'UTC'),
        greatest(figured.since, last.detected_at)
    ) AS known_until,
    last.state = 'open' AND JSONHas(last.document, 'went_on_until') AS is_calm,
    last.closing AS closing,
    last.group_id AS group_id,
    last.silenced_by AS silenced_by,
    last.cause AS cause,
    said.mark AS mark,
    said.note AS note,
    said.marked_by AS marked_by,
    if(said.mark = '', NULL, said.marked_at) AS marked_at
FROM last
INNER JOIN figured ON figured.finding_id = last.finding_id
LEFT JOIN said ON said.same_cause = last.same_cause;
