-- Who may do what on a ClickHouse server. Run it once as an administrator, before `spendstream migrate`, and again after
-- every upgrade: each statement may be repeated. Users are given roles and nothing else; teams that may see only their own
-- are added with team.example.sql.
CREATE DATABASE IF NOT EXISTS spendstream;

CREATE ROLE IF NOT EXISTS
    spendstream_owner, spendstream_booking, spendstream_watching, spendstream_operator, spendstream_analyst,
    spendstream_team_reader;

-- `spendstream migrate`: makes tables and views, and sets how long rows are kept. The materialized views that feed the
-- rollups run with its rights.
GRANT SELECT, INSERT, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP VIEW, ALTER ON spendstream.* TO spendstream_owner;

-- `spendstream worker metering outcomes`: appends and asks; nobody who books can change or delete what is booked.
GRANT SELECT ON spendstream.* TO spendstream_booking;
GRANT INSERT ON spendstream.ledger TO spendstream_booking;
GRANT INSERT ON spendstream.outcomes TO spendstream_booking;
GRANT INSERT ON spendstream.blocks TO spendstream_booking;
GRANT INSERT ON spendstream.block_receipts TO spendstream_booking;
GRANT INSERT ON spendstream.duplicates TO spendstream_booking;
GRANT INSERT ON spendstream.quarantine TO spendstream_booking;
GRANT INSERT ON spendstream.price_book_versions TO spendstream_booking;
GRANT INSERT ON spendstream.attribution_versions TO spendstream_booking;
GRANT INSERT ON spendstream.prices TO spendstream_booking;
GRANT INSERT ON spendstream.long_calls TO spendstream_booking;

-- `spendstream worker reconciliation budgets alerts anomalies data_quality forecasts`: reconciliation posts retractions to the ledger.
GRANT SELECT ON spendstream.* TO spendstream_watching;
GRANT INSERT ON spendstream.ledger TO spendstream_watching;
GRANT INSERT ON spendstream.response_ids TO spendstream_watching;
GRANT INSERT ON spendstream.reconciliation_runs TO spendstream_watching;
GRANT INSERT ON spendstream.reconciliation_batches TO spendstream_watching;
GRANT INSERT ON spendstream.reconciliation_findings TO spendstream_watching;
GRANT INSERT ON spendstream.budget_definitions TO spendstream_watching;
GRANT INSERT ON spendstream.budget_credits TO spendstream_watching;
GRANT INSERT ON spendstream.budget_crossings TO spendstream_watching;
GRANT INSERT ON spendstream.budget_periods TO spendstream_watching;
GRANT INSERT ON spendstream.alert_events TO spendstream_watching;
GRANT INSERT ON spendstream.alert_deliveries TO spendstream_watching;
GRANT INSERT ON spendstream.alert_silences TO spendstream_watching;
GRANT INSERT ON spendstream.anomaly_findings TO spendstream_watching;
GRANT INSERT ON spendstream.anomaly_scores TO spendstream_watching;
GRANT INSERT ON spendstream.anomaly_states TO spendstream_watching;
GRANT INSERT ON spendstream.forecast_runs TO spendstream_watching;
GRANT INSERT ON spendstream.forecasts TO spendstream_watching;
GRANT INSERT ON spendstream.forecast_series TO spendstream_watching;
GRANT INSERT ON spendstream.forecast_drivers TO spendstream_watching;
GRANT INSERT ON spendstream.forecast_scores TO spendstream_watching;
GRANT INSERT ON spendstream.budget_forecasts TO spendstream_watching;
GRANT INSERT ON spendstream.forecast_override_scores TO spendstream_watching;

