# Every target sets up what it needs: a virtual environment in .venv, with exactly the packages of
# requirements.lock. The only needs are make and Python 3.11, 3.12 or 3.13 with its venv module.
# PYTHON=/path/to/python chooses another Python; JOBS=4 runs more tests side by side.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV

PYTHON ?=
JOBS ?= 2
BIN := .venv/bin
CANARY := .venv/canary/bin/python
INSTALLED := .venv/installed
DOCS := .venv/docs
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.PHONY: help demo up test coverage canary test-fast test-thorough lint docs benchmark benchmark-linkage benchmark-search \
	benchmark-review benchmark-incremental benchmark-suggested benchmark-organisations benchmark-profile benchmark-rights benchmark-insight \
	benchmark-console benchmark-spark soak \
	migration lock clean venv

help: ## list these targets
	@echo "Customer Data Management: extracts in, golden customers in PostgreSQL out."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' Makefile | awk -F '|' '{ printf "%-27s%s\n", $$1, $$2 }'

demo: venv ## run the daily job for every day of the demo extracts, and show what came of it
	@$(BIN)/cdm demo $(ARGS)

up: venv ## start Dagster's UI, schedules and sensors, until Ctrl-C
	@$(BIN)/cdm up

test: lint ## lint and type checks, then all tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

coverage: venv ## all tests once more, with the lines that none of them runs: a quarter slower
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --cov --cov-fail-under=90

test-fast: venv ## tests of units that are not slow, few examples a property: under 90 seconds
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" --hypothesis-profile=fast tests/unit

test-thorough: venv ## tests of properties, with ten times as many examples
	@$(BIN)/python -m pytest -n $(JOBS) -m hypothesis --hypothesis-profile=thorough --timeout=7200

