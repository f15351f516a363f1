# make demo     a whole first boot in a throwaway root, no privileges needed
# make test     everything: linters, types, layers, unit and integration tests, boots where the machine can
# make endure   kill the server among 8 writers with 1,000 transactions each: ten minutes
# make bench    where the boot's time goes, beside a bare interpreter start
# make install  DESTDIR=IMAGE-ROOT: into an image, or onto this machine
# make lock     pin the dependencies again

PYTHON ?= python3
VENV := .venv
PIP_INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
export DESTDIR PYTHON_VERSION PLATFORM ENABLE

.PHONY: demo test lint unit boot endure bench install lock clean

demo: $(VENV)/runtime.stamp
	$(VENV)/bin/earlyboot simulate --platform ec2 --user-data examples/ec2-user-data.toml

test: $(VENV)/development.stamp
	tools/test-tools
	$(MAKE) lint
	$(VENV)/bin/python -m pytest

lint: $(VENV)/development.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

unit: $(VENV)/development.stamp
	$(VENV)/bin/python -m pytest -m "not boot"

boot: $(VENV)/development.stamp
	$(VENV)/bin/python -m pytest -m boot

endure: $(VENV)/development.stamp
	EARLYBOOT_TEST_COMMITS=1000 $(VENV)/bin/python -m pytest tests/earlyboot/api/test_server_killed.py

bench: $(VENV)/development.stamp
	$(VENV)/bin/python -m tests.bench

install: $(VENV)/bin/pip
	PIP=$(VENV)/bin/pip tools/install

lock: $(VENV)/development.stamp
	$(VENV)/bin/pip install --quiet uv
	for name in runtime development; do \
	    $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	        --no-emit-find-links --custom-compile-command "make lock" requirements/$$name.in -o requirements/$$name.lock; \
	done

clean:
	rm -rf $(VENV)

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: requirements/runtime.lock tools/link-programs | $(VENV)/bin/pip
	$(PIP_INSTALL) -r requirements/runtime.lock
	tools/link-programs $(VENV)
	touch $@

$(VENV)/development.stamp: requirements/development.lock $(VENV)/runtime.stamp
	$(PIP_INSTALL) -r requirements/development.lock
	touch $@
