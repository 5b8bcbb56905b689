# `make` alone prints what there is to do. Every target sets up what it needs.
PRESET ?= book
DATA ?= embedded
PYTHON ?= python3
BIN := .venv/bin
ENV := .venv/.ready
unexport PYTHONDONTWRITEBYTECODE  # images set it; the many processes would each compile the module

.DEFAULT_GOAL := help
.PHONY: help env book pdf publish figure test test-fast lab run sweep bench lint lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1	/' | expand -t 11

env: $(ENV)  ## create .venv from requirements.lock
$(ENV): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	touch $@

book: $(ENV)  ## run the notebooks, render the book; PRESET=smoke|book|paper DATA=embedded|real
	$(BIN)/cchkd book --preset $(PRESET) --data $(DATA)

pdf: $(ENV)  ## the book as one PDF, _build/book.pdf; needs chromium; PRESET, DATA as for book
	$(BIN)/cchkd book --preset $(PRESET) --data $(DATA) --pdf

publish:  ## copy the rendered book to any static host: DEST=user@host:/path or a folder
	@$(PYTHON) -I cchkd_utils/book/publish.py "$(DEST)"

figure: $(ENV)  ## draw the README's figure from the recorded results
	$(BIN)/python -m cchkd_utils.sections.intro.page

test: $(ENV)  ## run the tests, three workers on two cores
	$(BIN)/python -m pytest -q -n auto --dist loadfile

test-fast: $(ENV)  ## the tests that need neither kernel nor browser: a minute, for the inner loop
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow"

lab: $(ENV)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

run: $(ENV)  ## run one notebook: NB=02 PRESET=smoke ARGS="-p lam=0.5"
	$(BIN)/cchkd run $(NB) --preset $(PRESET) $(ARGS)

sweep: $(ENV)  ## run one notebook over a grid: NB=02 PRESET=smoke ARGS="-p lam=0.2,0.5 -p seed=0..4"
	$(BIN)/cchkd sweep $(NB) --preset $(PRESET) $(ARGS)

bench: $(ENV) .peers/.ready  ## time ours against plain ways and peers, into book/results/benchmarks.csv; half an hour
	BENCH_OUT=book/results/benchmarks.csv $(BIN)/python -m pytest -q -s -o addopts= -o 'python_files=bench_*.py' tests/benchmarks

.peers/.ready: tests/benchmarks/peers.txt
	$(PYTHON) -m venv .peers
	.peers/bin/python -m pip install --quiet -r $<
	touch $@

lint: $(ENV)  ## check style: ruff on modules and notebooks
	$(BIN)/ruff check
	$(BIN)/ruff format --check

lock: $(ENV)  ## refresh requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --all-extras --python-version 3.11 --upgrade \
	  pyproject.toml -o requirements.lock

clean:  ## remove the rendered book and the finished runs (not .venv)
	rm -rf _build .runs
