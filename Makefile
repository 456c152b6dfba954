# Two commands for a new machine: `make demo` and `make test`. Everything else is for whoever works on it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
UV := $(BIN)/uv --no-config pip
LOCKED := install --require-hashes --no-deps -r

.PHONY: demo test check lock clean install install-dev docs

demo: install
	$(BIN)/resonance demo

test: install-dev
	$(BIN)/python -m pytest -n auto

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/runtime.stamp

install-dev: $(VENV)/dev.stamp

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "resonance needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked versions into $(VENV) (a minute or less) ..."
	@$(PIP) $(LOCKED) requirements/installer.txt || true
	@$(UV) $(LOCKED) requirements/runtime.txt --python $(BIN)/python || \
		{ echo "uv could not; pip tries, with its own settings ..."; $(PIP) $(LOCKED) requirements/runtime.txt; }
	@$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/runtime.stamp
	@echo "Installing the development tools ..."
	@$(UV) $(LOCKED) requirements/dev.txt --python $(BIN)/python || $(PIP) $(LOCKED) requirements/dev.txt
	@touch $@

lock:  ## New versions for everybody; needs uv (pip install uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate \
		--upgrade pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate \
		-c requirements/runtime.txt pyproject.toml --extra apprise -o requirements/apprise.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate \
		pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	echo uv | uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
		--upgrade - -o requirements/installer.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-output
