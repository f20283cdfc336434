#!/bin/sh
# Generated from acls.yaml by `make schemas`; a test compares them.
#
# Grants every role its rights with Kafka's own kafka-acls.sh; with --remove it takes them back. May be repeated.
# Variables give the roles to users, to several with blanks between them:
#
#   export BOOTSTRAP=kafka-1:9093 CONFIG=admin.properties
#   SERVICE_USERS="User:checkout User:search" sh infra/kafka/acls.sh
#
# KAFKA_ACLS is the program, if it is not on PATH. A role without its variable goes to User:spendstream-ROLE, and one
# whose variable is empty to nobody.
set -eu
: "${BOOTSTRAP:?brokers to ask, host:port}" "${CONFIG:?properties file of a user who may alter ACLs}"
case "${1:-}" in
    "") action=--add ;;
    --remove) action=--remove ;;
    *) echo "$0: there is only --remove" >&2; exit 2 ;;
esac

grant() {
    users=
    for user in $1; do users="$users --allow-principal $user"; done
    shift
    if [ -z "$users" ]; then return; fi
    # shellcheck disable=SC2086 # one argument each
    "${KAFKA_ACLS:-kafka-acls.sh}" --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" \
        $action --force $users "$@"
}

# Services that report usage and outcomes through the SDK. They cannot read what others report.
: "${SERVICE_USERS=User:spendstream-service}"
grant "$SERVICE_USERS" --operation Write \
    --topic usage.events.v1 \
    --topic usage.outcomes.v1

# The guard in services, which reads where budgets stand. A service that reports and asks has both roles.
: "${GUARD_USERS=User:spendstream-guard}"
grant "$GUARD_USERS" --operation Describe \
    --group spendstream-guard
grant "$GUARD_USERS" --operation Read \
    --topic budget.state.v1

# `spendstream worker metering outcomes reconciliation`: books what services report.
: "${BOOKING_USERS=User:spendstream-booking}"
grant "$BOOKING_USERS" --operation Describe \
    --group spendstream-tools
grant "$BOOKING_USERS" --operation Read \
    --topic usage.events.v1 \
    --topic usage.outcomes.v1 \
    --group spendstream-metering \
    --group spendstream-outcomes
grant "$BOOKING_USERS" --operation Write \
    --topic cost.deltas.v1

# `spendstream worker budgets alerts anomalies data_quality forecasts`: watches what is booked, and tells people.
: "${WATCHING_USERS=User:spendstream-watching}"
grant "$WATCHING_USERS" --operation Describe \
    --group spendstream-metering \
    --group spendstream-outcomes \
    --group spendstream-tools
grant "$WATCHING_USERS" --operation Read \
    --topic alerts.v1 \
    --topic budget.control.v1 \
    --topic cost.deltas.v1 \
    --topic usage.events.v1 \
    --topic usage.outcomes.v1 \
    --group spendstream-alerts \
    --group spendstream-anomalies \
    --group spendstream-budgets \
    --group spendstream-forecasts
grant "$WATCHING_USERS" --operation Write \
    --topic alerts.v1 \
    --topic budget.state.v1

# People and their scripts: `migrate --topics`, `emit`, `replay`, `simulate`, `quarantine replay`, `budgets set`,
# `alerts ack`, `conservation`, `reconcile`.
: "${OPERATOR_USERS=User:spendstream-operator}"
grant "$OPERATOR_USERS" --operation Create \
    --topic alerts.v1 \
    --topic budget.control.v1 \
    --topic budget.state.v1 \
    --topic cost.deltas.v1 \
    --topic usage.events.v1 \
    --topic usage.outcomes.v1
grant "$OPERATOR_USERS" --operation Describe \
    --topic budget.state.v1 \
    --topic cost.deltas.v1 \
    --group spendstream-metering \
    --group spendstream-outcomes \
    --group spendstream-tools
grant "$OPERATOR_USERS" --operation Read \
    --topic usage.events.v1 \
    --topic usage.outcomes.v1
grant "$OPERATOR_USERS" --operation Write \
    --topic alerts.v1 \
    --topic budget.control.v1 \
    --topic usage.events.v1 \
    --topic usage.outcomes.v1
