# Needs GNU make and Python 3.11 or newer with venv. `make` lists the commands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PORT ?= 30501

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

run: $(VENV)/run.stamp  ## start everything; the page is on http://localhost:30501 (PORT= moves it)
	$(BIN)/python -m webapp

test: $(VENV)/dev.stamp  ## set up, then run every test
	$(BIN)/python -m tools.chromium
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

lint: $(VENV)/dev.stamp  ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory scripts; else \
	  echo "The page's scripts were not checked: that needs Node 20.19 or newer with npm (https://nodejs.org)."; fi

scripts: node_modules/installed.stamp  ## the types of the page's scripts, a part of lint; needs Node
	node node_modules/typescript/bin/tsc --project .

check: lint test  ## the one command before a commit: lint, types, tests (import rules and docs are tests)

bench: $(VENV)/dev.stamp  ## the benchmarks, as ratios side by side in one run
	$(BIN)/python -m bench

fuzz: $(VENV)/dev.stamp  ## 6,000 damaged inputs for each reader of input from outside, always the same ones
	$(BIN)/python -m fuzz

runtimes: $(VENV)/runtimes.stamp  ## also install ONNX Runtime, LiteRT and OpenCV for the model server

lock: $(VENV)/dev.stamp  ## compile requirements/*.txt anew from the *.in files
	cd requirements && for name in dev runtimes run web; do \
	  case $$name in dev) rule=;; *) rule=--constraint=dev.txt;; esac; \
	  ../$(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url \
	    --no-emit-find-links $$rule --output-file=$$name.txt $$name.in || exit 1; done

clean:  ## remove the environment, the exported model and all stored runs
	rm -rf $(VENV) node_modules var

# A stamp per lock file: installed again only when the lock changes.
$(VENV)/%.stamp: requirements/%.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pixelcost needs Python 3.11 or newer: PYTHON=python3.11 make run")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

node_modules/installed.stamp: package-lock.json
	npm ci --silent --no-audit --no-fund --ignore-scripts
	touch $@

.PHONY: help run test lint scripts check bench fuzz runtimes lock clean
