"""The agent's environment file, as both of its readers read it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.earlyboot.render.image import rendered

ONE_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], include_characters="\t"))
ATTRIBUTE = st.from_regex(r"[0-9A-Za-z.@:_/\\-]([0-9A-Za-z.@: _/\\-]{0,9}[0-9A-Za-z.@:_/\\-])?", fullmatch=True)


def line_by_line(text: str) -> dict[str, str]:
    """What ecs-init reads: lines without spaces at their ends, parted at the first '='."""
    pairs = (line.strip().partition("=") for line in text.strip().split("\n"))
    return {name: value for name, equals, value in pairs if equals}


def environment_file(text: str) -> dict[str, str]:
    """What systemd reads: values without spaces at their ends; quotes only at the beginning, backslashes anywhere."""
    found = {}
    for line in text.splitlines():
        if line.startswith(("#", ";")):
            continue
        name, _, value = line.partition("=")
        value = value.strip(" \t")
        assert value[:1] not in ("'", '"')
        assert "\\" not in value
        found[name] = value
    return found


def variables(document: dict[str, Any]) -> dict[str, str]:
    result = rendered("ecs", document)
    assert isinstance(result, bytes)
    text = result.decode()
    assert line_by_line(text) == environment_file(text)
    return environment_file(text)


def hold(document: dict[str, Any]) -> dict[str, str] | None:
    """The variables, or `None` where the file cannot hold them."""
    try:
        return variables(document)
    except ValueError as error:
        assert "which ecs.config cannot hold" in str(error)  # noqa: PT017
        return None


@given(ONE_LINE)
def test_the_name_of_a_cluster_is_read_back_by_both_readers_or_refused(cluster: str) -> None:
    found = hold({"ecs": {"cluster": cluster}})
    plain = cluster == cluster.strip() and cluster[:1] not in ("'", '"') and "\\" not in cluster
    assert found == ({"ECS_CLUSTER": cluster, "ECS_DISABLE_PRIVILEGED": "true"} if plain else None)


@given(st.dictionaries(st.sampled_from(["a", "b.c", "d/e"]), ATTRIBUTE, min_size=1))
def test_attributes_are_read_back_as_json_or_refused(attributes: dict[str, str]) -> None:
    found = hold({"ecs": {"instance-attributes": attributes}})
    if any("\\" in value for value in attributes.values()):
        assert found is None
    else:
        assert found is not None
        assert json.loads(found["ECS_INSTANCE_ATTRIBUTES"]) == attributes


@given(ONE_LINE.filter(lambda name: ":" not in name), ONE_LINE)
def test_any_password_reaches_the_agent(username: str, password: str) -> None:
    credential = {"registry": "registry.example", "username": username, "password": password}
    found = variables({"ecs": {"cluster": "c"}, "container-registry": {"credentials": [credential]}})
    assert found["ECS_ENGINE_AUTH_TYPE"] == "dockercfg"
    login = json.loads(found["ECS_ENGINE_AUTH_DATA"])["registry.example"]["auth"]
    assert base64.b64decode(login).decode().split(":", 1) == [username, password]


def test_a_credential_that_the_agent_cannot_use_is_left_out() -> None:
    token = {"registry": "registry.example", "identitytoken": "token"}
    found = variables({"ecs": {"cluster": "c"}, "container-registry": {"credentials": [token]}})
    assert set(found) == {"ECS_CLUSTER", "ECS_DISABLE_PRIVILEGED"}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, None),
        ({"metadata-service-rps": 50}, "50,60"),
        ({"metadata-service-burst": 0}, "40,0"),
        ({"metadata-service-rps": 1, "metadata-service-burst": 2}, "1,2"),
    ],
)
def test_of_two_limits_the_one_that_is_not_given_is_the_agent_s_own(
    limits: dict[str, int], expected: str | None
) -> None:
    assert variables({"ecs": {"cluster": "c", **limits}}).get("ECS_TASK_METADATA_RPS_LIMIT") == expected


def test_a_warm_pool_or_credentials_alone_make_no_file() -> None:
    alone = {"autoscaling": {"should-wait": True}, "container-registry": {"credentials": [{"registry": "a"}]}}
    assert rendered("ecs", alone) is None
