# Everything a user or a developer runs. Needs only make and Python 3.11 or newer; `make help` lists the targets.
#
# Each set of packages has a stamp file in .venv that depends on pyproject.toml and constraints.txt: a second run
# installs nothing, and a change of either file installs again.

PYTHON = python3
HOST = 127.0.0.1
PORT = 8080
VOICE = shanquan
ARGS =

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PACKAGES := pyproject.toml constraints.txt
SOURCES := server streaming clients training benchmarks tests

.DEFAULT_GOAL := help
.PHONY: help install install-training train-voice serve tune test test-training test-image test-browser browser-types bench-browser interop format bench-ttfc bench-cache bench-load bench-protocols bench-killed bench-import bench-ladder bench-quality engines lock clean distclean
.PHONY: check check-format check-lint check-types check-imports
.DELETE_ON_ERROR:

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-18s %s\n' "$$name" "$$text"; done
	@echo "  Variables: PYTHON=$(PYTHON) HOST=$(HOST) PORT=$(PORT) VOICE=$(VOICE) ARGS='more flags or pytest arguments'"

install: $(VENV)/.stamp-install  ## Create .venv with what the server needs (CPU)

install-training: $(VENV)/.stamp-training  ## The same with torch and all that training needs

serve: $(VENV)/.stamp-install  ## Start the server with the embedded voice on HOST:PORT
	@exec $(BIN)/zhiyin serve --host $(HOST) --port $(PORT) $(ARGS)

tune: $(VENV)/.stamp-install  ## Find what runs VOICE fastest here; then: ZHIYIN_VOICE__ENGINE=auto make serve
	@$(PIP) install --quiet -c constraints.txt -e ".[optimize,numba]"
	$(BIN)/zhiyin voices optimize $(VOICE) --precision int8-static,int8-weights
	$(BIN)/zhiyin tune $(VOICE)

test: $(VENV)/.stamp-dev  ## Run the tests that need no torch
	$(BIN)/python -m pytest --ignore=tests/training --ignore=tests/image --ignore=tests/interop --ignore=tests/browser $(ARGS)

test-training: $(VENV)/.stamp-training  ## Add torch; run the tests of networks, parity, training and export
	$(BIN)/python -m pytest tests/training $(ARGS)

test-image: $(VENV)/.stamp-dev  ## Lint the Dockerfile; take the steps of its CPU image here, without Docker
	$(BIN)/python -m pytest tests/image $(ARGS)

# CHROMIUM=/path/to/it if it is not on the PATH. npm's packages (types, accessibility) are for these tests only.
test-browser: $(VENV)/.stamp-browser build/browser/.stamp  ## The page and the browser client in a real Chromium
	$(BIN)/python -m pytest tests/browser $(ARGS)

bench-browser: $(VENV)/.stamp-browser  ## Time from speak() to the first audible sample in Chromium
	$(BIN)/python -m benchmarks.browser $(ARGS)

DECLARATIONS := --declaration --emitDeclarationOnly --allowJs --checkJs --strict --target ES2022 --module ES2022 --moduleResolution bundler --lib ES2023,DOM,DOM.Iterable --newLine lf

browser-types: build/browser/.stamp  ## Write clients/browser/types anew from the JSDoc of the modules
	rm -rf clients/browser/types
	build/browser/node_modules/.bin/tsc $(DECLARATIONS) --outDir clients/browser/types clients/browser/index.js

build/browser/.stamp: tests/browser/package.json
	@command -v npm >/dev/null || { echo "npm was not found; on Debian and Ubuntu: apt-get install nodejs npm" >&2; exit 1; }
	@mkdir -p build/browser
	@cp $< build/browser/package.json
	@npm install --prefix build/browser --no-audit --no-fund --silent
	@touch $@

