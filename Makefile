# Everything that people and CI type. Each recipe ends in one plain command: make hands a signal on to that.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv/bin/

.PHONY: help install install-for-running run test check format bench faults proof reset

help:
	@sed -n 's/^## //p' Makefile

install:
	@$(if $(PYTHON),,$(error motcua needs Python 3.11 or newer on the PATH, or named: make run PYTHON=/path/to/python3))
	@$(PYTHON) deploy/install.py

install-for-running:
	@$(if $(PYTHON),,$(error motcua needs Python 3.11 or newer on the PATH, or named: make run PYTHON=/path/to/python3))
	@$(PYTHON) deploy/install.py run

## make run      everything on this machine: servers, API, worker, mock portal; Ctrl-C stops it
run: install-for-running
	@$(VENV)python -m deploy.local run

# three processes, also on two cores: a quarter of the tests' time is waiting for clocks, disks and processes that start
## make test     the whole test suite, on servers of its own; what runs every half minute, the ten slowest at the end
test: install
	@$(VENV)python -m pytest -n 3 --dist worksteal --durations=10 $(ARGS)

## make check    format, lint, types, import contracts, migration drift
check: install
	$(VENV)ruff format --check .
	$(VENV)ruff check .
	$(VENV)mypy
	$(VENV)lint-imports
	$(VENV)python -m deploy.local drift

## make format   lay out the code and mend what can be mended mechanically
format: install
	$(VENV)ruff check --fix-only .
	$(VENV)ruff format .

## make bench    the benchmark report
bench: install
	@$(VENV)python -m tests.bench

## make faults   the fault campaign
faults: install
	@$(VENV)python -m tests.faults

## make proof    what is too large for the tests: the headline of 2022, the oracle, freshness, mutants
proof: install
	@$(VENV)python -m tests.proof $(ARGS)

## make reset    stop the run and empty the data folder, after asking (MOTCUA_YES=1 answers)
reset: install-for-running
	@$(VENV)python -m deploy.local reset
