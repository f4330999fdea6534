# The six verbs: install, demo, test, lint, format, lock. Everything lives in .venv.
# Beside them what is too long for `make test` (campaigns, benchmarks) and what is generated (schemas).
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A third of the tests' time is waiting for Ray; each process has a cluster of two CPUs.
WORKERS ?= 2
SPREAD := -n logical --maxprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# With it set every Ray worker would compile every module again, which doubles start-up.
unexport PYTHONDONTWRITEBYTECODE
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: install demo test lint format lock clean help campaigns benchmarks schemas
.PHONY: campaign-crash campaign-store campaign-determinism campaign-s3 campaign-search campaign-tests

help:
	@echo "make install   environment in .venv from requirements.lock (uv if present, else pip)"
	@echo "make demo      install, then the whole road: data, search, registry, endpoint, answer"
	@echo "make test      install, then all tests, in two processes (WORKERS=1: in one)"
	@echo "make lint      install, then ruff, mypy, import-linter, codespell"
	@echo "make format    install, then ruff's fixes and formatting"
	@echo "make lock      resolve pyproject.toml into requirements.lock (needs uv)"
	@echo "make schemas   write docs/schemas from the models"
	@echo "make benchmarks the benchmarks, one after the other"
	@echo "make campaigns the long tests; campaign-tests, -crash, -store, -determinism, -s3, -search one of them"
	@echo "make clean     remove .venv and the caches"

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "$(PYTHON) is not Python 3.11 to 3.13; name one: make install PYTHON=python3.12" >&2; exit 2; }
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

demo: install
	@$(BIN)/python -m mlops_ray.cli.demo

test: install
	@$(BIN)/python -m pytest $(SPREAD)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy mlops_ray jobs cluster
	$(BIN)/lint-imports
	$(BIN)/codespell

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-emit-package nvidia-nccl-cu12 --no-emit-package nvidia-nccl-cu13 --quiet -o requirements.lock

schemas: install
	$(BIN)/python -m mlops_ray.manifest.json_schema docs/schemas

# Each prints JSON and fails if a promise was broken.
campaigns: campaign-tests campaign-store campaign-s3 campaign-search campaign-determinism campaign-crash

# The tests that take minutes each.
campaign-tests: install
	$(BIN)/python -m pytest -m campaign

campaign-store: install
	$(BIN)/python tests/faults/store_campaign.py --rounds 8000

campaign-s3: install
	$(BIN)/python tests/faults/s3_campaign.py --objects 300 --share 0.2 --seed 7

campaign-determinism: install
	$(BIN)/python tests/faults/determinism_campaign.py --seeds 1 2 3

campaign-search: install
	$(BIN)/python tests/faults/search_campaign.py --seeds 1 2 3 --kills 20

campaign-crash: install
	$(BIN)/python tests/faults/crash_campaign.py --take all

benchmarks: install
	@set -e; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