# Each SDK has an environment of its own: their pins do not agree with one another, or with ours.
SDKS := $(patsubst tests/interop/requirements/%.txt,%,$(wildcard tests/interop/requirements/*.txt))

.PHONY: interop-environments
interop-environments: $(SDKS:%=build/interop/%/.stamp)

interop: $(VENV)/.stamp-dev interop-environments  ## Real SDKs of other vendors against the real server
	$(BIN)/python -m pytest tests/interop -s $(ARGS)

build/interop/%/.stamp: tests/interop/requirements/%.txt | $(VENV)/bin/python
	@echo "installing the SDK: $*"
	@$(BIN)/python -m venv --clear build/interop/$*
	@build/interop/$*/bin/python -m pip --disable-pip-version-check install --quiet -r $<
	@touch $@

check: check-format check-lint check-types check-imports  ## Format, lint, types and import arrows

check-format: $(VENV)/.stamp-dev
	$(BIN)/ruff format --check .

check-lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .

check-types: $(VENV)/.stamp-dev
	$(BIN)/mypy

check-imports: $(VENV)/.stamp-dev
	$(BIN)/python -m pytest -q tests/test_imports.py

format: $(VENV)/.stamp-dev  ## Rewrite the sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-ttfc: $(VENV)/.stamp-training  ## Time to first chunk against the whole-utterance pipeline
	$(BIN)/python -m benchmarks.ttfc $(ARGS)

bench-cache: $(VENV)/.stamp-dev  ## Time to first chunk of sentences that were spoken before
	$(BIN)/python -m benchmarks.cache $(ARGS)

bench-load: $(VENV)/.stamp-dev  ## Capacity in streams, and what the scheduler is worth (half an hour)
	$(BIN)/python -m benchmarks.load $(ARGS)

bench-protocols: $(VENV)/.stamp-dev  ## Time to first chunk of every protocol and format, against native PCM
	$(BIN)/python -m benchmarks.protocols $(ARGS)

bench-killed: $(VENV)/.stamp-dev  ## How soon killed clients are forgotten
	$(BIN)/python -m benchmarks.killed_clients $(ARGS)

bench-ladder: $(VENV)/.stamp-training  ## Every rung from PyTorch to what streams fastest: latency, RTF, memory
	$(BIN)/python -m benchmarks.ladder $(ARGS)

bench-quality: $(VENV)/.stamp-training  ## What each rung costs in quality, against configs/quality.yaml
	@$(PIP) install --quiet -c constraints.txt -e ".[quality]"
	$(BIN)/python -m benchmarks.quality $(ARGS)

# No GPU is needed: what this parser and builder accept, TensorRT on a GPU does.
engines: $(VENV)/.stamp-training  ## Build TensorRT-RTX engines of every shipped network: FP32, FP16, INT8
	rm -rf build/engines
	$(BIN)/zhiyin voices optimize $(VOICE) --precision fp16,int8-tensorrt --into build/engines/voices
	for precision in fp32 fp16 int8-tensorrt; do \
		$(BIN)/zhiyin engine build $(VOICE) --voices build/engines/voices --library tensorrt_rtx \
			--precision $$precision --cache build/engines/cache || exit 1; done

bench-import: $(VENV)/.stamp-training  ## Import a voice of full width (random weights); the same times for it
	$(BIN)/python -m benchmarks.full_width build/full_width
	$(BIN)/python -m benchmarks.ttfc --voice build/full_width $(ARGS)

TRAINING = --config configs/training/$(VOICE).yaml --out build/$(VOICE)

# docs/training.md explains the steps. Corpus and features come out the same each time; trainings resume.
train-voice: $(VENV)/.stamp-training  ## Make the embedded voice again from nothing (hours on a CPU)
	$(BIN)/python -m training.corpus $(TRAINING)
	$(BIN)/python -m training.features $(TRAINING)
	$(BIN)/python -m training.train_vocoder source $(TRAINING)
	$(BIN)/python -m training.train_acoustic $(TRAINING)
	$(BIN)/python -m training.train_vocoder body $(TRAINING)
	$(BIN)/python -m training.train_recogniser $(TRAINING)
	$(BIN)/python -m training.export_voice $(TRAINING)
	$(BIN)/python -m training.evaluate $(TRAINING)
	$(BIN)/python -m training.model_card --config configs/training/$(VOICE).yaml

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "'$(PYTHON)' was not found. Zhiyin needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old. Zhiyin needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv module does not work; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# Variables, because make would cut a literal list of extras at its commas.
SERVE_EXTRAS := cpu,codecs
DEV_EXTRAS := cpu,dev
BROWSER_EXTRAS := cpu,dev,browser
TRAINING_EXTRAS := cpu,dev,training,rtx

# pip creates the console script from the metadata, and `-e` makes it run the sources of this folder.
define install_extras
@echo "installing packages: zhiyin[$(1)]"
@$(PIP) install --quiet -c constraints.txt -e ".[$(1)]"
@touch $@
endef

$(VENV)/.stamp-install: $(PACKAGES) | $(VENV)/bin/python
	$(call install_extras,$(SERVE_EXTRAS))

$(VENV)/.stamp-dev: $(PACKAGES) $(VENV)/.stamp-install
	$(call install_extras,$(DEV_EXTRAS))

$(VENV)/.stamp-browser: $(PACKAGES) $(VENV)/.stamp-dev
	$(call install_extras,$(BROWSER_EXTRAS))

$(VENV)/.stamp-training: $(PACKAGES) $(VENV)/.stamp-dev
	$(call install_extras,$(TRAINING_EXTRAS))

# Resolves anew from pyproject.toml, in an environment of its own. Local version labels (torch's +cpu) are dropped: the
# same version from another index is as good. pip itself is the user's.
lock:  ## Renew constraints.txt from the newest versions that pyproject.toml allows
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip --disable-pip-version-check install --quiet ".[cpu,dev,browser,training,play]"
	{ sed -n '/^#/p' constraints.txt; \
	  build/lock/bin/python -m pip freeze --all | grep '^[^#].*==' | grep -v '^pip==' | sed 's/+[^ ;]*//'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/lock

clean:  ## Remove caches and build products
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean  ## Remove the environment too
	rm -rf $(VENV)
