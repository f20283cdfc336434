#!/usr/bin/env bash
# in_memory.sh COMMAND...: runs it with its temporary files in memory, where there is plenty of it. The tests' stores make
# and delete files by the hundred thousand, and on a disk that is a sixth of their work. Nothing here tests a disk: what a
# killed process wrote is in the system's cache either way. TMPDIR chooses another folder.
set -euo pipefail
memory=/dev/shm
needed_kib=$((6 * 1024 * 1024))

plenty() {
    [ -d "$memory" ] && [ -w "$memory" ] || return 1
    # Containers give it 64 MB, or forbid programs in it.
    awk -v at="$memory" '$2 == at { found = $3 == "tmpfs" && $4 !~ /noexec/ } END { exit !found }' /proc/mounts || return 1
    [ "$(df -Pk "$memory" | awk 'NR == 2 { print $4 }')" -ge "$needed_kib" ] || return 1
    [ "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" -ge $((2 * needed_kib)) ]
}

if [ -n "${TMPDIR:-}" ] || ! plenty 2>/dev/null; then
    exec "$@"
fi
folder=$(mktemp -d "$memory/spendstream-tests-XXXXXX")
chmod 755 "$folder" # as /tmp: some tests run as another user
ended() {
    code=$?
    if [ "$code" -ne 0 ] && mv "$folder" /tmp/; then
        echo "what the tests left: /tmp/${folder##*/}" >&2
    fi
    rm -rf "$folder"
    exit "$code"
}
trap ended EXIT
TMPDIR=$folder "$@"
