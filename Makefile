# `make demo`, `make check` and `make test` do all the set-up themselves, in .venv, from Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo check test lint bench proofs days calibration lookback calendar settings schemas picture clean

demo: .venv/installed
	@$(BIN)/spy32 demo

# A minute: linters, types, imports, and every test that is not slow. `make test` runs all of them.
check: lint
	$(BIN)/python -m pytest -n 2 -m "not slow"

test: lint
	$(BIN)/python -m pytest -n 3 --dist worksteal

lint: .venv/developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/developed
	$(BIN)/python -m benchmarks

proofs: .venv/developed
	$(BIN)/python -m proofs

days: .venv/developed
	$(BIN)/python -m tests.support.days

calibration: .venv/developed
	$(BIN)/python -m proofs.calibration

# The answers on docs/looking-back.md and its picture, for which Chromium is needed.
lookback: .venv/developed
	$(BIN)/python -m tests.support.make_lookback_page

schemas: .venv/developed
	$(BIN)/python -m tests.support.make_schemas

calendar: .venv/developed
	$(BIN)/python -m tests.support.make_calendar

settings: .venv/developed
	$(BIN)/python -m tests.support.make_settings_page

# The picture of a report's page, by Chromium: make picture PAGE=report.html PICTURE=docs/report.png
picture: .venv/developed
	$(BIN)/python -m tests.support.browser $(PAGE) $(PICTURE)

.venv/bin/python:
	@echo "making a virtual environment in .venv ..."
	@$(PYTHON) -c 'import sys; sys.exit("spy32 needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	@echo "installing spy32 and what it needs (numpy, pandas, yfinance, typer, ...): a minute or two, once ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[notify]'
	@touch $@

.venv/developed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,notify]'
	@touch .venv/installed $@

clean:
	rm -rf .venv build dist *.egg-info
