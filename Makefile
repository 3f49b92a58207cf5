# The two commands of the README are `make run` and `make test`. Everything happens in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN_DIR ?= runs/default
# linear algebra libraries with several threads each only get in each other's way on two cores
export OMP_NUM_THREADS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install run test lint types layers fast slow notebooks coverage clean

help:
	@echo "make run        the whole pipeline on 20 US stocks; results in $(RUN_DIR)"
	@echo "make test       lint, types, layers and the fast tests"
	@echo "make slow       the slow tests;  make notebooks: execute examples/*.ipynb"
	@echo "make coverage   fast tests with branch coverage (fails below 85 %)"
	@echo "make clean      remove the environment and caches"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing (once; a few minutes) ..."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@# a peer of tests and benchmarks; without dependencies, because one of them (vectorbt) is not freely licensed and not used here
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps riskfolio-lib
	@touch $(STAMP)

run: $(STAMP)
	$(BIN)/tsgen run --output $(RUN_DIR)

test: lint types layers fast

lint: $(STAMP)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

types: $(STAMP)
	$(BIN)/basedpyright --level error

layers: $(STAMP)
	$(BIN)/lint-imports --no-logo >$(VENV)/layers.txt || (cat $(VENV)/layers.txt; exit 1)

fast: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --no-header -n 2 --dist worksteal

coverage: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --no-header -n 2 --dist worksteal --cov --cov-report=term

slow: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --no-header -n 2 --dist worksteal -m "slow and not gpu"

notebooks: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --no-header --nbmake --nbmake-timeout=900 --timeout=1800 examples/*.ipynb

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* dist build
