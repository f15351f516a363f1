"""The ECS settings: every key, the duration's one form, and the bounds of the numbers."""

from __future__ import annotations

import pytest

from earlyboot.model.check import check
from earlyboot.model.ecs import AttributeValue, Ecs
from earlyboot.model.tree import flatten, unflatten
from tests.earlyboot.model.documents_kubernetes import ecs


def test_the_document_has_every_key_and_comes_out_as_it_went_in() -> None:
    document = {"ecs": ecs()}
    settings, faults = check(document)
    assert faults == ()
    assert settings == document
    assert list(flatten(settings)) == list(flatten(document))
    assert unflatten(flatten(settings)) == document
    assert tuple(ecs()) == Ecs.__struct_encode_fields__


def test_the_micro_sign_is_stored_as_u() -> None:
    settings, faults = check({"ecs": {"container-stop-timeout": "1s5\u00b5s"}})
    assert faults == ()
    assert settings == {"ecs": {"container-stop-timeout": "1s5us"}}


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        ("metadata-service-rps", -(2**63), 2**63 - 1),
        ("metadata-service-burst", -(2**63), 2**63 - 1),
        ("image-cleanup-delete-per-cycle", -(2**63), 2**63 - 1),
        ("reserved-memory", 0, 2**16 - 1),
    ],
)
def test_numbers_are_accepted_to_their_bounds(key: str, lowest: int, highest: int) -> None:
    for inside in (lowest, highest):
        assert check({"ecs": {key: inside}}) == ({"ecs": {key: inside}}, ())
    for outside in (lowest - 1, highest + 1):
        settings, (fault,) = check({"ecs": {key: outside}})
        assert settings == {}
        assert (fault.code, fault.what) == (
            "bad-value",
            f"settings.ecs.{key} must be a whole number from {lowest} to {highest}",
        )


@pytest.mark.parametrize(
    ("key", "value", "what", "fix"),
    [
        (
            *("loglevel", "warning"),
            ' must be "crit", "debug", "error", "info" or "warn"',
            "write one of these, in quotes",
        ),
        (
            *("image-pull-behavior", "never"),
            ' must be "always", "default", "once" or "prefer-cached"',
            "write one of these, in quotes",
        ),
        (
            *("instance-attributes", {"a b": "c"}),
            ".\"a b\" has a name that must be the name of an attribute: 1 to 128 letters, digits, '.', '_', '/' and '-'",
            'rename it, for example to "rack"',
        ),
        (
            *("instance-attributes", {"a": " c"}),
            f".a must be {AttributeValue.rule}",
            'write for example "r1"',
        ),
        (
            *("task-cleanup-wait", "3d"),
            " must be a duration: h, m, s, ms, us and ns in that order, such as 30s or 1h30m",
            'write for example "30s"',
        ),
    ],
)
def test_a_fault_says_what_is_wanted(key: str, value: object, what: str, fix: str) -> None:
    _, (fault,) = check({"ecs": {key: value}})
    assert (fault.code, fault.what, fault.fix) == ("bad-value", f"settings.ecs.{key}{what}", fix)
