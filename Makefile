# Conurb: `make up` brings the region up, `make test` proves it. Both start from a fresh clone.

SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PAGE := conurb/web_dist/index.html
PORT ?= 8080
SUITE ?=
UPDATE ?=
STORE ?= sqlite

.PHONY: help setup page up test check bench conformance services lock clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready page ## Create .venv with the conurb command, and build the page

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "Setting up $(VENV) ..."
	tools/venv.sh $(VENV) $(PYTHON)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@
	@echo "Ready: $(BIN)/conurb"

page: $(PAGE) ## Build the map into conurb/web_dist (Node.js 20.19 or newer); without Node a word on it

$(PAGE): $(shell find web -path web/node_modules -prune -o -path web/tests -prune -o -type f -print)
	@tools/page.sh

lock: ## Resolve the dependencies anew into requirements.lock
	tools/venv.sh $(VENV) $(PYTHON)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --all-extras --group dev pyproject.toml \
	  requirements.in --output-file requirements.lock

up: setup ## Bring the region up: the 41 cities of the Yangtze River Delta on 127.0.0.1:8080
	$(BIN)/conurb up yrd --port $(PORT)

services: ## Install what the tests need from Debian's packages when it is missing
	@tools/services.sh

test: setup services ## Run every test
	$(BIN)/python -m pytest

check: setup ## Lint, types, layers, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	tools/page.sh check
	$(BIN)/python -m pytest -q tests/docs

conformance: setup ## Run the public NGSI-LD suite: SUITE=clone [STORE=sqlite|postgres|both]
	test -n "$(SUITE)" || { echo "make conformance SUITE=path/to/clone"; exit 2; }
	$(BIN)/python tools/conformance.py --suite $(SUITE) --store $(STORE) $(if $(UPDATE),--update)

bench: setup ## Run every benchmark; each prints a ratio; a summary, and a failure when one missed
	summary= missed=0
	for bench in bench/bench_*.py; do
	  echo "== $$bench"
	  began=$$SECONDS result=met
	  $(BIN)/python $$bench || { result=MISSED; missed=$$((missed + 1)); }
	  summary+=$$(printf '%-8s %5d s  %s' $$result $$((SECONDS - began)) $$bench)$$'\n'
	done
	echo "== summary"
	printf '%s' "$$summary"
	test $$missed = 0 || { echo "$$missed missed"; exit 1; }

clean: ## Remove what was set up
	rm -rf $(VENV) web/node_modules conurb/web_dist .run .mypy_cache .ruff_cache .pytest_cache .hypothesis
