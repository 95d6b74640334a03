# `make help` lists the targets. PYTHON names the interpreter that makes .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LAUNCHER := src/hydra-sagemaker-launcher
NEXT := .venv-hydra-next
FLIGHT := I took a flight from New York to Paris
DEMO_RUN := runs/demo
# Without the option xdist begins with the files of the most tests, and ends with the few tests that take longest.
# The tests start many processes: without caches of bytecode each would compile the project anew.
SURROUNDINGS := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
PYTEST := $(SURROUNDINGS) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Hydra 1.4 warns of what 1.3 needs.
OLD_HYDRA := ignore:The version_base parameter
PYTEST_NEXT := $(SURROUNDINGS) PYTHONWARNINGS="$(OLD_HYDRA)" $(NEXT)/bin/python -m pytest -n 2 --dist loadfile \
	--no-loadscope-reorder -W "$(OLD_HYDRA)" -W "ignore:register_new_resolver"

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-hydra-next wheels lint golden docs lock structure clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## ?/  \1|/' | column -t -s '|'

$(STAMP): pyproject.toml $(LAUNCHER)/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e $(LAUNCHER)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@

setup: $(STAMP)  ## make .venv from the pinned constraints, with both distributions editable

demo: $(STAMP)  ## train the default experiment (about 3 minutes on 2 cores), evaluate it, score the flight pair
	rm -rf $(DEMO_RUN)
	$(BIN)/paraphrase train experiment=word_order_tiny hydra.run.dir=$(DEMO_RUN)
	$(BIN)/paraphrase evaluate $(DEMO_RUN)
	$(BIN)/paraphrase predict $(DEMO_RUN) "$(FLIGHT)" "I took a flight from Paris to New York" \
		"$(FLIGHT)" "From New York I took a flight to Paris" "$(FLIGHT)" "I flew from New York to Paris" \
		"$(FLIGHT)" "I took a flight from New York to London"

test: $(STAMP)  ## the fast tests
	$(PYTEST)

test-all: $(STAMP) lint  ## the fast and the slow tests, and the launcher's on the next Hydra
	$(PYTEST) -m "not gpu and not aws"
	$(MAKE) test-hydra-next

$(NEXT)/.installed: $(STAMP)
	rm -rf $(NEXT)
	$(PYTHON) -m venv --without-pip $(NEXT)
	$(BIN)/python -m pip --python $(NEXT)/bin/python install --quiet --pre "hydra-core>=1.4.0rc3,<1.5"
	$(BIN)/python -c "import sys; print(*sys.path[1:], sep='\n')" \
		> $$($(NEXT)/bin/python -c "import site; print(site.getsitepackages()[0])")/everything_else.pth
	@touch $@

test-hydra-next: $(NEXT)/.installed  ## the launcher's tests on the newest pre-release of Hydra 1.4
	$(PYTEST_NEXT) tests/launcher
	$(PYTEST_NEXT) -m slow tests/launcher/test_hydra_suites.py

wheels: $(STAMP)  ## build the wheels of both distributions into dist/
	$(BIN)/python -m build --no-isolation --wheel --outdir dist $(LAUNCHER)
	$(BIN)/python -m build --no-isolation --wheel --outdir dist .

lint: $(STAMP)  ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

golden: $(STAMP)  ## rewrite the composed experiments that the tests compare with
	$(BIN)/python scripts/update_golden.py

docs: $(STAMP)  ## build the documentation as a site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo site/index.html

lock: $(STAMP)  ## rewrite requirements.lock: constraints.txt with the hashes of every file, for all platforms
	$(BIN)/python -m pip install --quiet -c constraints.txt uv
	$(BIN)/uv pip compile pyproject.toml --extra dev -c constraints.txt -o requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-annotate --custom-compile-command "make lock" --quiet

structure:  ## print the sizes of files and functions, and how modules and folders import each other
	$(PYTHON) scripts/structure.py

clean:  ## remove .venv, caches and build results, keep runs/
	rm -rf $(VENV) $(NEXT) dist build site .pytest_cache .ruff_cache
