-- One team that may see only its own. Copy this file, replace `search` everywhere by the team's name as it stands in the
-- column `team` of the ledger (`SELECT DISTINCT team FROM spendstream.cost_by_team`), and run it after roles.sql. A reader of
-- several teams gets several of these roles. An entry of another team that is attributed to this one later is seen from
-- then on; what is taken from it leaves two rows behind that add up to nothing.
CREATE ROLE IF NOT EXISTS spendstream_team_search;
GRANT spendstream_team_reader TO spendstream_team_search;

CREATE ROW POLICY IF NOT EXISTS spendstream_team_search
    ON spendstream.ledger, spendstream.cost_1m, spendstream.cost_1h, spendstream.cost_1d, spendstream.operations_1d,
       spendstream.outcomes
    USING team = 'search' TO spendstream_team_search;

-- A person of the team. Nothing else may be granted to her: with a right of her own, `SET ROLE NONE` would leave the team's
-- policies behind and keep the right.
CREATE USER IF NOT EXISTS search_reader IDENTIFIED WITH sha256_password BY 'change me';
GRANT spendstream_team_search TO search_reader;
