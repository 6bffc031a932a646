PYTHON ?= python3.11
VENV := .venv
STAMP := $(VENV)/.installed
RUN := PYTHONPATH=plugins:. $(VENV)/bin/python
STRICT := plugins/triptych include/engines

.DEFAULT_GOAL := help
.PHONY: help venv demo up test lint bench lock

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## The environment in .venv, with pinned packages

$(STAMP): requirements.txt requirements-engines.txt requirements-test.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Triptych needs Python 3.11 or newer, and '$(PYTHON)' is missing or older. Try: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing some 350 packages; this takes a few minutes the first time."
	$(VENV)/bin/python -m pip install --disable-pip-version-check --progress-bar on -r requirements.txt -r requirements-engines.txt -r requirements-test.txt
	@touch $@

demo: $(STAMP) ## Run one job on an Airflow of its own, show the output, stop
	$(RUN) -m triptych.demo

up: $(STAMP) ## The same, and keep Airflow running until Ctrl-C
	$(RUN) -m triptych.demo --keep

test: $(STAMP) ## All tests
	$(RUN) -m pytest

lint: $(STAMP) ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy $(STRICT)

bench: $(STAMP) ## The benchmarks; takes a while
	@set -e; for script in benchmarks/*/*.py; do echo "== $$script"; $(RUN) "$$script"; done

lock: ## Pin requirements*.in anew (needs uv)
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade requirements-engines.in -o requirements-engines.txt
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade requirements-test.in -o requirements-test.txt
