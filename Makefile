# Everything runs in an environment of its own, made from uv.lock. Needs Python 3.11 or newer, and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= .data
# What pip and uv say is for people who call them; this is for people who called make.
define NO_PACKAGES
printf '%s\n' '' \
	'The packages could not be fetched. Is there a network, or a proxy to be named in https_proxy?' \
	'Where the network has a certificate authority of its own: UV_SYSTEM_CERTS=1 make $(MAKECMDGOALS)' \
	'What was fetched is kept: make $(MAKECMDGOALS) goes on from here.' >&2
endef

.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE # compiled once, not in every process that is started
.PHONY: help env demo test lint format sentences bench recipes wheel clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

env: $(VENV)/.made ## make the environment from the lock file

$(VENV)/.made: uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Stile needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@test -d $(VENV) || echo "Making the environment in $(VENV): once, about a minute."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 cannot make environments: install python3-venv (Debian, Ubuntu) and try again" >&2; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -c 'import pip' 2>/dev/null || $(BIN)/python -m ensurepip >/dev/null
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1' || { $(NO_PACKAGES); exit 1; }
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --frozen --all-extras --inexact --compile-bytecode --python $(BIN)/python || { $(NO_PACKAGES); exit 1; }
	@touch $@

demo: env ## start everything: the provider, the bank, notes and an inbox for the codes
	@IDP_DATA_DIR="$${IDP_DATA_DIR:-$(DATA)}" exec $(BIN)/idp demo $(if $(PORT),--port $(PORT))

test: env ## run all tests, on the embedded PostgreSQL or IDP_TEST_DATABASE_URL
	@$(BIN)/pytest -n 2 --dist loadgroup

lint: env ## ruff, format, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: env ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

sentences: env ## bring new sentences into the catalogues of templates/locale, to be translated
	@$(BIN)/python -m tests.world.sentences

bench: env ## measure, and write docs/performance.md; VS=REV: beside another revision; PEER=1: beside node-oidc-provider
	@$(BIN)/python -m bench $(if $(VS),--vs $(VS)) $(if $(PEER),--peer)

recipes: env ## run docs/recipes with the real applications, over the network; ONLY=NAME: this one
	@$(BIN)/python docs/recipes/run $(if $(ONLY),--only $(ONLY))

wheel: env ## build the distributions, ours and the kit, into dist/
	@$(BIN)/uv build --quiet --wheel --all-packages

clean: ## remove the environment and what tools left; data directories stay
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache screenshots
