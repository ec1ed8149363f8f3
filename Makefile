# Python 3.11, pip and make are all that has to be there before.
PYTHON ?= python3.11
VENV := .venv
UV_VERSION := 0.13.9
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup up down status test lint bench screenshots lock clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the virtual environment .venv from the lock

$(STAMP): requirements-dev.lock requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	@echo "Installing the locked packages into $(VENV) (about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode -r requirements-dev.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps -e .
	@touch $(STAMP)

up: setup ## start PostgreSQL, Airflow and (DEMO=1) two simulated consoles; wait until windows are collected
	@DEMO=$(DEMO) $(BIN)/python -m sentinelone_collector.local up

down: ## stop all that `make up` started, and nothing else
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m sentinelone_collector.local down; else echo "Nothing runs: there is no $(VENV)."; fi

status: ## say what runs
	@$(BIN)/python -m sentinelone_collector.local status

test: setup ## run all tests, the end-to-end ones beside the others since they mostly wait
	@mkdir -p .run; \
	$(BIN)/python -m pytest tests/e2e --durations=12 >.run/test-e2e.log 2>&1 & waiting=$$!; trap 'kill $$waiting 2>/dev/null' EXIT INT TERM; \
	nice $(BIN)/python -m pytest tests --ignore=tests/e2e --numprocesses=auto --maxprocesses=4 --dist=worksteal --durations=12; rest=$$?; \
	echo "The end-to-end tests are still running ..."; \
	wait $$waiting; waited=$$?; trap - EXIT; cat .run/test-e2e.log; exit $$((rest || waited))

lint: setup ## check style, types and declared packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/deptry .

bench: setup ## measure speed against a floor of the same run
	@for bench in tests/benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

screenshots: setup ## make the pictures of the documentation from the console inside real Airflow
	@S1C_SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/python -m pytest tests/e2e/test_console.py -k test_every_page_as_it_is_shown

lock: ## resolve requirements*.txt anew
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 requirements.txt -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 requirements.txt requirements-dev.txt -o requirements-dev.lock

clean: down ## remove the run-time state (.run); the virtual environment stays
	@rm -rf .run
