-- Findings that are not over, those included of which nobody is told (silenced_by says why): see the view anomalies.
CREATE OR REPLACE VIEW anomalies_open AS
SELECT *
FROM anomalies
WHERE state = 'open';
