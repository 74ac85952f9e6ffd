# make demo      animate our own example through the extension: out/demo/
# make test      format, lint, types, tests; .ci/run calls it
#                and, where there is a Python 3.13, those of the add-on in Blender 5.3 too
# make test-all  the same, the tests that take long, and those of the add-on in other versions of Blender
# make bench     the benchmarks, one table each
# make clean     remove environments, builds and results
SHELL := /bin/sh
PYTHON ?= python3.11
export PYTHON

BACKEND := .venv/bin/python
BLENDER := .venv-blender/bin/python
# Besides 4.5 LTS, by `make test-all`; each is a download of 350 to 520 MB. From 5.1 on they are for Python 3.13.
NEWER_PYTHON ?= python3.13
NEWER := $(shell $(NEWER_PYTHON) -c 1 2>/dev/null && echo there)
NEWEST := 5.3.0
OTHER_BLENDERS := 4.2.0 5.0.1 $(if $(NEWER),5.2.0 $(NEWEST),)
TOLD_OF_NEWER := $(if $(NEWER),:,echo "Blender from 5.1 on was left out: there is no Python 3.13 (NEWER_PYTHON=...)")
python_for = $(if $(filter 4.% 5.0.%,$1),$(PYTHON),$(NEWER_PYTHON))
TORCH := .venv-torch/bin/python
# What else pip is told when it installs PyTorch, such as where its CPU builds are: --extra-index-url=...
TORCH_PIP ?=
# Byte code of all that lies in PyTorch and Blender takes longer to make than what is imported of it.
PIP := -m pip --disable-pip-version-check install --no-compile
ADDON_SOURCES := $(shell find motion324_addon backend/motion324 wheels -name '*.py' -o -name '*.toml' -o -name '*.onnx' -o -path '*/templates/*') \
	blender_manifest.toml build_addon.py build_pages.py backend/pyproject.toml LICENSE.md $(wildcard docs/*.md docs/images/*.* docs/images/*/*)
PYTEST_MARKS := not long
# Files of tests run in so many processes side by side, on a computer of one core in this one. Each has one thread for
# numerical libraries: several that wait for each other on the same cores take longer. What takes longest comes first.
TEST_PROCESSES ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); echo $$((cores > 4 ? 4 : cores)))
PYTEST := -m pytest -n $(if $(filter 1,$(TEST_PROCESSES)),0,$(TEST_PROCESSES)) --dist loadfile --no-loadscope-reorder
# Tests start hundreds of processes, of which none should compile anew what pip has not.
export PYTHONDONTWRITEBYTECODE :=
test test-all: export OMP_NUM_THREADS := 1
test test-all: export NUMBA_NUM_THREADS := 1
# They skip in .venv, which holds what most people install, and run in .venv-torch.
TORCH_TESTS := $(shell grep -l -e 'importorskip."torch"' -e 'find_spec."torch"' -r tests/backend --include='test_*.py')
CHECKED := backend motion324_addon tests examples benchmarks build_addon.py build_pages.py

ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif

.PHONY: demo test test-all bench clean system environments lint types

demo: environments dist/.built
	$(BLENDER) examples/demo.py --zip "$$(cat dist/.built)" --backend-python $(BACKEND) --output out/demo

test: all-environments lint types tests $(if $(NEWER),tests-in-blender-$(NEWEST))
	@$(TOLD_OF_NEWER)

test-all: PYTEST_MARKS := long or not long
test-all: .cache/gltf-validator/.made .cache/three/.made all-environments lint types tests tests-in-the-window $(OTHER_BLENDERS:%=tests-in-blender-%)
	@$(TOLD_OF_NEWER)

.PHONY: tests
tests: environments .venv-torch/.made
	$(BACKEND) $(PYTEST) tests/end_to_end tests/backend -m "$(PYTEST_MARKS)"
	$(TORCH) $(PYTEST) $(TORCH_TESTS) -m "$(PYTEST_MARKS)"
	MOTION324_TEST_BACKEND="$(CURDIR)/$(BACKEND)" $(BLENDER) $(PYTEST) tests/addon -m "$(PYTEST_MARKS)"

