# make demo | test | setup: each works alone, first, in a fresh clone. The environment is .venv; `make clean` removes it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# uv does not byte-compile at install: without .pyc files every process would compile torch anew.
unexport PYTHONDONTWRITEBYTECODE
export MLFLOW_DISABLE_TELEMETRY = true
# Idle threads sleep instead of spinning, which on shared cores costs more than the work itself.
export OMP_WAIT_POLICY = PASSIVE

.PHONY: setup demo test lint slow crash clean
setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements/constraints.txt requirements/install.sh
	PYTHON=$(PYTHON) sh requirements/install.sh $(VENV) -e ".[dev]"
	touch $@

demo: $(VENV)/.ready
	$(BIN)/python -m equivariance.run -m border=0,64,128,256,512 conv=same,full,unbounded seed=0,1,2,3,4 \
		data.pictures=16 optim=probe
	$(BIN)/python -m sweeps quadrant

# A worker a core, each with one thread of torch (tests/conftest.py); a worker that is done takes tests from another.
test: $(VENV)/.ready
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal --durations 10

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

slow: $(VENV)/.ready
	$(BIN)/python -m pytest -m slow

crash: $(VENV)/.ready
	$(BIN)/python -m pytest -m crash

clean:
	rm -rf $(VENV)
