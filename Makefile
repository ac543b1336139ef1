# make app      install missing packages and start the page on http://127.0.0.1:8501; PORT=8600 for another port
# make api      start the REST API on http://127.0.0.1:8502 (docs/api.md)
# make test     install missing packages; check style, types and imports; run the tests
# make test-all make test, then the slow tests: Ray, Milvus, benchmarks, more browser stories
# make check    check style, types and imports only
# make chaos    kill builds, swap generations, feed damaged files to the decoders; about ten minutes
# make deploy-check   lint the files of deploy/ with hadolint, check-jsonschema, nginx and systemd if installed
# make audit    look for known vulnerabilities of the pinned packages; needs the network
# make bench BENCH=DATASET   measure quality, speed and scale on a labelled data set; an hour and a half, 3 GB of disk
# make bench-full BENCH=DATASET   the same with all cases and sizes; hours, 50 GB of disk
# make lock     pin the newest versions within the ranges in requirements/constraints.txt; installs everything once
# make clean    remove .venv and the files that checks leave behind
#
# BOXFIND_GALLERY=~/Pictures make app    searches your own pictures

PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
PINS := requirements/constraints.txt
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c $(PINS)

.PHONY: app api test test-all chaos check deploy-check audit bench bench-full lock clean

app: .venv/app-installed
	@$(BIN)/boxfind app --port $(PORT)

api: .venv/api-installed
	@$(BIN)/boxfind serve

# Four workers on two cores, because tests mostly wait. Single-threaded BLAS is faster for small matrix products.
test test-all: export BOXFIND_OFFLINE = 1
test test-all: export OPENBLAS_NUM_THREADS = 1
test test-all: export OMP_NUM_THREADS = 1
PYTEST := $(BIN)/pytest -n 4 --dist loadscope --no-loadscope-reorder
test: .venv/test-installed browser check
	@$(PYTEST) -m "not slow"

test-all: test
	@$(PYTEST) -m slow

chaos: export BOXFIND_OFFLINE = 1
chaos: .venv/test-installed
	@$(BIN)/pytest tests/chaos -rP

check: .venv/test-installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

deploy-check: .venv/test-installed
	@$(INSTALL) -e '.[deploy]'
	@$(BIN)/python -m deploy.check

audit: .venv/bin/pip
	@$(INSTALL) -r requirements/audit.txt
	@$(BIN)/python -m deploy.audit

bench bench-full: .venv/test-installed browser
bench:
	@$(BIN)/python -m benchmarks all $(BENCH)

bench-full:
	@$(BIN)/python -m benchmarks all $(BENCH) --full

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Boxfind needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory python-venv
	$(PYTHON) -m venv .venv

.PHONY: python-venv browser
python-venv:  # Debian ships part of the venv module in a separate package
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && $(APT_INSTALL) python3-venv >/dev/null; \
	else echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 1; fi

.venv/app-installed: pyproject.toml requirements.txt requirements/video.txt $(PINS) | .venv/bin/pip
	$(INSTALL) -e '.[video]'
	@touch $@

.venv/api-installed: requirements/api.txt .venv/app-installed
	$(INSTALL) -e '.[api]'
	@touch $@

.venv/test-installed: $(wildcard requirements/*.txt) .venv/app-installed
	$(INSTALL) -e '.[dev]'
	@touch $@

# Keeps the comment at the top of the file. Removes local versions such as +cpu, which name one build of a release.
EXTRAS := $(basename $(notdir $(filter-out $(PINS),$(wildcard requirements/*.txt))))
comma := ,
lock: .venv/bin/pip
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(BIN)/python -m venv "$$folder/venv"; \
	"$$folder/venv/bin/pip" install --disable-pip-version-check -e '.[$(subst $() ,$(comma),$(EXTRAS))]'; \
	"$$folder/venv/bin/pip" freeze --exclude-editable --exclude setuptools --exclude wheel >"$$folder/installed"; \
	grep '^#' $(PINS) >"$$folder/pins"; \
	sed -n 's/^\([A-Za-z0-9._-]*==[^+ ]*\).*/\1/p' "$$folder/installed" >>"$$folder/pins"; \
	cp "$$folder/pins" $(PINS)

browser:
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
		&& { $(APT_INSTALL) chromium-headless-shell >/dev/null || $(APT_INSTALL) chromium >/dev/null; }; } \
		|| echo "Chromium is missing and cannot be installed without root; browser tests will be skipped."

clean:
	rm -rf .venv boxfind.egg-info .mypy_cache .ruff_cache .pytest_cache test-results