lint: venv ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Not part of `make test`: what comes out next may break it on any day. An environment of its own, so that nothing
# else meets the newer version.
canary: venv ## some tests with the newest Dagster there is, in .venv/canary
	@$(BIN)/python -m venv .venv/canary
	@$(CANARY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(CANARY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(CANARY) -m pip install --quiet --disable-pip-version-check --upgrade \
		$$(sed -n 's/^ *"\(dagster[a-z-]*\)[<>=].*/\1/p' pyproject.toml)
	@$(CANARY) -c 'from importlib.metadata import version; print("Dagster", version("dagster"))'
	@$(CANARY) -m pytest -q -p no:cacheprovider $(or $(ARGS),tests/orchestration tests/end_to_end/test_demo.py)

benchmark: venv ## a million source records: seconds and peak memory per stage
	@$(BIN)/python -m benchmarks

benchmark-linkage: venv ## linking beside Splink, GoldenMatch and recordlinkage: seconds, memory, quality
	@$(BIN)/python -m benchmarks linkage --calibration >/dev/null
	@$(BIN)/python -m benchmarks linkage --growth >/dev/null
	@$(BIN)/python -m benchmarks linkage --many-pairs >/dev/null
	@$(BIN)/python -m benchmarks linkage --commands >/dev/null
	@$(BIN)/python -m benchmarks linkage $(ARGS)

benchmark-search: venv ## searching among 100,000 and a million customers: milliseconds and recall
	@$(BIN)/python -m benchmarks search $(ARGS) >/dev/null

benchmark-organisations: venv ## linking organisations beside Splink: quality, expected and true precision
	@$(BIN)/python -m benchmarks organisations $(ARGS) >/dev/null

benchmark-review: venv ## opening the review queue and one customer among a million: milliseconds
	@$(BIN)/python -m benchmarks review $(ARGS) >/dev/null

benchmark-incremental: venv ## a night on which little changed beside a full rebuild: seconds, memory
	@$(BIN)/python -m benchmarks incremental $(ARGS) >/dev/null

benchmark-profile: venv ## the profile of a million customers, and a night on which few changed: seconds, memory
	@$(BIN)/python -m benchmarks profile $(ARGS) >/dev/null

benchmark-spark: venv ## linking 200,000 records on a cluster of this machine beside one process: seconds, memory
	@$(BIN)/python -m benchmarks spark $(ARGS) >/dev/null

benchmark-rights: venv ## one person's data and a hundred persons erased among a million records: seconds
	@$(BIN)/python -m benchmarks rights $(ARGS) >/dev/null

benchmark-insight: venv ## scorecards, key figures, next best actions and audiences of a million customers: seconds
	@$(BIN)/python -m benchmarks insight $(ARGS) >/dev/null

benchmark-console: venv ## the console at 200 requests a second among a million customers, and matching: milliseconds
	@$(BIN)/python -m benchmarks match >/dev/null
	@$(BIN)/python -m benchmarks console $(ARGS) >/dev/null

soak: venv ## the daemon at its fastest for hours: connections, handles, memory, sizes, and the picture
	@$(BIN)/python -m benchmarks soak $(ARGS)

benchmark-suggested: venv ## the policy that cdm link suggests beside a careful one, guards on and off, on 17 sets
	@$(BIN)/python -m benchmarks suggested $(ARGS) >/dev/null

docs: venv $(DOCS)/installed ## build the documentation site into site/, after its derived pages
	@$(BIN)/python -m handbook --write
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict
	@echo "Written: site/index.html"

# On a hub of its own, made for this and removed again: the database that is in use is left alone.
migration: venv ## write the hub's next migration from what hub.schema declares: make migration NAME="Add tickets"
	@home=$$(mktemp -d) && trap '$(BIN)/python -m cdm_pipelines.hub.server stop "$$home"; rm -rf "$$home"' EXIT \
		&& env -u CDM_DATABASE_URL CDM_HOME="$$home" $(BIN)/python -m cdm_pipelines.hub.migrate "$(NAME)"

lock: venv ## bring the lock files in line with pyproject.toml
	@$(BIN)/python -m venv .venv/lock
	@.venv/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@UV_SYSTEM_CERTS=true .venv/lock/bin/uv pip compile pyproject.toml --group dev --extra s3 --extra spark --universal \
		--python-version 3.11 --generate-hashes --no-annotate --quiet \
		--custom-compile-command "make lock" --output-file requirements.lock
	@UV_SYSTEM_CERTS=true .venv/lock/bin/uv pip compile --group docs --universal \
		--python-version 3.11 --generate-hashes --no-annotate --quiet \
		--custom-compile-command "make lock" --output-file docs/requirements.lock

clean: ## stop the embedded PostgreSQL and remove what the other targets made in this folder
	@if [ -x $(BIN)/python ] && [ -d .cdm ]; then \
		CDM_HOME=.cdm $(BIN)/python -m cdm_pipelines.hub.server stop .cdm || exit 1; fi
	@rm -rf .venv .cdm .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* benchmarks/out data/recent data/recent.part site
	@find . -name .git -prune -o -type d -name __pycache__ -exec rm -rf {} +

# The stamp, which holds the place of the environment, is newer than the lock file after a complete installation
# only. An environment that was not completed, whose Python is gone or that was moved with its folder is made anew;
# one that is merely older than the lock file is brought up to date.
venv:
	@[ -x $(BIN)/python ] && [ "$$($(BIN)/python -c 'import sys; print(sys.prefix)')" = "$$(cat $(INSTALLED) 2>&1)" ] \
		|| rm -rf .venv
	@$(MAKE) -s $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	@[ -x $(BIN)/python ] || { \
		set -- "$(PYTHON)"; [ -n "$$1" ] || set -- python3.13 python3.12 python3.11 python3; \
		for candidate do \
			if "$$candidate" -c '$(SUPPORTED)' >/dev/null 2>&1; then break; fi; \
			candidate=; \
		done; \
		if [ -z "$$candidate" ]; then \
			echo "Python 3.11, 3.12 or 3.13 with its modules venv and ensurepip is needed; none is in PATH." >&2; \
			echo "Debian, Ubuntu: apt install python3-venv. In another place: make PYTHON=/path/to/python3.12" >&2; \
			exit 1; \
		fi; \
		echo "Setting up .venv with $$("$$candidate" --version): a minute or two, this once."; \
		"$$candidate" -m venv .venv; \
	}
	@rm -f $(INSTALLED)
	@$(PIP) --no-compile --require-hashes -r requirements.lock
	@$(PIP) --no-build-isolation --editable .
	@$(BIN)/python -c 'import sys; print(sys.prefix)' > $(INSTALLED)

$(DOCS)/installed: docs/requirements.lock | venv
	@echo "Setting up $(DOCS), the environment of the documentation: half a minute, this once."
	@rm -rf $(DOCS)
	@$(BIN)/python -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		-r docs/requirements.lock
	@touch $(DOCS)/installed
