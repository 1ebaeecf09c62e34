# The two commands: make run, make test. Both set up everything they need, in .venv.
# To use another Python: make test PYTHON=python3.13. To keep the existing environment, add VENV=.venv-3.13.
PYTHON ?= python3
VENV ?= .venv
# Arguments for pytest: make test ARGS='-k seek'.
ARGS ?=
# `make soak`: seconds per fuzzer, and the option for the long variants of the tests (empty: the short ones).
FUZZ_SECONDS ?= 1200
SOAK ?= --soak
# Processes of `make soak`: the fuzzers and the long variants run side by side.
SOAK_PARALLEL ?= -n 3 --dist worksteal
BIN := $(VENV)/bin
# Keep bytecode: otherwise each process of a test run compiles all tests again.
export PYTHONDONTWRITEBYTECODE :=
# Tests run in parallel unless pytest-xdist is turned off.
PARALLEL := $(if $(findstring no:xdist,$(ARGS)),,-n auto --dist worksteal)
.DEFAULT_GOAL := help

CLIENT := src/asf/console/static/.built

.PHONY: FORCE help run test quick soak browsers check bench stalls scaling client packages docs site format requirements setup clip screenshot clean

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 24

run: $(VENV)/.run $(CLIENT) ## Set up and start the server on this machine (port 5006)
	@mkdir -p shared_audio
	@echo
	@echo "  Once ASF is listening, open http://127.0.0.1:$${ASF_PORT:-5006}/, or use another terminal in this directory:"
	@echo
	@[ "$${ASF_PORT:-5006}" = 5006 ] || echo "    export ASF_URL=http://127.0.0.1:$$ASF_PORT"
	@echo "    $(BIN)/asf demo                     generate a podcast in real time"
	@echo "    $(BIN)/asf listen demo -o out.mp3   receive it (then play out.mp3)"
	@echo "    $(BIN)/asf watch alice              print the UI updates of client alice, such as this one (third terminal):"
	@echo "    $(BIN)/asf push alice generation_progress '{\"percentage\": 50}'"
	@echo
	@# The demo clip is outside the default audio root, and a development server has no access control. What is set in the
	@# environment or in .env takes precedence.
	@in_dotenv() { grep -qsE "^[[:space:]]*(export[[:space:]]+)?$$1[[:space:]]*=" .env; }; \
		in_dotenv ASF_AUDIO_ROOTS || export ASF_AUDIO_ROOTS="$${ASF_AUDIO_ROOTS:-./shared_audio:./demo}"; \
		in_dotenv ASF_HOST || export ASF_HOST="$${ASF_HOST:-127.0.0.1}"; \
		exec $(BIN)/asf serve

test: setup ## Set up and run the whole test suite; ARGS='-k seek' selects tests
	$(BIN)/pytest $(PARALLEL) $(ARGS)

quick: $(VENV)/.test ## Run the unit tests that need no other program, in two minutes
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-quick} $(BIN)/pytest -q -m "not programs" $(PARALLEL) tests/unit $(ARGS)

soak: setup ## Inject faults for an hour, and write docs/reliability.md
	$(BIN)/pytest $(SOAK_PARALLEL) tests $(SOAK) --fuzz-seconds=$(FUZZ_SECONDS) --ledger=var/ledger.json
	$(BIN)/python tools/write_reliability.py var/ledger.json

browsers: setup ## Play all formats in three browser engines, and write docs/browsers.md
	rm -f var/browsers.jsonl && mkdir -p var
	-$(BIN)/pytest -n 3 --dist worksteal tests/browser/test_engines.py --soak --browsers=var/browsers.jsonl
	$(BIN)/python tools/write_browsers.py var/browsers.jsonl

check: setup ## Check format, lint, types and architecture, and run the tests with branch coverage
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q $(PARALLEL) $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=96

format: setup ## Format the code and apply safe lint fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Hashes of all files of each release: pip installs nothing else.
PIP_COMPILE := $(BIN)/pip-compile -q --upgrade --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --no-header

requirements: setup ## Update the pinned dependencies, and their hashes, from pyproject.toml
	$(PIP_COMPILE) -o requirements.txt pyproject.toml
	$(PIP_COMPILE) --extra redis --extra objects -c requirements.txt -o requirements-image.txt pyproject.toml
	@# pip-tools needs setuptools, which pip-compile would leave out; each environment has a pip.
	$(PIP_COMPILE) --unsafe-package pip --extra dev --extra site -c requirements.txt -c requirements-image.txt -o requirements-dev.txt pyproject.toml

bench: $(VENV)/.bench ## Benchmark ASF and its peers (ten minutes, two cores, a C compiler)
	$(BIN)/python -m benchmarks

stalls: setup ## Measure how much one client, disk or Redis delays all others (ten minutes, two cores, a C compiler)
	$(BIN)/python -W ignore -m benchmarks.stalls

scaling: setup ## Write the tables of docs/scaling.md; MEASURE=--measure repeats the measurements
	$(BIN)/python -W ignore -m benchmarks.scaling $(MEASURE)

client: $(CLIENT) ## Build the browser client and the console page (needs npm)

packages: setup ## Build the wheel, the source archive and the npm package in dist/
	$(BIN)/python -m build --no-isolation
	cd clients/js && npm pack --pack-destination ../../dist

docs: $(VENV)/.run ## Update the documents that are generated from the code
	$(BIN)/python tools/draw_session.py
	$(BIN)/python tools/write_reference.py

site: $(VENV)/.test tools/site/node_modules/.installed ## Build the documents as a site: open site/index.html
	@tools/build_site.sh $(BIN)/python site && echo "Open site/index.html"

clip: ## Regenerate the demo clip (needs espeak-ng and ffmpeg)
	$(BIN)/python tools/make_clip.py

screenshot: client ## Take the picture of the console for the README again (needs Chromium)
	$(BIN)/python tools/take_screenshot.py

clean: ## Remove everything that the targets created
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage* tests/browser/node_modules \
		clients/js/node_modules clients/js/dist clients/operator/dist clients/reference/node_modules dist examples/react/node_modules \
		examples/react/build src/asf/console/static site tools/site/node_modules

setup: $(VENV)/.test
	@tools/install_test_tools.sh $(VENV)
	@$(MAKE) --silent client

# The Python version of the environment; rewritten only when it changes.
$(VENV)/.python: FORCE
	@tools/make_venv.sh "$(PYTHON)" "$(VENV)" $(if $(filter file,$(origin PYTHON)),,named)

$(VENV)/.run: $(VENV)/.python requirements.txt pyproject.toml
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.bench: $(VENV)/.run
	@# As a constraint a file with hashes would demand those of matplotlib, too.
	@sed -nE 's/^([^ #]+==[^ ]+).*/\1/p' requirements-dev.txt > $(VENV)/constraints.txt
	$(BIN)/pip install -q --disable-pip-version-check -c $(VENV)/constraints.txt 'matplotlib>=3.10,<4'
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements-dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# Without npm the site shows diagrams as text.
tools/site/node_modules/.installed: tools/site/package-lock.json
	@! command -v npm >/dev/null || { npm ci --prefix tools/site --ignore-scripts --no-audit --no-fund --silent && cp $< $@; }

$(CLIENT): tools/build_client.sh clients/js/package-lock.json clients/js/tsconfig.json clients/js/build.mjs $(wildcard clients/js/src/*.ts clients/js/src/*/*.ts) clients/operator/build.mjs $(wildcard clients/operator/src/*.ts) clients/reference/package-lock.json
	@tools/build_client.sh
