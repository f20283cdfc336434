# One entry point for people and for CI. Every target sets up what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
STAMP := $(VENV)/.installed
# What downloads trusts whom the system trusts, a company's own certificate authority too. Empty: it has no such list.
UV_TRUSTS_SYSTEM := $(shell . infra/certificates.sh && echo "$$UV_SYSTEM_CERTS")
ifneq ($(UV_TRUSTS_SYSTEM),)
export UV_SYSTEM_CERTS := $(UV_TRUSTS_SYSTEM)
export UV_NATIVE_TLS := $(UV_TRUSTS_SYSTEM)
endif
# Tests and demo start hundreds of Python processes. Where images set this, each would compile what it imports once more, for
# as long as it takes to run.
unexport PYTHONDONTWRITEBYTECODE
# The one package without a wheel for Macs with Intel processors; only the tests of Google's SDK use it.
WITHOUT := $(if $(filter Darwin-x86_64,$(shell uname -sm | tr ' ' '-')),--no-install-package cryptography)

.PHONY: help install demo test test-slow lint format bench bench-prices bench-detection bench-forecast chaos soak wheel-check schemas clean

help: ## show this list
	@echo "spendstream: what every AI request costs, and who for. Start with: make demo"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "spendstream needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11 install"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); uv venv --quiet --python $(PYTHON) $(VENV) 2>/dev/null; } || { echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }

$(STAMP): $(BIN)/python pyproject.toml uv.lock
	@command -v uv >/dev/null 2>&1 || test -x $(BIN)/uv || { echo "installing uv into $(VENV)"; . infra/certificates.sh; pip_trusts_system $(BIN)/python; $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@echo "installing into $(VENV) what uv.lock pins"
	@# --inexact: keep the uv that was installed into the environment itself
	@$(UV) sync --frozen --quiet --inexact $(WITHOUT) --python $(BIN)/python
	@touch $@

install: $(STAMP) ## make .venv with everything that uv.lock pins

demo: $(STAMP) ## simulated AI traffic through the whole pipeline, and report.html (a minute)
	@$(BIN)/spendstream demo

test: $(STAMP) ## the tests, in parallel (14 minutes on two cores)
	@bash tests/in_memory.sh $(BIN)/pytest -n auto --dist loadgroup -m "not slow"

test-slow: $(STAMP) ## the tests that take long, most because processes die and come back (minutes)
	@# Only the files that have some: each worker would load all tests, two thirds of a minute, to run one in fifteen.
	@bash tests/in_memory.sh $(BIN)/pytest -n auto --dist loadgroup -m slow $$(grep -rlF mark.slow tests --include='test_*.py')

lint: $(STAMP) ## ruff, format check, import-linter (the layers), mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

format: $(STAMP) ## format the code and fix what can be fixed
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: $(STAMP) ## the benchmarks (minutes); results also go to bench-results/
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-prices: $(STAMP) ## our prices beside those of a second catalogue (litellm's file, downloaded once); a report
	@$(BIN)/python -m tests.benchmarks.catalogue $(ARGS)

bench-detection: $(STAMP) ## how well anomalies are found, beside other detectors (an hour); ARGS="--only trials --quick"
	@$(BIN)/python -m tests.benchmarks detection $(ARGS)

bench-forecast: $(STAMP) ## how good forecasts are, beside Prophet and others (half an hour); ARGS="--only hours --quick"
	@$(BIN)/python -m tests.benchmarks forecast $(ARGS)

chaos: $(STAMP) ## kill, stop, cut off and fill up everything at random instants; ARGS="--seed 7 --broker kafka --seeds 20"
	@$(BIN)/python -m tests.chaos $(ARGS)

soak: $(STAMP) ## an embedded instance under steady load: is its memory flat, its ledger exact? ARGS="--minutes 30 --rate 5000"
	@$(BIN)/python -m tests.benchmarks.soak $(ARGS)

schemas: $(STAMP) ## regenerate what is generated: JSON Schemas, the tables of settings and figures, Kafka's ACLs
	@$(BIN)/python -m spendstream_schemas.jsonschema schemas/json
	@$(BIN)/python -m stream_jobs.attribution.jsonschema schemas/json
	@$(BIN)/python -m stream_jobs.alerts.jsonschema schemas/json
	@$(BIN)/python -m stream_jobs.budget_terms.jsonschema schemas/json
	@$(BIN)/python -m stream_jobs.currencies.jsonschema schemas/json
	@$(BIN)/python -m stream_jobs.planned.jsonschema schemas/json
	@$(BIN)/python -m stream_jobs.pricing.json_schemas schemas/json
	@$(BIN)/python -m stream_jobs.settings_table infra/SETTINGS.md
	@$(BIN)/python -m stream_jobs.economics.page sql/FIGURES.md
	@$(BIN)/python -m stream_jobs.runtime.kafka_acls infra

wheel-check: $(STAMP) ## build the wheel, install it alone, check that it needs no pipeline (part of test)
	@bash infra/wheel_check.sh

clean: ## remove what the targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build .spendstream demo-data bench-results report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
