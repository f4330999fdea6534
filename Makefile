# The six verbs: install, demo, test, lint, format, lock. Everything lives in .venv.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# With it set every Ray worker would compile every module again, which doubles start-up.
unexport PYTHONDONTWRITEBYTECODE
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: install demo test lint format lock clean help

help:
	@echo "make install   environment in .venv from requirements.lock (uv if present, else pip)"
	@echo "make demo      install, then the whole road: data, search, registry, endpoint, answer"
	@echo "make test      install, then all tests"
	@echo "make lint      install, then ruff, mypy, import-linter, codespell"
	@echo "make format    install, then ruff's fixes and formatting"
	@echo "make lock      resolve pyproject.toml into requirements.lock (needs uv)"
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
	@$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy mlops_ray jobs
	$(BIN)/lint-imports
	$(BIN)/codespell

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-emit-package nvidia-nccl-cu12 --no-emit-package nvidia-nccl-cu13 --quiet -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
