# What a person needs: make install, make demo, make test, make check, make bench.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SOURCES := pytupli_registry benchmarks_catalog plugins tests docs

.PHONY: help install demo test test-fast test-extended test-faults test-catalog conformance check format bench bench-hub bench-network clean

help:
	@echo "make install   .venv with the core, both plugins and the test tools, from pinned versions"
	@echo "make demo      record, store, filter, train, evaluate; prints a table and the line that loads the data"
	@echo "make test      what CI runs, in parallel"
	@echo "make test-extended the tests that take minutes each: more clients, the whole catalog, random requests"
	@echo "make test-fast the tests that take no longer than a few seconds each"
	@echo "make test-faults hundreds of kills and outages of the Hub server, of publishers and of loads"
	@echo "make test-catalog the whole catalog, built twice in full size"
	@echo "make conformance every released client against every kind of Hub (make test runs a part of it)"
	@echo "make check     lint, format, types, layers"
	@echo "make bench     the performance table (tests/performance)"

install: $(INSTALLED)

# torch comes first and pinned, so that no other requirement draws in a larger build of it. What is imported is
# compiled then; compiling all that there is would take another minute.
$(INSTALLED): pyproject.toml constraints.txt plugins/pytupli-d3rlpy/pyproject.toml plugins/pytupli-minari/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt pip setuptools
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt torch
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-compile -c constraints.txt --group dev \
		-e ".[server,postgresql,pandas,torch,box2d,mujoco]" -e plugins/pytupli-d3rlpy -e plugins/pytupli-minari
	@touch $(INSTALLED)

demo: install
	$(BIN)/python docs/demo.py

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not extended"

test-extended: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -m extended

test-fast: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not extended"

test-faults: install
	PYTUPLI_FAULT_KILLS=400 PYTUPLI_FAULT_OUTAGES=20 PYTUPLI_NETWORK_FAULTS=200 \
		$(BIN)/python -m pytest -n 2 --dist load tests/server/faults tests/network/test_faults.py

test-catalog: install
	$(BIN)/python -m pytest -n 2 --dist load tests/catalog/every_benchmark.py

conformance: install
	$(BIN)/python -m pytest tests/conformance/every_combination.py

check: install
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: install
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: install
	$(BIN)/python tests/performance/run.py

bench-hub: install
	$(BIN)/python tests/performance/hub/run.py

bench-network: install
	$(BIN)/python tests/performance/network/run.py

clean:
	rm -rf $(VENV) .venvs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis bench-output demo-output
