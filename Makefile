# All targets need only make and Python 3.11 or newer; they install everything else into .venv.

PY := .venv/bin/python
RUNTIME := .venv/.installed
LOCAL := .venv/.installed-local
DEVELOPMENT := .venv/.installed-dev
BENCH := .venv/.installed-bench
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --require-hashes
# Each process finds the plugin that pyproject.toml names by PYTHONPATH.
COVERAGE := env PYTHONPATH=$(CURDIR) .venv/bin/coverage run -m pytest
LOCK := .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --quiet

# Defaults of `make run`, for a developer's machine; the environment overrides them.
run: export DEBUG ?= 1
run: export WELCOME_SKU ?= WELCOME

.DEFAULT_GOAL := help
.PHONY: help install run demo test test-matrix wheel coverage faults mutants bench bench-quick lint format lock audit docs schemathesis

help: ## List all targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '%-18s %s\n' "$$target" "$$text"; done

# Compiled here, because the user of a service can write nothing here, and read nothing that root's commands write.
install: $(RUNTIME) ## Install what production needs into .venv
	@$(PY) -m compileall -q project users orders inventory

run: $(LOCAL) ## Run everything on http://127.0.0.1:8000 (PORT); Ctrl-C stops it
	@$(PY) manage.py migrate --verbosity 0
	@$(PY) manage.py demo_data
	@exec $(PY) manage.py up --keep-welcome-sku

demo: $(LOCAL) ## Run everything for a minute: place orders over HTTP, check the invariants
	@exec $(PY) manage.py demo

test: $(DEVELOPMENT) ## Run all tests on SQLite, then on a PostgreSQL that it starts all that a database can change
	env -u DATABASE_URL .venv/bin/pytest -n auto
	$(PY) -m tests.with_postgres .venv/bin/pytest -n auto

test-matrix: $(DEVELOPMENT) ## Run lint and tests on Python 3.11 to 3.13 and on Django 6.1 (ARGS=--short for a few minutes)
	$(PY) -m tests.matrix $(ARGS)

wheel: $(DEVELOPMENT) ## Build the event bus as the package orderly-bus into dist/
	.venv/bin/uv build --quiet --wheel --no-build-isolation --python $(PY) --out-dir dist project/bus
	@ls dist/*.whl

coverage: $(DEVELOPMENT) ## Run all tests on both databases, and list what of the product no test reaches (also .coverage/html)
	rm -rf .coverage
	-env -u DATABASE_URL $(COVERAGE) -n auto $(ARGS)
	-$(PY) -m tests.with_postgres $(COVERAGE) -n auto $(ARGS)
	.venv/bin/coverage combine --quiet
	.venv/bin/coverage html --quiet --fail-under 0
	.venv/bin/coverage report

faults: $(DEVELOPMENT) ## Break the real system in forty ways under load, and report what was lost (ARGS="--seed 2")
	$(PY) -m tests.faults $(ARGS)

mutants: $(DEVELOPMENT) ## Disable each safeguard, one at a time, and name the test that fails (ARGS="guard" for some)
	$(PY) -m tests.with_postgres $(PY) -m tests.mutants $(ARGS)

schemathesis: $(DEVELOPMENT) ## Call the API of a running system at random for eleven minutes (ARGS="--seconds 20 --kind staff")
	$(PY) -m tests.api.schemathesis_long $(ARGS)

bench: $(BENCH) ## Compare with the usual Celery code and bare psycopg, in 40 minutes (ARGS="--workload bulk")
	$(PY) -m benchmarks $(ARGS)

bench-quick: $(BENCH) ## The same with less work and in one round, in three minutes
	$(PY) -m benchmarks --quick $(ARGS)

lint: $(DEVELOPMENT) ## Check style, types and the import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: $(DEVELOPMENT) ## Format the code, and fix what ruff can fix
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

lock: $(DEVELOPMENT) ## Compile pyproject.toml into requirements*.txt, with hashes
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) --group local pyproject.toml -c requirements.txt -o requirements-local.txt
	$(LOCK) --group dev pyproject.toml -c requirements-local.txt -o requirements-dev.txt
	cp requirements-dev.txt requirements-django61.txt
	$(subst 3.11,3.12,$(LOCK)) --group dev pyproject.toml --override requirements-django61.in \
		-o requirements-django61.txt
	$(LOCK) --group bench pyproject.toml -c requirements-dev.txt -o requirements-bench.txt

# What it needs is as old as its own release, so that nobody can publish into it.
AUDIT := .venv/bin/uv tool run --quiet --from pip-audit==2.10.1 --exclude-newer 2026-11-01 pip-audit

audit: $(DEVELOPMENT) ## Look up known vulnerabilities of all that is installed; needs https://pypi.org
	@$(AUDIT) --strict --disable-pip --require-hashes --progress-spinner off -r requirements-dev.txt || { \
		echo 'make audit failed, and the lines above say why. A package is vulnerable: raise it in pyproject.toml, then' \
			'make lock. It could not be audited, or there is no connection: nothing was checked; run make audit where' \
			'https://pypi.org answers.' >&2; exit 1; }

docs: $(RUNTIME) ## Make docs/settings.md, docs/events.md, docs/states.md and docs/schemas/ from the code
	@$(PY) -m project.console.reference
	@$(PY) manage.py bus schemas

# The tests run on 3.11 to 3.13, so these are preferred to anything newer.
$(PY):
	@for python in python3 python3.13 python3.12 python3.11; do \
		if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
			found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ] && python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		found=python3; fi; \
	if [ -z "$$found" ]; then echo 'Python 3.11 or newer is needed: install it, then try again.' >&2; exit 1; fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$found cannot make virtual environments: install its venv module (Debian: python3-venv)." >&2; exit 1; fi; \
	echo "making .venv with $$($$found --version)"; \
	$$found -m venv .venv || { rm -rf .venv; exit 1; }

$(RUNTIME): requirements.txt | $(PY)
	@echo 'installing requirements.txt'
	@$(PIP) -r requirements.txt
	@touch $@

$(LOCAL): requirements-local.txt $(RUNTIME)
	@echo 'installing requirements-local.txt'
	@$(PIP) -r requirements-local.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(LOCAL)
	@echo 'installing requirements-dev.txt'
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(BENCH): requirements-bench.txt $(DEVELOPMENT)
	@echo 'installing requirements-bench.txt'
	@$(PIP) -r requirements-bench.txt
	@touch $@
