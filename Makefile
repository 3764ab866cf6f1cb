# Works on a machine with Python 3.11 or later and make: each target makes what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SQL := sql/models sql/analyses sql/tests

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow soak lint audit bench docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## make .venv with everything in it, the command social-warehouse included

# The lock holds every dependency, so pip has nothing to resolve.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: setup ## the whole way on made-up data: sandbox, sync, transform, publish, response times
	$(BIN)/social-warehouse demo

test: setup ## the quick ones: every part by itself, and the main way from the API to a reader
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow"

test-slow: setup ## the others: faults, kills, metrics, dashboard, PostgreSQL, 100,000 mentions, more modes and moments
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "slow and not soak"

soak: setup ## half an hour of faults, kills and stops while readers read, and fifty kills; then comparisons with the truth
	SOAK_MINUTES=$${SOAK_MINUTES:-30} $(BIN)/python -m pytest -s -m slow tests/integration/test_soak.py
	$(BIN)/python -m pytest -m soak

# At its end sqlfluff leaves semaphores of its processes, which Python warns of and removes. Why indents are looked at
# apart: see LT02 in pyproject.toml.
lint: export PYTHONWARNINGS = ignore::UserWarning:multiprocessing.resource_tracker
lint: setup ## style and types, of the SQL too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 $(SQL)
	grep -rL --include='*.sql' '{%-* for ' $(SQL) | xargs $(BIN)/sqlfluff lint --processes 2 --rules LT02 --exclude-rules ''

audit: setup ## look the locked packages up among known vulnerabilities, where the package index tells them
	PYTHON=$(BIN)/python .ci/audit

bench: setup ## how fast flattening and loading are, beside dlt and DuckDB alone
	$(BIN)/python benchmarks/flatten_load.py

docs: setup ## write the generated pages anew, and docs/site/static_index.html: the models, their columns and lineage
	$(BIN)/python docs/generate.py
	mkdir -p docs/site
	SOCIAL_WAREHOUSE_FILE=docs/site/empty.duckdb $(BIN)/dbt docs generate --static --empty-catalog --quiet \
	  --project-dir sql --profiles-dir sql --target-path $(CURDIR)/docs/site --log-path $(CURDIR)/docs/site

lock: ## pin the dependencies of pyproject.toml anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
	  --extra dev pyproject.toml --output-file requirements.lock

clean: ## remove what the other targets made, but not your data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis sql/target sql/logs docs/site
