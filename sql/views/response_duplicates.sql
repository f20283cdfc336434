-- Calls that were reported twice (same response_id: by two sources, under two names of one provider, or by one source
-- under two event ids): which event was taken back, and which one counts. The costs are what would have been counted
-- twice; NULL prices count as 0. An event that counts after all is not listed.
CREATE OR REPLACE VIEW response_duplicates AS
SELECT
    event_id,
    argMax(finding.source, finding.found_at) AS source,
    argMax(finding.provider, finding.found_at) AS provider,
    argMax(finding.response_id, finding.found_at) AS response_id,
    argMax(finding.kept_event_id, finding.found_at) AS kept_event_id,
    argMax(finding.kept_source, finding.found_at) AS kept_source,
    max(finding.found_at) AS found_at,
    max(finding.revision) AS revision,
    -sumIf(finding.list_cost, finding.revision = latest) AS list_cost,
    -sumIf(finding.contracted_cost, finding.revision = latest) AS contracted_cost,
    -sumIf(finding.effective_cost, finding.revision = latest) AS effective_cost
FROM
(
    SELECT *, max(reconciliation_findings.revision) OVER (PARTITION BY event_id) AS latest
    FROM reconciliation_findings
    WHERE cause NOT IN ('superseded_revision', 'foreign_revision')
) AS finding
GROUP BY event_id
HAVING argMax(finding.cause, finding.found_at) = 'response_id';
