VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
AZURITE := 3.37.0
EDGE := apache-airflow-providers-edge3==5.1.0 retryhttp==1.5.0
STRICT := plugins/triptych include/engines tests benchmarks scripts
OLDEST_TO_NEWEST := python3.11 python3.12 python3.13 python3
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
ifndef PYTHON
PYTHON := $(shell for each in $(OLDEST_TO_NEWEST); do $$each -c '$(FITS)' 2>/dev/null && { echo $$each; exit; }; done; echo python3.11)
endif

.DEFAULT_GOAL := help
.PHONY: help venv demo up test apps faults workers fuzz media azurite edge console lint bench lock

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## The environment in .venv, with pinned packages and the command .venv/bin/triptych

$(STAMP): requirements.txt requirements-engines.txt requirements-test.txt pyproject.toml
	@$(PYTHON) -c '$(FITS)' 2>/dev/null || { \
	  echo "Triptych needs Python 3.11, 3.12 or 3.13, and '$(PYTHON)' is missing or another. Try: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing some 400 packages: less than a minute by uv; where that cannot be had, a few by pip."
	$(BIN)/python scripts/install.py requirements.txt requirements-engines.txt requirements-test.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Run one job on an Airflow of its own, show the output, stop; APP=name: of another app
	$(BIN)/python -m triptych.demo $(if $(APP),--app $(APP))

up: $(STAMP) ## Keep Airflow running until Ctrl-C; port, password and history stay in .airflow
	$(BIN)/python -m triptych.demo --keep $(if $(APP),--app $(APP))

test: $(STAMP) ## All tests, in two processes
	$(BIN)/python -m pytest --numprocesses 2

faults: $(STAMP) ## The whole fault suite, as root, with Docker and PostgreSQL: takes an hour
	FAULTS=whole $(BIN)/python -m pytest -m faults tests/faults

workers: $(STAMP) ## The whole suite of several workers, as root, with PostgreSQL and Redis: takes half an hour
	WORKERS=whole $(BIN)/python -m pytest tests/workers

fuzz: $(STAMP) ## The long run of the fuzz tests: at most FUZZ_MINUTES (50)
	FUZZ=whole $(BIN)/python -m pytest tests/fuzz

apps: $(STAMP) ## The long form of the apps' tests
	APPS=whole $(BIN)/python -m pytest tests/apps

media: $(STAMP) ## The long form of the media engines' tests
	MEDIA=whole $(BIN)/python -m pytest tests/contract/engines/test_random_cuts.py tests/contract/engines/test_images.py tests/contract/engines/test_published_media.py

azurite: $(STAMP) ## Microsoft's emulator of Blob Storage, for the tests of abfs:// (needs npm)
	npm install --prefix $(VENV)/azurite --no-save --no-audit --no-fund --loglevel=error azurite@$(AZURITE)

edge: $(STAMP) ## Airflow's edge workers, for their test alone: each Airflow has tables and pages of theirs otherwise
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --upgrade --target $(VENV)/edge $(EDGE)

console: ## Bundle the source of the console in Airflow (needs npm); commit what changes in the package with it
	npm ci --prefix console --loglevel=error
	npm run --prefix console --silent check
	npm run --prefix console --silent build

lint: $(STAMP) ## ruff and mypy; of the console the TypeScript compiler, where `make console` has put it
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(STRICT)
	@if [ -x console/node_modules/.bin/tsc ]; then npm run --prefix console --silent check; else echo "console/ was not checked: its compiler comes by make console"; fi

bench: $(STAMP) ## The benchmarks; takes a while
	@set -e; for script in benchmarks/*/*.py; do echo "== $$script"; PYTHONPATH=. $(BIN)/python "$$script"; done

lock: $(STAMP) ## Pin requirements*.in anew (needs uv)
	$(BIN)/python -m uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade requirements.in -o requirements.txt
	$(BIN)/python -m uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade requirements-engines.in -o requirements-engines.txt
	$(BIN)/python -m uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade requirements-test.in -o requirements-test.txt
