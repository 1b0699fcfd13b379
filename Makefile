# Everything a person runs. `make demo` and `make test` need Python 3.11 or newer and a package index, nothing else.
#
#   PYTHON=python3.13   another interpreter for the virtual environment
#   PORT=8080           the demo's port
#   JOBS=0              tests one after the other in one process, as --pdb needs it; else so many processes share them
#   MINUTES=60          how long the soak is
#   ARGS='…'            arguments for the command behind the target, as in: make test ARGS='-k seating -x'

PYTHON ?= python3
PORT ?= 8000
ARGS ?=
MINUTES ?= 10
JOBS ?= 2
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check format bench load soak lock clean clean-data

help:
	@echo 'make demo     the main job before your eyes: server, real venue, 200 impatient customers, audit'
	@echo 'make test     finds or starts the servers that the tests need, then the whole suite on every store'
	@echo 'make check    format, lint, types, import rules, unit and house tests; under a minute'
	@echo 'make bench    throughput, as a ratio to a no-op endpoint of the same app'
	@echo 'make load     SCENARIO=… USERS=… DURATION=… [UI=1] [CONTROL=1]: load, audit, verdict; without SCENARIO: the list'
	@echo 'make soak     MINUTES=10: faults of every kind at random under load; nothing may be lost or doubled'
	@echo 'make install  .venv from requirements.lock, nothing more'
	@echo 'make format   what `make check` can mend by itself'
	@echo 'make lock     both locks anew from pyproject.toml (ARGS=--upgrade for newer releases)'
	@echo 'make clean    removes .venv and every cache; databases in var stay'
	@echo 'make clean-data   removes var: the databases of the tour and the demo'

install: $(STAMP)

# The stamp is written last: an interrupted installation is begun again, never half used.
# The venv is cleared first, so that it holds what the lock names and nothing that an older lock named.
# A changed pyproject.toml counts: the console script and the metadata come from it.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not it. Name one: make $(or $(MAKECMDGOALS),install) PYTHON=python3.13" >&2; exit 1; }
	@rm -f $(STAMP)
	@$(PYTHON) -m venv --clear .venv || { \
	  echo "$(PYTHON) cannot make virtual environments here. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo 'Installing what requirements.lock names into .venv …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: install
	$(BIN)/python -m service demo --port $(PORT) $(ARGS)

test: install
	$(BIN)/python -m tests.servers
	$(BIN)/python -m pytest --numprocesses $(JOBS) $(ARGS)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/unit tests/house

format: install
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: install
	$(BIN)/python -m loadtests.bench $(ARGS)

# USERS and DURATION (seconds) have defaults of their own in each scenario.
LOAD := $(SCENARIO) $(USERS:%=--users %) $(DURATION:%=--duration %) $(if $(UI),--ui) $(if $(CONTROL),--control)

load: install
	$(BIN)/python -m loadtests.load $(strip $(LOAD) $(ARGS))

soak: install
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(ARGS)

# Hashes only: no index address and no local path may get into the files.
LOCK := CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/python -m piptools compile --quiet \
  --generate-hashes --allow-unsafe --strip-extras \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

# The second lock is the part of the first that the image needs: nothing of `dev`, and no other versions.
lock: install
	$(LOCK) --extra dev --output-file requirements.lock pyproject.toml $(ARGS)
	$(LOCK) --no-annotate --constraint requirements.lock --output-file deploy/requirements.lock pyproject.toml

clean:
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

clean-data:
	rm -rf var
