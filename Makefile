# Everything a contributor runs. `make test` and `make demo` set up all they need by themselves:
# a machine with Python 3.11 or newer, a C++20 compiler, make and a network is enough.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell .ci/find-python)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
# The build's tools (cmake, ninja, ruff, clang-format …) are those of the environment.
export PATH := $(BIN):$(PATH)
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CPP_FILES = $(shell find include src tests examples -name '*.h' -o -name '*.cpp')
PY_DIRS := $(wildcard python tests examples benchmarks)

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

# ---- Set-up ----------------------------------------------------------------------------------
# A stamp is older than what it depends on when something has to be installed again.
$(VENV)/.venv:
	@.ci/system-packages build
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.tools: $(VENV)/.venv .ci/requirements.py pyproject.toml
	@echo "setting up $(VENV)"
	@$(BIN)/python .ci/requirements.py test > $(VENV)/requirements.txt
	@$(BIN)/pip install --quiet --requirement $(VENV)/requirements.txt
	@touch $@

$(VENV)/.test-system: $(VENV)/.tools .ci/system-packages
	@.ci/system-packages test
	@touch $@

.PHONY: install
install: $(VENV)/.tools ## Builds the package into .venv (only what has changed is compiled)
	@$(BIN)/pip install --quiet --force-reinstall --no-deps --no-build-isolation .

# ---- Running ---------------------------------------------------------------------------------
.PHONY: demo
demo: install ## Saxpy, RMSNorm and edges of a photograph, with times and errors
	@$(BIN)/python examples/demo.py

.PHONY: test
test: checks suite ## All checks and all tests

# On Linux the Python tests run on a build that has the Metal runtime, on software Metal. The wheel
# has none there; tests/test_wheel.py runs what the users of it get.
.PHONY: suite
suite: install suite-build ## All tests, on every device that this machine has
	PYTHONPATH=$(SUITE_PACKAGE) $(BIN)/python -m pytest -n $(JOBS)

.PHONY: suite-build
ifeq ($(shell uname),Linux)
SUITE_PACKAGE := $(CURDIR)/build/softmetal/python
suite-build: $(VENV)/.test-system
	@cmake --preset softmetal -DPython_EXECUTABLE=$(BIN)/python > $(VENV)/softmetal-configure.log \
	  || { cat $(VENV)/softmetal-configure.log; exit 1; }
	@cmake --build --preset softmetal --target _core _core_stub msl_lab
	@$(call python-files,softmetal)
else
SUITE_PACKAGE :=
suite-build:
endif
# The package's Python files beside the module of a build folder.
python-files = find build/$(1)/python -name '*.py' -delete && cp -R python/enigma build/$(1)/python/

.PHONY: checks
# In this order: what fails fastest comes first.
checks: $(VENV)/.test-system lint types tidy asan ## All but the plain run of the tests

.PHONY: lint
lint: $(VENV)/.tools ## Formatters and linters, changing nothing
	@echo "formatters, linters"
	@clang-format --dry-run --Werror $(CPP_FILES)
	@ruff check --quiet $(PY_DIRS) .ci
	@ruff format --check --quiet $(PY_DIRS) .ci

.PHONY: types
types: install ## mypy, on the installed package because the stub of _core is generated into it
	@cd $(VENV) && mypy --config-file ../pyproject.toml --python-executable $(BIN)/python -p enigma

.PHONY: format
format: $(VENV)/.tools ## Formats all sources
	clang-format -i $(CPP_FILES)
	ruff check --quiet --fix $(PY_DIRS) .ci
	ruff format --quiet $(PY_DIRS) .ci

# ---- Sanitizers ------------------------------------------------------------------------------
# One build under AddressSanitizer and UBSan serves the C++ tests and a run of the Python tests.
# The interpreter itself is not instrumented: the runtime is preloaded (and libstdc++ with it, whose
# exceptions the runtime must see), and leaks are not reported because CPython keeps its memory.
# pytest leaves file descriptor 2 alone, so that a report is seen when a worker dies of it.
ifeq ($(shell uname),Linux)
ASAN := softmetal-asan
else
ASAN := asan
endif
CLANG_FILE = $$(clang++-19 -print-file-name=$(1))

.PHONY: asan-configure
asan-configure: $(VENV)/.test-system
	@cmake --preset $(ASAN) -DPython_EXECUTABLE=$(BIN)/python > $(VENV)/asan-configure.log \
	  || { cat $(VENV)/asan-configure.log; exit 1; }

.PHONY: tidy
ifeq ($(shell uname),Linux)
tidy: asan-configure ## clang-tidy, with the commands of the sanitizer build
	@echo "clang-tidy"
	@find src -name '*.cpp' -not -name no_metal.cpp | xargs -P $(JOBS) -n 4 \
	  clang-tidy --quiet -p build/$(ASAN) 2> /dev/null
else
tidy: # The packaged clang-tidy does not find the headers of Apple's library.
endif

.PHONY: asan-build
asan-build: asan-configure
	cmake --build --preset $(ASAN)

.PHONY: asan
ifeq ($(shell uname),Linux)
asan: asan-build install ## C++ tests and most Python tests under AddressSanitizer and UBSan
	ctest --preset $(ASAN) -j $(JOBS)
	@$(call python-files,$(ASAN))
	LD_PRELOAD="$(call CLANG_FILE,libclang_rt.asan-$(shell uname -m).so) \
	  $(call CLANG_FILE,libstdc++.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	PYTHONPATH=$(CURDIR)/build/$(ASAN)/python \
	  $(BIN)/python -m pytest -n $(JOBS) -m 'not slow and not no_asan' \
	  --device=cpu --device=softmetal \
	  --hypothesis-profile=quick --capture=sys -p no:cacheprovider tests/python
else
asan: asan-build ## C++ tests under AddressSanitizer and UBSan
	ctest --preset $(ASAN) -j $(JOBS)
endif

# ---- The rest --------------------------------------------------------------------------------
.PHONY: bench
bench: install ## Benchmarks against numpy, memcpy and installed peers (enigma[bench])
	$(BIN)/python -m benchmarks

.PHONY: wheel
wheel: $(VENV)/.tools ## A wheel for this machine, in dist/
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: clean
clean: ## Removes everything that was built, and the environment
	rm -rf build dist $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
