# Each target is one command. Those of the project run inside .venv, which `setup` creates and keeps up to date.

PYTHON ?= python3
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras
PEERS = .local/bench/peers

.DEFAULT_GOAL := help
.PHONY: help setup run test check format lint types imports rooms coverage clients bench bench-peers chaos attack audit commits \
	clean-start requirements clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## create .venv and install all that requirements-dev.txt locks
	@$(PYTHON) scripts/dev.py setup

run: ## run PostgreSQL, Valkey, the API and the e-mail worker (PORT=3000)
	@$(PYTHON) scripts/dev.py run

test: ## run the tests, all in parallel or those in ARGUMENTS="tests/… -k …"
	@$(PYTHON) scripts/dev.py test $(ARGUMENTS)

check: lint types imports test ## run all that decides whether a change is good

format: setup ## format the code and fix what can be fixed
	@.venv/bin/ruff check --fix-only --quiet
	@.venv/bin/ruff format

lint: setup ## look for faults and for code that is not formatted
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check

types: setup ## check the types
	@.venv/bin/mypy

imports: setup ## check that imports point one way
	@.venv/bin/lint-imports

rooms: setup ## draw docs/rooms.svg, the picture of the rooms and who imports whom
	@.venv/bin/python -m scripts.project.rooms

coverage: setup ## say which lines and branches the tests miss
	@$(PYTHON) scripts/dev.py test -n logical --maxprocesses 4 --cov --cov-report term

clients: setup tests/clients/.venv/installed tests/clients/node_modules/installed ## lint the OpenAPI document; generate, compile and run clients (needs npm)
	@$(PYTHON) scripts/dev.py test tests/clients/check_clients.py

tests/clients/.venv/installed: tests/clients/requirements.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

tests/clients/node_modules/installed: tests/clients/package-lock.json
	@cd tests/clients && npm ci --silent --ignore-scripts
	@touch $@

bench: setup $(if $(findstring --peers,$(ARGUMENTS)),bench-peers) ## measure the API (ARGUMENTS="--help" lists what can be asked)
	@.venv/bin/python -m scripts.bench $(ARGUMENTS)

# What cannot be installed is left out: a dash lets make go on.
bench-peers: setup ## install the peers of `make bench ARGUMENTS=--peers`
	-@$(MAKE) --silent --no-print-directory $(PEERS)/node_modules/installed
	-@$(MAKE) --silent --no-print-directory $(PEERS)/venv/installed

$(PEERS)/node_modules/installed: $(wildcard scripts/bench/peers/*.js*)
	@mkdir -p $(PEERS) && cp $^ $(PEERS)
	@cd $(PEERS) && npm install --silent --no-save --ignore-scripts --no-audit --no-fund
	@touch $@

$(PEERS)/venv/installed: $(wildcard scripts/bench/peers/*.py) scripts/bench/peers/requirements.txt
	@mkdir -p $(PEERS) && cp $^ $(PEERS)
	@test -x $(@D)/bin/pip || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(PEERS)/requirements.txt
	@touch $@

chaos: setup ## break everything while people book (SEED=1 SECONDS=60, ARGUMENTS="--help" lists more)
	@.venv/bin/python -m scripts.chaos --seed $(or $(SEED),1) --seconds $(or $(SECONDS),60) $(ARGUMENTS)

attack: setup ## attack the API with at least 20,000 requests (ATTACK_REQUESTS=20000)
	@ATTACK_REQUESTS=$(or $(ATTACK_REQUESTS),20000) $(PYTHON) scripts/dev.py test tests/attack $(ARGUMENTS)

commits: setup ## check that each commit after SINCE=origin/main, or of the LAST=10, stands by itself
	@.venv/bin/python -m scripts.project.commits $(if $(LAST),--last $(LAST),--since $(or $(SINCE),origin/main))

clean-start: setup ## prove that a clean clone of the last commit starts with bundled pip alone and leaves nothing
	@.venv/bin/python -m scripts.project.clean_start

audit: setup ## look for known vulnerabilities of the packages that are pinned (needs the network)
	@.venv/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.txt

requirements: ## lock what setup.cfg asks for (needs uv and the network; ARGUMENTS=--upgrade takes newer releases)
	@$(LOCK) setup.cfg --extra dev -o requirements-dev.txt $(ARGUMENTS)
	@$(LOCK) setup.cfg --extra run -c requirements-dev.txt -o requirements-run.txt
	@$(LOCK) setup.cfg -c requirements-dev.txt -o requirements.txt
	@cd scripts/bench/peers && $(LOCK) requirements.in -o requirements.txt $(ARGUMENTS)
	@cd tests/clients && $(LOCK) requirements.in -o requirements.txt $(ARGUMENTS)
	@uv run --quiet --isolated --no-project --with pip,packaging python -m scripts.project.wheels

clean: ## remove what tools have made, but not the data in .local
	@rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache *.egg-info
	@rm -rf .mypy_cache .pytest_cache .ruff_cache tests/clients/.venv tests/clients/node_modules tests/clients/generated
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
