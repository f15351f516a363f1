"""Whose settings these are: machines without an identity, and what an earlier run left behind."""

from __future__ import annotations

from earlyboot.api.writer import Store
from earlyboot.stages.state import UNIDENTIFIED
from tests.earlyboot.stages.machine import Machine, first_boot, requests_of_a_first_boot


def test_a_machine_that_nothing_identifies_is_configured_once(machine: Machine) -> None:
    machine.put("etc/machine-id", b"uninitialized\n", 0o644)
    assert sorted(first_boot(machine).requests) == requests_of_a_first_boot("placement/region", "public-keys/")
    assert machine.known().phases == {UNIDENTIFIED: "configured"}
    later = first_boot(machine)
    assert (later.requests, later.servers_started) == ([], 0)


def test_a_machine_id_that_was_still_transient_on_the_first_boot_makes_no_new_machine(machine: Machine) -> None:
    machine.put("etc/machine-id", b"uninitialized\n", 0o644)
    first_boot(machine)
    machine.become_another()
    second, third = first_boot(machine), first_boot(machine)
    assert (second.requests, third.requests, third.servers_started) == ([], [], 0)
    assert machine.known().phases == {machine.identity: "configured"}
    # And a copy of its disk in another machine is another machine.
    machine.become_another()
    assert sorted(first_boot(machine).requests) == requests_of_a_first_boot("placement/region", "public-keys/")


def test_what_an_interrupted_boot_left_pending_is_dropped(machine: Machine) -> None:
    left_over = Store(machine.paths.store)
    left_over.patch("earlyboot-launch-0badcafe", {"settings.motd": "half"}, "a boot that was killed")
    left_over.close()
    first_boot(machine)
    known = machine.known()
    assert (known.live["settings.motd"], known.pending) == (("hello", "ec2-imds"), 0)


def test_a_document_as_large_as_the_limit_is_taken_whatever_letters_it_has(machine: Machine) -> None:
    text = "[settings]\nmotd = '''\n" + "é\n" * 349_000 + "'''\n"
    assert (1 << 20) - 2000 < len(text.encode()) <= 1 << 20
    machine.give(text.encode())
    first_boot(machine)
    assert machine.files()["etc/motd"][1].decode().count("é") == 349_000
