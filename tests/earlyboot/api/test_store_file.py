"""The file of the settings store: its permissions, versions, damage, and those who read it while it is written."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.api import pending as pendings
from earlyboot.api import schema
from earlyboot.api.schema import MIGRATIONS
from earlyboot.api.store import Difference, Generation, open_for_reading
from earlyboot.api.writer import Store
from earlyboot.model.tree import flatten
from earlyboot.render.record import Applied, AppliedFile
from hostkit.errors import Fault, HostError
from tests.earlyboot.api.stores import DAMAGE_FIX, commit, end, pending, values_of
from tests.earlyboot.model.documents import complete

FILES = tuple(AppliedFile(f"/etc/{name}", name, "0f" * 32, 1, 2**62, 3, 0o644) for name in ("a", "b"))


@pytest.mark.parametrize("name", ["100%25.db", "a?mode=memory#b.db", "sp ace & é.db"])
def test_a_path_is_taken_as_it_is_written(tmp_path: Path, name: str) -> None:
    store = Store(str(tmp_path / name))
    commit(store, {"settings.a": 1})
    store.close()
    assert (tmp_path / name).stat().st_size > 0
    reader = open_for_reading(str(tmp_path / name))
    assert reader is not None
    assert values_of(reader) == {"settings.a": 1}
    reader.close()


def test_the_store_and_what_sqlite_puts_beside_it_are_for_root_alone(path: str) -> None:
    before = os.umask(0)
    try:
        store = Store(path)
        commit(store, {"settings.a": "secret"})
        reader = open_for_reading(path)
    finally:
        os.umask(before)
    assert reader is not None
    folder = Path(path).parent
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir()}
    reader.close()
    store.close()
    assert modes == {"settings.db": 0o600, "settings.db-wal": 0o600, "settings.db-shm": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_reader_makes_no_file_that_others_could_read(path: str) -> None:
    store = Store(path)
    commit(store, {"settings.a": "secret"})
    store.close()
    before = os.umask(0)
    try:
        reader = open_for_reading(path)
        assert reader is not None
        reader.live()
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(entry.stat().st_mode) for entry in Path(path).parent.iterdir()}
    reader.close()
    assert modes == {0o600}


def test_the_file_was_never_readable_by_others(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    real = sqlite3.connect

    def connect(*arguments: object, **options: object) -> object:
        modes.append(stat.S_IMODE(os.stat(path).st_mode))
        return real(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", connect)
    before = os.umask(0)
    try:
        Store(path).close()
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_a_commit_is_durable_when_it_returns(store: Store) -> None:
    assert store.rows("PRAGMA journal_mode") == [("wal",)]
    assert store.rows("PRAGMA synchronous") == [(2,)]  # FULL


@pytest.mark.parametrize("writing", [True, False])
def test_a_store_of_a_newer_program_is_refused_and_not_taken_for_damaged(path: str, writing: bool) -> None:
    Store(path).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(HostError) as caught:
        Store(path) if writing else open_for_reading(path)
    assert caught.value.faults[0].code == "store-version"
    assert str(caught.value) == (
        "error: the settings store is of version 3, newer than this program's 2\n"
        f"  where: {path}\n"
        "  fix:   install the earlyboot that wrote it, or a newer one"
    )


def test_each_migration_is_made_once_and_in_order(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Store(path)
    commit(first, {"settings.a": 1})
    first.close()
    added = (
        """
        ALTER TABLE machine ADD COLUMN note TEXT;
        -- a comment; with a semicolon
        INSERT INTO machine VALUES ('m', 'applied', 0, 'x;y');
        """,
        "UPDATE machine SET note = note || 'z';\n",
    )
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, *added))
    for _ in range(2):
        store = Store(path)
        assert store.rows("SELECT * FROM machine") == [("m", "applied", 0.0, "x;yz")]
        assert store.rows("PRAGMA user_version") == [(4,)]
        assert values_of(store) == {"settings.a": 1}
        store.close()


@pytest.fixture
def first_version(path: str) -> str:
    """A store as the first version of the program left it."""
    Path(path).parent.mkdir()
    with sqlite3.connect(path) as database:
        database.executescript(MIGRATIONS[0])
        database.executescript(
            """
            PRAGMA user_version = 1;
            INSERT INTO generation VALUES (1, 10.5, 'launch', 0, 0, 7), (2, 20.5, 'tx', 1, 2, 3);
            INSERT INTO change VALUES
                (1, 0, 'settings.a', '1', 'default'), (1, 1, 'settings.a', '2', 'imds'), (1, 2, 'settings.b', '1', 'imds'),
                (2, 0, 'settings.a', '2', 'same'), (2, 1, 'settings.c', '"é"', 'new'),
                (2, 2, 'settings.b', NULL, 'replaced');
            INSERT INTO live VALUES ('settings.a', '2', 'same', 2), ('settings.c', '"é"', 'new', 2);
            INSERT INTO pending VALUES ('open', 1, 'settings.a', '9', 'x'), ('open', 2, 'settings.a', '8', 'y');
            INSERT INTO machine VALUES ('m', 'configured', 0);
            INSERT INTO applied VALUES (1, 2, 'digest', '{}');
            INSERT INTO applied_file VALUES ('/etc/a', 'a', '00', 1, 2, 3, 420);
            """
        )
    database.close()
    return path


def test_a_store_of_the_first_version_keeps_all_that_it_knows(first_version: str) -> None:
    store = Store(first_version)
    try:
        assert values_of(store) == {"settings.a": 2, "settings.c": "é"}
        assert store.generations() == [
            Generation(2, 20.5, "tx", 1, 2, 3, changed=2),
            Generation(1, 10.5, "launch", 0, 0, 7, changed=2),
        ]
        assert store.rows("SELECT size_bytes FROM generation ORDER BY id") == [(10 * 3 + 3 + 15,), (10 * 3 + 5 + 15,)]
        assert store.diff(1) == [Difference("settings.b", 1, None), Difference("settings.c", None, "é")]
        assert (pendings.names(store), pendings.began(store, "open")) == (["open"], 2)
        assert end(store, "open") == ["settings.a"]
        assert store.applied() == Applied(2, "digest", {}, (AppliedFile("/etc/a", "a", "00", 1, 2, 3, 0o644),))
    finally:
        store.close()


def test_a_store_of_the_first_version_can_be_looked_at_before_a_server_has_opened_it(first_version: str) -> None:
    # A boot with a new image decides what to do by looking.
    reader = open_for_reading(first_version)
    assert reader is not None
    try:
        assert (reader.phases(), reader.generation()) == ({"m": "configured"}, 2)
        assert reader.applied() == Applied(2, "digest", {}, (AppliedFile("/etc/a", "a", "00", 1, 2, 3, 0o644),))
        assert [(one.id, one.changed) for one in reader.generations()] == [(2, 3), (1, 2)]
        assert values_of(reader) == {"settings.a": 2, "settings.c": "é"}
        assert reader.diff(0, 1) == [Difference("settings.a", None, 2), Difference("settings.b", None, 1)]
    finally:
        reader.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(path).close()
    broken = "CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);\n"
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", (*MIGRATIONS, broken))
        with pytest.raises(HostError, match="no such table: nowhere"):
            Store(path)
    store = Store(path)
    assert store.rows("SELECT name FROM sqlite_master WHERE name = 'half'") == []
    assert store.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
    store.close()


def test_a_store_that_is_not_there_is_none(path: str) -> None:
    assert open_for_reading(path) is None
    Path(path).parent.mkdir()
    Path(path).parent.joinpath("file").touch()
    assert open_for_reading(str(Path(path).parent / "file/settings.db")) is None
    assert not os.path.exists(path)


def test_a_file_that_a_power_cut_left_empty_is_no_store_yet(path: str) -> None:
    Path(path).parent.mkdir()
    Path(path).touch()
    assert open_for_reading(path) is None
    store = Store(path)
    assert commit(store, {"settings.a": 1}) == ["settings.a"]
    store.close()


def test_a_store_without_tables_is_no_store_yet(path: str) -> None:
    Path(path).parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
    database.close()
    assert open_for_reading(path) is None


def test_a_reader_sees_what_is_committed_while_the_server_writes(store: Store, path: str) -> None:
    commit(store, {"settings.a": 1})
    reader = open_for_reading(path)
    assert reader is not None
    with store._transaction() as database:
        database.execute("UPDATE live SET value = '2'")
        assert values_of(reader) == {"settings.a": 1}
    assert values_of(reader) == {"settings.a": 2}
    reader.close()


def test_a_reader_never_sees_the_files_of_one_apply_with_the_digest_of_another(store: Store, path: str) -> None:
    def record(number: int) -> None:
        file = AppliedFile(f"/etc/{number}", str(number), str(number), 0, 0, 0, 0)
        store.record_applied(Applied(number, str(number), {}, (file,)))

    record(0)
    reader = open_for_reading(path)
    assert reader is not None
    ended = threading.Event()
    seen = []

    def look() -> None:
        while not ended.is_set():
            applied = reader.applied()
            assert applied is not None
            seen.append((applied.digest, [file.name for file in applied.files]))

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(1, 200):
        record(number)
    ended.set()
    thread.join()
    reader.close()
    assert seen
    assert [(digest, names) for digest, names in seen if names != [digest]] == []


def test_a_reader_cannot_write(store: Store, path: str) -> None:
    reader = open_for_reading(path)
    assert reader is not None
    with pytest.raises(HostError, match="attempt to write a readonly database"):
        reader.rows("DELETE FROM live")
    reader.close()


@pytest.mark.parametrize("writing", [True, False])
@pytest.mark.parametrize("content", [b"this is no database", b"\0" * 4096, b"SQLite format 3\0" + b"x" * 4080])
def test_a_file_that_is_no_database_is_damaged_and_not_absent(path: str, content: bytes, writing: bool) -> None:
    Path(path).parent.mkdir()
    Path(path).write_bytes(content)
    with pytest.raises(HostError) as caught:
        Store(path) if writing else open_for_reading(path)
    assert str(caught.value) == (
        f"error: the settings store: file is not a database\n  where: {path}\n  fix:   {DAMAGE_FIX}"
    )
    assert Path(path).read_bytes() == content


def test_a_value_that_is_no_json_is_damage(store: Store, path: str) -> None:
    commit(store, {"settings.a": 1})
    store.rows("UPDATE live SET value = 'secret{'")
    store.rows("UPDATE change SET value = 'secret{'")
    for look in (store.live, lambda: store.changes("settings.a")):
        with pytest.raises(HostError) as caught:
            look()
        assert str(caught.value) == (
            f"error: the settings store: a value in it is not JSON\n  where: {path}\n  fix:   {DAMAGE_FIX}"
        )


def test_a_text_that_is_no_utf8_is_damage_and_never_shown(store: Store, path: str) -> None:
    commit(store, {"settings.a": 1})
    for text in ("secret\x80", "\x80", "secret" * 100 + "\xff"):
        store.rows("UPDATE live SET value = CAST(? AS TEXT)", text.encode("latin-1"))
        with pytest.raises(HostError) as caught:
            store.live()
        assert str(caught.value) == (
            f"error: the settings store: a text in it is not UTF-8\n  where: {path}\n  fix:   {DAMAGE_FIX}"
        )


@given(st.data())
def test_whatever_a_bad_disk_does_the_store_answers_or_says_that_it_is_damaged(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("store") / "settings.db"
    store = Store(str(path))
    commit(store, flatten(complete()), identity="m")
    store.record_applied(Applied(1, "digest", {"unused_keys": ["x"]}, FILES))
    store.close()
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + 16] = data.draw(st.binary(min_size=1, max_size=16))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path.write_bytes(content)
    faults: tuple[Fault, ...] = ()
    try:
        reader = open_for_reading(str(path))
        if reader is not None:
            try:
                reader.phases(), reader.live(), reader.generation(), reader.changes("settings.motd"), reader.applied()
            finally:
                reader.close()
        opened = Store(str(path))
        try:
            commit(opened, {"settings.motd": "new"})
        finally:
            opened.close()
    except HostError as error:
        faults = error.faults
    assert {fault.code for fault in faults} <= {"store", "store-version"}


def test_a_full_disk_is_named_and_the_next_commit_succeeds(store: Store, path: str) -> None:
    commit(store, {"settings.a": 1})
    pages = store.rows("PRAGMA page_count")[0][0]
    store.rows(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(HostError) as caught:
            store.patch("tx", {f"settings.{number}": "x" * 1000 for number in range(100)}, "origin")
        assert str(caught.value) == (
            f"error: the settings store: database or disk is full\n  where: {path}\n  fix:   free space on this file system"
        )
    store.rows("PRAGMA max_page_count = 100000")
    assert pending(store, "tx") == {}
    assert commit(store, {"settings.a": 2}) == ["settings.a"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k,mode=700", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_what_filled_the_disk_can_be_dropped_and_the_store_goes_on(small_disk: Path) -> None:
    store = Store(str(small_disk / "settings.db"))
    try:
        commit(store, {"settings.a": 1})
        for round_ in range(3):
            store.patch("large", {"settings.large": "x" * 150_000}, "origin")
            for _ in range(2):
                with pytest.raises(HostError, match="database or disk is full"):
                    end(store, "large")
            assert pending(store, "large").keys() == {"settings.large"}
            assert store.discard("large") == ["settings.large"]
            assert commit(store, {"settings.a": f"after {round_}"}) == ["settings.a"]
        assert values_of(store) == {"settings.a": "after 2"}
        assert store.rows("PRAGMA integrity_check") == [("ok",)]
    finally:
        store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_on_a_disk_that_others_filled_what_is_pending_can_be_dropped(small_disk: Path) -> None:
    path = str(small_disk / "settings.db")
    store = Store(path)
    store.patch("tx", {"settings.a": "x" * 50_000}, "origin")
    store.discard("tx")
    store.close()
    # The file has room for what comes, which is in the log only.
    store = Store(path)
    try:
        store.patch("tx", {"settings.a": "x" * 20_000}, "origin")
        with open(small_disk / "log", "wb", buffering=0) as log:
            # Takes what there is, and says how much that was.
            assert log.write(bytes(1 << 20)) < 1 << 20
        assert store.discard("tx") == ["settings.a"]
        assert commit(store, {"settings.a": 1}) == ["settings.a"]
    finally:
        store.close()


def test_a_commit_that_fails_in_the_middle_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, {"settings.a": 1, "settings.b": 1}, identity="m")
    store.patch("tx", {"settings.a": 2}, "origin")

    def fail(*_: object) -> None:
        raise MemoryError

    for step in ("_record_generation", "time.time"):
        owner = time if step == "time.time" else store
        with monkeypatch.context() as patched:
            patched.setattr(owner, step.rpartition(".")[2], fail)
            with pytest.raises(MemoryError):
                end(store, "tx", identity="n", replace=True)
        assert (values_of(store), store.generation()) == ({"settings.a": 1, "settings.b": 1}, 1)
        assert (pending(store, "tx"), store.phases()) == ({"settings.a": 2}, {"m": "committed"})


def test_a_folder_in_the_place_of_the_store_is_refused(path: str) -> None:
    os.makedirs(path)
    for opening in (Store, open_for_reading):
        with pytest.raises(HostError, match=r"the settings store: (unable to open database file|disk I/O error)"):
            opening(path)


def test_a_link_that_leads_nowhere_is_not_followed(path: str, tmp_path: Path) -> None:
    Path(path).parent.mkdir()
    Path(path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostError) as caught:
        Store(path)
    assert str(caught.value) == (
        f"error: {path} cannot be made: Too many levels of symbolic links\n"
        f"  where: {path}\n"
        "  fix:   look at the path and at the file system below it"
    )
    assert not (tmp_path / "elsewhere").exists()