# One after the other: they measure how long Blender's window is held up.
.PHONY: tests-in-the-window
tests-in-the-window: environments
	MOTION324_TEST_BACKEND="$(CURDIR)/$(BACKEND)" $(BLENDER) -m pytest tests/gui -m "$(PYTEST_MARKS)"

tests-in-blender-%: environments .venv-blender-%/.made
	MOTION324_TEST_BACKEND="$(CURDIR)/$(BACKEND)" .venv-blender-$*/bin/python $(PYTEST) tests/addon -m "not long"

lint: environments
	$(BACKEND) -m ruff format --check $(CHECKED)
	$(BACKEND) -m ruff check $(CHECKED)

types: environments
	$(BACKEND) -m mypy

bench: environments
	$(BACKEND) benchmarks/wire.py
	$(BLENDER) benchmarks/exports.py
	$(BACKEND) benchmarks/clips_with_truth.py
	$(BACKEND) benchmarks/default_reconstructor.py --frames 24
	$(BACKEND) benchmarks/evaluation.py
	$(BACKEND) benchmarks/foreground.py
	if $(TORCH) -c "import torch; assert torch.cuda.is_available()" 2>/dev/null; \
	then $(TORCH) benchmarks/motion_transformer.py; fi

clean:
	rm -rf .venv .venv-blender* .venv-torch .cache out dist build backend/build backend/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find backend motion324_addon tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

system:
	@tools/system_check.sh

environments: system .venv/.made .venv-blender/.made

# Side by side, since each of them mostly unpacks on one core.
.PHONY: all-environments
all-environments: system
	@$(MAKE) --no-print-directory -s -j SIDE_BY_SIDE=yes .venv/.made .venv-blender/.made .venv-torch/.made

# Stamps: an environment is made anew when what it should hold has changed.
.venv/.made: backend/pyproject.toml | system
	@echo "Making .venv: the backend with what its tests need"
	$(PYTHON) -m venv --clear .venv
	$(BACKEND) $(PIP) -e "backend[dev]"
	@touch $@

# Khronos' validator, for tests of GLBs, which are skipped where there is no npm.
.cache/gltf-validator/.made:
	@mkdir -p $(@D)
	if command -v npm >/dev/null; then npm install --silent --no-save --prefix $(@D) gltf-validator@2.0.0-dev.3.10; fi
	@touch $@

# three.js, which plays rigs for the web in tests; likewise.
.cache/three/.made:
	@mkdir -p $(@D)
	if command -v npm >/dev/null; then npm install --silent --no-save --prefix $(@D) three@0.170.0; fi
	@touch $@

.venv-torch/.made: backend/pyproject.toml tests/backend/requirements-torch.txt | system
	@echo "Making .venv-torch: the backend with PyTorch, for the tests of the motion transformer."
	@echo "A download of 200 MB where pip finds PyTorch's CPU build, as on macOS and Windows; PyPI's for Linux brings"
	@echo "CUDA, 3 GB. To choose the small one there: make test TORCH_PIP=--extra-index-url=ADDRESS_OF_THE_CPU_BUILDS"
	$(PYTHON) -m venv --clear .venv-torch
	$(TORCH) $(PIP) $(TORCH_PIP) -e "backend[dev,cpu]" -r tests/backend/requirements-torch.txt
	@touch $@

.venv-blender/.made: tests/addon/requirements.txt | system
	@echo "Making .venv-blender: Blender 4.5 LTS as a Python module (a download of 373 MB)"
	$(PYTHON) -m venv --clear .venv-blender
	$(BLENDER) $(PIP) -r tests/addon/requirements.txt
	@touch $@

.PRECIOUS: .venv-blender-%/.made
.venv-blender-%/.made: tests/addon/requirements.txt | system
	@echo "Making .venv-blender-$*: Blender $* as a Python module"
	$(call python_for,$*) -m venv --clear .venv-blender-$*
	.venv-blender-$*/bin/python $(PIP) bpy==$* $$(sed -e 's/#.*//' -e '/^bpy==/d' tests/addon/requirements.txt)
	@touch $@

dist/.built: $(ADDON_SOURCES) .venv-blender/.made
	@mkdir -p dist
	@echo "Building the extension"
	@$(BLENDER) build_addon.py > dist/.built.unfinished && mv dist/.built.unfinished $@
