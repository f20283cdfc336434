"""All metrics of the jobs in one place, with what they mean."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECORDS: Final = Counter(
    "spendstream_records", "Records taken from Kafka, by what became of them", ["job", "partition", "fate"]
)
REFUSED: Final = Counter("spendstream_quarantined_records", "Records put into quarantine, by reason", ["job", "reason"])
UNPRICED: Final = Counter("spendstream_unpriced_events", "Events booked without a price", ["job"])
UNKNOWN_FIELDS: Final = Counter("spendstream_unknown_fields", "Fields of events that this version ignores", ["job"])
BLOCKS: Final = Counter("spendstream_blocks", "Blocks booked (a redone block counts again)", ["job", "partition"])
NEXT_OFFSET: Final = Gauge("spendstream_next_offset", "First offset not booked yet", ["job", "partition"])
BLOCK_SECONDS: Final = Histogram(
    "spendstream_block_seconds",
    "From fixing a block (or beginning to redo it) to its receipt",
    ["job"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
HELD_UP: Final = Gauge(
    "spendstream_held_up_seconds",
    "How long a job has been standing still although there is something to do; 0 while it moves or is idle",
    ["job"],
)
BROKER_RECORDS: Final = Gauge("spendstream_embedded_broker_records", "Records in the embedded broker that fills")
BROKER_BYTES: Final = Gauge("spendstream_embedded_broker_bytes", "Resident memory of the embedded broker that fills")
BROKER_TURNS: Final = Counter("spendstream_embedded_broker_turns", "Full brokers replaced by an empty one")
GATE_HELD: Final = Gauge(
    "spendstream_embedded_producers_held", "1 while producers are held out because the broker's bound is reached"
)
CONSERVATION: Final = Gauge(
    "spendstream_conservation_records",
    "Records of the current hour and the one before, by what became of them; difference must be 0",
    ["topic", "partition", "fate"],
)
CONSERVATION_NAMED: Final = Gauge(
    "spendstream_conservation_named",
    "Records that the accounts name: lost, doubled (alert on rows_missing, rows_extra, receipt_missing, gap, overlap, "
    "unbalanced, expired_unread, skipped, log_lost, abandoned) or explained",
    ["topic", "partition", "name"],
)
CONSERVATION_CHECKED: Final = Gauge(
    "spendstream_conservation_checked_timestamp_seconds", "When conservation was last checked", ["against"]
)
CONFIG_RELOADS: Final = Counter("spendstream_config_reloads", "Changed files taken up while running", ["files"])
CONFIG_REFUSED: Final = Gauge(
    "spendstream_config_refused", "1 while the config folder holds changes that cannot be used: see the log", ["files"]
)
PRICED_LATER: Final = Counter(
    "spendstream_priced_later_events", "Events booked without a price that this worker has priced since"
)
RECONCILED: Final = Counter("spendstream_reconciled_events", "Events put right by reconciliation", ["cause"])
RECONCILIATION_RUNS: Final = Counter(
    "spendstream_reconciliation_runs", "Runs of the timer: done, skipped (another worker's turn) or failed", ["result"]
)
RECONCILIATION_SEEN: Final = Gauge(
    "spendstream_reconciliation_timestamp_seconds", "When this process last reconciled the ledger"
)
DATA_QUALITY_FINDINGS: Final = Gauge(
    "spendstream_data_quality_findings", "Conditions that hold now, by check; each of them is an alert", ["check"]
)
DATA_QUALITY_CHECKED: Final = Gauge(
    "spendstream_data_quality_checked_timestamp_seconds", "When each check last had a whole answer", ["check"]
)
ALERTS_OPEN: Final = Gauge(
    "spendstream_alerts_open", "Alerts that are not over, acknowledged and silenced ones too", ["kind", "severity"]
)
ALERT_CHANGES: Final = Counter("spendstream_alert_changes", "Rows of the history of alerts", ["change"])
REFUSED_MESSAGES: Final = Counter(
    "spendstream_refused_messages",
    "Messages of feeds that were passed over: refused (not what the feed carries) or failed (our own code could not "
    "cope with it, a defect); the log says which and why. (What booking refuses is in quarantine)",
    ["topic", "cause"],
)
UNREADABLE_BATCHES: Final = Counter(
    "spendstream_unreadable_batches",
    "Batches of records that cannot be unpacked, or only to more than is allowed; a notice stands for each record",
    ["topic"],
)
ALERT_RECORDS_MALFORMED: Final = Counter(
    "spendstream_alert_records_malformed", "Records of alerts.v1 that cannot be read: skipped, see the log"
)
NOTIFICATIONS: Final = Counter(
    "spendstream_notifications",
    "Attempts to tell a receiver: sent, failed (tried again), refused (of no use until the configuration changes)",
    ["receiver", "result"],
)
NOTIFICATIONS_PENDING: Final = Gauge(
    "spendstream_notifications_pending", "Groups of alerts that a receiver is to hear of", ["receiver"]
)
NOTIFICATION_DELAY: Final = Histogram(
    "spendstream_notification_delay_seconds",
    "From the record of an alert in Kafka until the receiver took the news of it",
    ["receiver"],
    buckets=(0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 1800, 7200),
)
RECEIVER_UNUSABLE: Final = Gauge(
    "spendstream_receiver_unusable", "1 while a receiver cannot be used as it is configured: see the log", ["receiver"]
)
DELTAS_LOST: Final = Counter(
    "spendstream_deltas_lost", "Deltas of blocks that could not be sent; whoever reads them reads the ledger instead"
)
BUDGET_DELTAS: Final = Counter("spendstream_budget_blocks", "Blocks that the budgets job has counted")
BUDGET_DIFFERENCE: Final = Gauge(
    "spendstream_budget_difference", "Sums that were not the ledger's at the last check of each budget; must be 0"
)
BUDGET_CHECKS: Final = Counter(
    "spendstream_budget_checks", "Comparisons of a budget with the ledger: equal, or different", ["result"]
)
BUDGET_CHECKED: Final = Gauge(
    "spendstream_budget_checked_timestamp_seconds", "When a budget was last compared with the ledger"
)
BUDGET_CROSSINGS: Final = Counter(
    "spendstream_budget_crossings", "Thresholds crossed, and taken back", ["kind", "direction"]
)
BUDGETS_WATCHED: Final = Gauge("spendstream_budgets", "Budgets that are watched")
BUDGET_BAD_DELTAS: Final = Counter("spendstream_budget_bad_deltas", "Messages that are no delta; the ledger is read")
ANOMALIES_JUDGED: Final = Counter(
    "spendstream_anomalies_judged",
    "Minutes that were judged: known, or unknown because booking lagged for longer than a minute is waited for",
    ["what"],
)
ANOMALIES_BEHIND: Final = Gauge(
    "spendstream_anomalies_behind_seconds",
    "How long ago the first minute began that is not judged yet: two minutes, and more while records wait to be booked",
)
ANOMALIES_SERIES: Final = Gauge("spendstream_anomalies_series", "Series that are watched")
ANOMALIES_DROPPED: Final = Gauge(
    "spendstream_anomalies_dropped_series", "Series of late that are not watched, because there are too many"
)
ANOMALIES_OPEN: Final = Gauge("spendstream_anomalies_open", "Series with an open finding")
ANOMALIES_LATE: Final = Counter(
    "spendstream_anomalies_late_events", "Events that came after their minute had been judged"
)
ANOMALIES_TOO_LATE_USD: Final = Counter(
    "spendstream_anomalies_too_late_usd",
    "Effective cost, in USD, booked for minutes that are too long ago to be judged again: it is in the figures of "
    "findings, and what is unusual in it by itself is never found",
)
ANOMALIES_BAD_DELTAS: Final = Counter(
    "spendstream_anomalies_bad_deltas", "Messages that are no delta; the ledger is read"
)
FORECAST_RUNS: Final = Counter(
    "spendstream_forecast_runs",
    "Runs of forecasts by what they are of (hour, day): complete, or failed",
    ["grain", "result"],
)
FORECAST_RUN_SECONDS: Final = Gauge("spendstream_forecast_run_seconds", "How long the last run took", ["grain"])
FORECAST_SERIES: Final = Gauge("spendstream_forecast_series", "Series that the last run looked at", ["grain"])
FORECAST_FITS: Final = Counter(
    "spendstream_forecast_fits",
    "Fits of Prophet, ETS, Theta and STL: done, failed (killed, refused), or late (the run had no time left for it)",
    ["member", "result"],
)
FORECAST_STALE: Final = Gauge(
    "spendstream_forecast_stale_seconds",
    "For how long there should have been a newer forecast; 0: it is fresh",
    ["grain"],
)
FORECAST_BEHIND: Final = Gauge(
    "spendstream_forecast_known_seconds", "How long ago the instant is up to which the ledger is known to be whole"
)
DEMAND_REQUESTS: Final = Gauge(
    "spendstream_demand_requests_per_second",
    "Requests per second that nine in ten forecasts of the next hour stay below; absent: stale, or not known",
    ["provider", "model"],
)
DEMAND_TOKENS: Final = Gauge(
    "spendstream_demand_tokens_per_second",
    "The same of tokens, input and output together",
    ["provider", "model"],
)
ANOMALIES_SNAPSHOT_BYTES: Final = Gauge(
    "spendstream_anomalies_snapshot_bytes", "Size of the last snapshot of what is learned"
)
