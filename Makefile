# `make demo` and `make test` set up what they need; nothing has to be installed by hand.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO   := build/demo

.PHONY: setup demo test trials check bench bench-zoo docs test-zoo test-gpu clean

$(VENV)/.core: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing convscope into $(VENV) (torch is large: a minute or so)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "installing what the tests and checks need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	@$(PIP) -e ".[keras,hdf5,hf,lite,video,pdf]" --group dev
	@touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.core
	$(BIN)/convscope report examples/photographs/cat.jpg --out $(DEMO)

# One worker a core, each on one thread: many small networks are quicker so than one after the other on two threads.
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

trials: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m trial

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ONLY)

clean:
	rm -rf $(VENV) build

$(VENV)/.docs: $(VENV)/.dev
	@$(PIP) --group docs
	@touch $@

docs: $(VENV)/.docs
	$(BIN)/python docs/make_tables.py
	$(BIN)/python docs/make_pictures.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# torchvision has no CPU build for the pinned torch, so what needs it lives in an environment of its own (5 GB).
.venv-zoo/.done: pyproject.toml
	@test -x .venv-zoo/bin/python || $(PYTHON) -m venv .venv-zoo
	@.venv-zoo/bin/python -m pip install --quiet --disable-pip-version-check \
		torch torchvision timm grad-cam pytest beartype hypothesis keras scipy -e .
	@touch $@

test-zoo: .venv-zoo/.done
	.venv-zoo/bin/python -m pytest -q -m zoo tests/parity

# Where torch sees a graphics card, in whatever environment that is.
test-gpu:
	$(PYTHON) -m pytest -q -m gpu tests

bench-zoo: .venv-zoo/.done
	@.venv-zoo/bin/python -m pip install --quiet --disable-pip-version-check --no-deps torch-lucent
	@.venv-zoo/bin/python -m pip install --quiet --disable-pip-version-check decorator ipython kornia -e ".[lite]"
	.venv-zoo/bin/python -m benchmarks.against_lucent speed
	.venv-zoo/bin/python -m benchmarks.against_lucent transfer
