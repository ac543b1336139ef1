# make app    install what is missing and open the program on http://127.0.0.1:8501
# make api    the same searches for other programs, on http://127.0.0.1:8502 (docs/api.md)
# make test   install what is missing, check the style and the types, run every test
# make chaos  kill builds, swap generations, feed mutants to the decoders; some five minutes
# make deploy-check   lint the files of deploy/ and run their commands here; some two minutes, as root
# make bench BENCH=DATASET   measure quality, speed and scale on a labelled data set; some two hours
#
# BOXFIND_GALLERY=~/Pictures make app    with your own pictures

PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin

.PHONY: app api test chaos check deploy-check bench clean

app: export BOXFIND_ADMIN ?= local
app: .venv/app-installed
	@echo "Boxfind is at http://127.0.0.1:$(PORT) (stop it with Ctrl+C)"
	@$(BIN)/streamlit run app.py --server.port $(PORT)

api: .venv/api-installed
	@$(BIN)/python cli.py serve

# Four workers share two cores: much of a test is waiting. Small matrix products only lose by threads of their own.
test: export BOXFIND_OFFLINE = 1
test: export OPENBLAS_NUM_THREADS = 1
test: export OMP_NUM_THREADS = 1
test: .venv/test-installed browser check
	@$(BIN)/pytest -n 4 --dist loadscope --no-loadscope-reorder

chaos: export BOXFIND_OFFLINE = 1
chaos: .venv/test-installed
	@$(BIN)/pytest tests/chaos -rP

check: .venv/test-installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

deploy-check: .venv/test-installed
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/deploy.txt
	@$(BIN)/python -m deploy.check

bench: .venv/test-installed browser
	@$(BIN)/python -m benchmarks.quality.rankings $(BENCH)
	@$(BIN)/python -m benchmarks.quality.confidence $(BENCH)
	@$(BIN)/python -m benchmarks.speed.update $(BENCH)
	@$(BIN)/python -m benchmarks.quality.systems $(BENCH)
	@$(BIN)/python -m benchmarks.quality.text_search $(BENCH)
	@$(BIN)/python -m benchmarks.quality.groups $(BENCH)
	@$(BIN)/python -m benchmarks.speed.page $(BENCH)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/bench.txt
	@$(BIN)/python cli.py build --gallery $(BENCH)/gallery --index data/bench
	@$(BIN)/python -m benchmarks.speed --gallery $(BENCH)/gallery --index data/bench
	@$(BIN)/python -m benchmarks.scale --index data/bench

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Boxfind needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory python-venv
	$(PYTHON) -m venv .venv

.PHONY: python-venv browser
python-venv:  # Debian keeps a part of Python's own venv in a package of its own
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; \
	else echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 1; fi

.venv/app-installed: requirements.txt | .venv/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/api-installed: requirements/api.txt .venv/app-installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/api.txt
	@touch $@

.venv/test-installed: $(wildcard requirements-*.txt) .venv/app-installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; } \
		|| echo "Chromium is not here and cannot be installed without rights: browser tests will be skipped."

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache test-results
