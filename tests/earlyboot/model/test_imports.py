"""What importing the model costs: a document pays for the groups that it has."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from earlyboot.model.settings import GROUPS


def modules_after(document: dict[str, object]) -> set[str]:
    """The modules that a fresh interpreter holds once it has checked `document`, which must be without fault."""
    code = (
        "import json, sys; from earlyboot.model.check import check; "
        "_, faults = check(json.loads(sys.argv[1])); assert not faults, faults; print(json.dumps(list(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, json.dumps(document)], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(run.stdout))


GROUP_MODULES = {f"earlyboot.model.{group.replace('-', '_')}" for group in GROUPS}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"motd": "x"}, {"motd"}),
        ({"dns": {"search-list": ["a"]}, "motd": "x"}, {"dns", "motd"}),
        ({"oci-hooks": {"log4j-hotpatch-enabled": True}}, {"oci_hooks"}),
    ],
)
def test_only_the_groups_of_a_document_are_imported(document: dict[str, object], expected: set[str]) -> None:
    modules = modules_after(document)
    assert modules & GROUP_MODULES == {f"earlyboot.model.{name}" for name in expected}


def test_a_good_document_imports_nothing_that_only_faults_need() -> None:
    modules = modules_after({"motd": "x", "kernel": {"sysctl": {"a": "1"}}})
    needless = {"difflib", "ipaddress", "ssl", "cryptography", "jsonschema_rs", "jinja2"}
    assert (
        modules & (needless | {"earlyboot.model.faults", "earlyboot.model.phrases", "earlyboot.model.shape"}) == set()
    )


def test_the_names_of_the_groups_cost_no_import() -> None:
    code = "import sys; import earlyboot.model.settings; print('msgspec' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "False\n"
