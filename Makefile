# `make help` lists the targets. Each does all the set-up that it needs.
#
# Everything is installed into .venv, made with the first suitable Python found; BASE_PYTHON=...
# names another. PYTHON=/path/to/python uses an environment of your own, where nothing is
# installed: it is checked, and what does not fit is told with its remedy.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BASE_PYTHON ?=
STAMP := $(VENV)/.rave_mm_setup

ifdef PYTHON
RUN := $(PYTHON)
READY := check
# Tools find the package without an install of it.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
else
RUN := $(VENV)/bin/python
READY := $(STAMP)
endif

# Compiling every module at once costs a minute; Python does it for those that are imported.
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check --no-compile --progress-bar off

# Where Python may not keep what it compiles, as in many containers, every start would take 13 s longer.
ifdef PYTHONDONTWRITEBYTECODE
COMPILE := env -u PYTHONDONTWRITEBYTECODE $(VENV)/bin/python -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib
endif

.PHONY: help setup demo demo-all test lint docs clean check

help: ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

setup: $(READY) ## install everything into .venv, unless that is done

demo: $(READY) ## train RAVE on real photographs, test it, and show the result
	$(RUN) tools/demo.py

demo-all: $(READY) ## train RAVE, CLIP-LIT and CLIP-LIT-Latent, and compare them
	$(RUN) tools/demo_all.py

test: $(READY) ## run the tests
	$(RUN) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(READY) ## check style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

docs: $(READY) ## build the documentation as a site, in docs/_build
	$(RUN) -m sphinx -E -W --keep-going --quiet docs docs/_build/html
	@echo "open docs/_build/html/index.html"

clean: ## remove .venv, build products and caches; work_dirs and data stay
	rm -rf $(VENV) build dist docs/_build rave_mm.egg-info rave_mm/.mim .mypy_cache .pytest_cache .ruff_cache
	find rave_mm tools tests configs -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# What a target needs beyond running rave_mm, for an environment of one's own to be checked for.
demo demo-all: NEEDS := --with demo
test lint: NEEDS := --with tests

check:
	@$(PYTHON) tools/check_env.py --quiet $(NEEDS)

$(STAMP): setup.py Makefile $(wildcard requirements/*.txt)
	@fits() { "$$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; }; \
	if fits $(VENV)/bin/python; then exit; fi; \
	for python in $(or $(BASE_PYTHON),python3 python3.12 python3.11 python3.10); do \
	    if ! fits "$$python"; then continue; fi; \
	    if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	        echo "$$python cannot make environments. On Debian or Ubuntu: apt install python3-venv" >&2; \
	        exit 1; \
	    fi; \
	    echo "making $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV); \
	    exit; \
	done; \
	echo "need Python 3.10, 3.11 or 3.12, found none among: $(or $(BASE_PYTHON),python3 python3.12 python3.11 python3.10)." \
	     "Name one: make setup BASE_PYTHON=/path/to/python3.11" >&2; \
	exit 1
	$(PIP) -c requirements/constraints.txt $(addprefix -r requirements/,core.txt train.txt demo.txt tests.txt docs.txt)
	$(PIP) --no-deps -r requirements/mmagic.txt
	$(PIP) --no-deps --no-build-isolation -e .
	$(COMPILE)
	$(VENV)/bin/python tools/check_env.py --quiet --with demo --with tests
	@touch $@
