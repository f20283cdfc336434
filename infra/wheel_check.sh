#!/usr/bin/env bash
# What a service gets: builds the wheel, installs it alone into a new environment, and checks there, with the checkout
# out of reach, that the SDK works and that nothing of the pipeline came with it. Leaves nothing behind.
#
# Usage: infra/wheel_check.sh [PYTHON]   (default: the checkout's .venv/bin/python, else python3)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${1:-$root/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3)
uv=$(command -v uv || true)
[ -n "$uv" ] || uv=$root/.venv/bin/uv
[ -x "$uv" ] || { echo "wheel check: there is no uv on PATH nor in .venv; run: make install" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Neither this environment nor the checkout may be found by accident.
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
. "$root/infra/certificates.sh"

# uv's cache is enough after `make install`, except perhaps for the build backend: ask the registry only if it is not.
cached_or_not() { "$uv" --offline --quiet "$@" 2>"$work/offline.log" || "$uv" --quiet "$@"; }

cached_or_not build --wheel --python "$python" --out-dir "$work/dist" "$root"
wheel=$(echo "$work"/dist/*.whl)
(cd "$root" && "$uv" --quiet export --frozen --no-default-groups --no-emit-project --no-hashes) >"$work/locked.txt"
"$uv" --quiet venv --python "$python" "$work/venv"
cached_or_not pip install --python "$work/venv/bin/python" --constraints "$work/locked.txt" "$wheel"

cd "$work"
"$work/venv/bin/python" -I - "$work/venv" "$root" <<'PYTHON'
import importlib.util
import json
import logging
import sys
from importlib import resources
from pathlib import Path

environment, checkout = (Path(argument).resolve() for argument in sys.argv[1:])
assert not any(Path(entry).resolve().is_relative_to(checkout) for entry in sys.path if entry), sys.path

import spendstream
import spendstream_schemas
from spendstream.adapters import usage_event

for package in (spendstream, spendstream_schemas):
    assert Path(package.__file__).resolve().is_relative_to(environment), package.__file__
    assert resources.files(package).joinpath("py.typed").is_file(), f"{package.__name__} is not marked as typed"

response = {
    "model": "gpt-4o-2024-08-06",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 800}},
}
event = usage_event("openai", response, source="wheel-check", model="gpt-4o")
again = spendstream_schemas.parse_usage_event(event.model_dump_json(exclude_none=True).encode()).message
assert again == event
assert json.loads(event.model_dump_json())["usage"]["cache_read_tokens"] == 800

logging.getLogger("spendstream").setLevel(logging.CRITICAL)  # there is no broker, and it says so
config = spendstream.ProducerConfig(bootstrap_servers="127.0.0.1:1", source="wheel-check", spool_dir=environment / "spool")
with spendstream.UsageProducer(config) as producer:
    assert producer.emit(event), producer.stats()

pipeline = "stream_jobs faust aiokafka clickhouse_connect chdb pyarrow genai_prices prophet pandas matplotlib".split()
found = [name for name in pipeline if importlib.util.find_spec(name) is not None]
assert not found, f"the wheel brings parts of the pipeline: {found}"
PYTHON

"$work/venv/bin/spendstream" --help | grep -q "SDK only"
if "$work/venv/bin/spendstream" up >/dev/null 2>&1; then
    echo "wheel check: 'spendstream up' must fail where the pipeline is not installed" >&2
    exit 1
fi
echo "wheel check: $(basename "$wheel") works alone; packages installed: $("$uv" pip list --python "$work/venv/bin/python" --format freeze 2>/dev/null | paste -sd' ')"