-- People who correct: `spendstream reprice`, `reattribute`, `reconcile`, `quarantine replay`, `anomalies mark`, `forecast set`,
-- and who wants a forecast now.
GRANT SELECT ON spendstream.* TO spendstream_operator;
GRANT INSERT ON spendstream.ledger TO spendstream_operator;
GRANT INSERT ON spendstream.adjustment_runs TO spendstream_operator;
GRANT INSERT ON spendstream.adjustment_chunks TO spendstream_operator;
GRANT INSERT ON spendstream.quarantine_replays TO spendstream_operator;
GRANT INSERT ON spendstream.response_ids TO spendstream_operator;
GRANT INSERT ON spendstream.reconciliation_runs TO spendstream_operator;
GRANT INSERT ON spendstream.reconciliation_batches TO spendstream_operator;
GRANT INSERT ON spendstream.reconciliation_findings TO spendstream_operator;
GRANT INSERT ON spendstream.anomaly_marks TO spendstream_operator;
GRANT INSERT ON spendstream.forecast_runs TO spendstream_operator;
GRANT INSERT ON spendstream.forecast_overrides TO spendstream_operator;

-- People and dashboards who may see everything: `spendstream query`, `report`, Grafana.
GRANT SELECT ON spendstream.* TO spendstream_analyst;

-- What all teams have in common. Only what is named here: a table that is new, or that holds more than one team's facts in a
-- row (quarantine, budgets, alerts, runs of corrections), is closed to teams until somebody opens it. Never grant the
-- materialized views (`*_feed`): reading one of them reads its table past the table's row policies.
GRANT SELECT ON spendstream.ledger TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_1m TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_1h TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_1d TO spendstream_team_reader;
GRANT SELECT ON spendstream.operations_1d TO spendstream_team_reader;
GRANT SELECT ON spendstream.outcomes TO spendstream_team_reader;
-- Views ask with the rights, and the row policies, of who asks them.
GRANT SELECT ON spendstream.cache_hit_rate TO spendstream_team_reader;
GRANT SELECT ON spendstream.compute_by_hour TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_by_category TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_by_customer TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_by_feature TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_by_model TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_by_project TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_by_team TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_by_user TO spendstream_team_reader;
GRANT SELECT ON spendstream.cost_stack TO spendstream_team_reader;
GRANT SELECT ON spendstream.costs_as_booked TO spendstream_team_reader;
GRANT SELECT ON spendstream.costs_as_repriced TO spendstream_team_reader;
GRANT SELECT ON spendstream.daily_trend TO spendstream_team_reader;
GRANT SELECT ON spendstream.operations TO spendstream_team_reader;
GRANT SELECT ON spendstream.request_cost TO spendstream_team_reader;
GRANT SELECT ON spendstream.unallocated_share TO spendstream_team_reader;
GRANT SELECT ON spendstream.unpriced_usage TO spendstream_team_reader;

-- Row policies add up: a row is seen if one policy that holds for the user lets it through. The first keeps everybody else as
-- they were, whatever the server does with users that no policy names (a worker that does not see all ids books events
-- twice). The second gives a team reader nothing until a policy of its team adds something.
CREATE ROW POLICY IF NOT EXISTS spendstream_everything
    ON spendstream.ledger, spendstream.cost_1m, spendstream.cost_1h, spendstream.cost_1d, spendstream.operations_1d,
       spendstream.outcomes
    USING 1 TO ALL EXCEPT spendstream_team_reader;
CREATE ROW POLICY IF NOT EXISTS spendstream_nothing
    ON spendstream.ledger, spendstream.cost_1m, spendstream.cost_1h, spendstream.cost_1d, spendstream.operations_1d,
       spendstream.outcomes
    USING 0 TO spendstream_team_reader;

-- Bounds for people, in both directions: 0 would mean without bound. readonly = 2: they read, and may set other settings,
-- as Grafana and clickhouse-connect do with every question.
CREATE SETTINGS PROFILE IF NOT EXISTS spendstream_people SETTINGS
    readonly = 2,
    max_execution_time = 60 MIN 1 MAX 300,
    max_memory_usage = 4000000000 MIN 1000000 MAX 8000000000,
    max_result_bytes = 1000000000 MIN 1 MAX 1000000000,
    max_threads = 4 MIN 1 MAX 8,
    max_concurrent_queries_for_user = 8 MIN 1 MAX 8
    TO spendstream_analyst, spendstream_team_reader;
CREATE QUOTA IF NOT EXISTS spendstream_people KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 10000, execution_time = 3600
    TO spendstream_analyst, spendstream_team_reader;
