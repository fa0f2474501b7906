# Every target does all its set-up; nothing needs to be there but Python >= 3.11, make and git.
PYTHON ?= python3
UV := UV_PYTHON_DOWNLOADS=never .uv/bin/uv
RUN := .venv/bin

.PHONY: help setup demo test check prove engines lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready  ## make .venv with everything the project and its tests need

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mlopskit needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip --quiet install --requirement requirements.uv.lock --require-hashes

.venv/ready: .uv/bin/uv requirements.lock pyproject.toml $(wildcard plugins/*/pyproject.toml)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable . $(addprefix --editable ,$(wildcard plugins/*))
	@touch $@

demo: setup  ## the whole way on real data: train, gate, package, deploy, verify, refuse, roll back
	@$(RUN)/python examples/sentiment/demo.py

test: setup  ## run the tests
	@$(RUN)/python -m pytest -n auto --dist worksteal

check: setup  ## lint, types, import contracts, documentation
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports
	@$(RUN)/python -m pytest -q tests/repo

prove: setup  ## measure every figure that the documentation names (hours); PART="portable device" some of them
	@$(RUN)/python benchmarks/prove.py $(PART)
	@$(if $(PART),,$(RUN)/python benchmarks/honesty.py)

engines: .engines/ready  ## make .engines, with the engines of other pipelines and what asks services, for tests

.engines/ready: .uv/bin/uv requirements.engines.lock pyproject.toml
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .engines
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes --python .engines requirements.engines.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python .engines --editable .
	@touch $@

lock: .uv/bin/uv  ## choose the newest versions and write them down
	@$(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-header --group dev --no-emit-package mlopskit --output-file requirements.lock pyproject.toml $(wildcard plugins/*/pyproject.toml)
	@$(UV) pip compile --quiet --upgrade --universal --generate-hashes --no-header --group engines --constraint requirements.lock --output-file requirements.engines.lock pyproject.toml

clean:  ## remove what the targets made
	@rm -rf .venv .uv .engines build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
