"""Which generators run: decisions over what is set."""

from __future__ import annotations

import pytest

from earlyboot.config.profile import GeneratorSpec
from earlyboot.generators import plan
from tests.earlyboot.generators.asking import known, spec


def is_wanted(
    one: GeneratorSpec, given: dict[str, object], defaults: dict[str, object] | None = None, *, exists: bool = True
) -> bool:
    return plan.wanted([one], known(given, defaults), lambda path: exists) == [one]


def test_a_key_that_a_source_or_a_default_sets_is_not_generated() -> None:
    hostname = spec(key="settings.network.hostname")
    assert is_wanted(hostname, {})
    assert is_wanted(hostname, {"network": {"hosts": []}})
    assert not is_wanted(hostname, {"network": {"hostname": "a"}})
    assert not is_wanted(hostname, {}, {"network": {"hostname": "a"}})


def test_a_key_is_not_taken_for_another_that_begins_like_it() -> None:
    boot = spec(key="settings.boot")
    assert is_wanted(
        boot, {"bootstrap-containers": {"x": {"mode": "off"}}, "bootstrap-commands": {"y": {"mode": "off"}}}
    )
    assert not is_wanted(boot, {"boot": {"reboot-to-reconcile": True}})


def test_a_table_without_values_sets_nothing() -> None:
    assert is_wanted(spec(key="settings.boot"), {"boot": {"kernel-parameters": {}}})


def test_it_waits_for_someone_who_wants_it_and_a_default_is_nobody() -> None:
    node_ip = spec(key="settings.kubernetes.node-ip", when=("settings.ecs", "settings.kubernetes"))
    assert not is_wanted(node_ip, {})
    assert not is_wanted(node_ip, {}, {"kubernetes": {"cluster-domain": "cluster.local"}})
    assert is_wanted(node_ip, {"kubernetes": {"cluster-name": "a"}})
    assert is_wanted(node_ip, {"ecs": {"cluster": "a"}})


def test_it_runs_only_where_its_consumer_is() -> None:
    one = spec(consumer="/usr/bin/kubelet")
    assert plan.wanted([one], known(), lambda path: path == "/usr/bin/kubelet") == [one]
    assert not is_wanted(one, {}, exists=False)


def test_with_a_depth_each_member_lacks_the_key_by_itself() -> None:
    sources = spec(key="settings.host-containers", depth=1)
    given: dict[str, object] = {
        "host-containers": {"admin": {"enabled": True}, "control": {"source": "x"}, "own": {"source": "y"}}
    }
    made = {"admin": {"source": "1"}, "control": {"source": "2"}, "absent": {"source": "3"}}
    assert is_wanted(sources, given)
    assert plan.used(sources, made, known(given)) == {"host-containers": {"admin": {"source": "1"}}}
    assert not is_wanted(sources, {})
    assert not is_wanted(sources, {"host-containers": {"admin": {}}})
    assert is_wanted(sources, {}, {"host-containers": {"admin": {"enabled": False}}})


def test_a_deeper_map_is_filled_by_the_names_of_both_levels() -> None:
    one = spec(key="settings.a", depth=2)
    given: dict[str, object] = {"a": {"x": {"y": {"p": 1}}}}
    made = {"x": {"y": {"p": 2, "q": {"r": 3}}, "z": {"q": 4}}, "y": {"y": {"q": 5}}}
    assert plan.used(one, made, known(given)) == {"a": {"x": {"y": {"q": {"r": 3}}}}}


@pytest.mark.parametrize("value", ["text", [1], 5])
def test_a_map_is_not_filled_with_anything_but_a_table(value: object) -> None:
    with pytest.raises(ValueError, match="must be a table"):
        plan.used(spec(key="settings.a", depth=1), value, known({"a": {"x": 1}}))


def test_a_value_or_a_table_is_what_a_key_gets() -> None:
    assert plan.used(spec(key="settings.a.b"), ["x"], known()) == {"a": {"b": ["x"]}}
    assert plan.used(spec(key="settings.a"), {"x": {}, "y": {"z": 1}}, known()) == {"a": {"y": {"z": 1}}}
    assert plan.used(spec(key="settings.a"), {"x": {}}, known()) == {}


REGION = spec("region", "settings.aws.region")
TABLE = spec("table", "settings.boot")


@pytest.mark.parametrize(
    ("needs", "before"),
    [
        (("settings.aws.region",), [REGION]),
        (("settings.aws",), [REGION]),
        (("settings.boot.kernel-parameters",), [TABLE]),
        (("settings.boot", "settings.aws.region"), [REGION, TABLE]),
        (("settings.aws.profile",), []),
        (("settings.bootstrap-containers",), []),
        ((), []),
    ],
)
def test_a_need_is_of_whoever_makes_something_at_above_or_below_it(
    needs: tuple[str, ...], before: list[GeneratorSpec]
) -> None:
    one = spec("one", "settings.motd", needs=needs)
    assert plan.needed(one, [REGION, TABLE]) == before
    assert plan.ready([one, REGION, TABLE]) == ([REGION, TABLE] if before else [one, REGION, TABLE])


def test_those_that_need_each_other_are_never_ready() -> None:
    one = spec("one", "settings.a", needs=("settings.b",))
    other = spec("other", "settings.b", needs=("settings.a",))
    assert plan.ready([one, other]) == []
    assert plan.ready([spec("self", "settings.a", needs=("settings.a",))]) != []
