"""The tier on disk, on a real disk: what survives, what is given up, what a strange folder can do."""

from __future__ import annotations

import pickle
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streaming.scheduling import store as store_module
from streaming.scheduling.segments import SegmentKey, Spoken
from streaming.scheduling.store import DiskStore
from streaming.types import Style
from tests.streaming.scheduling.test_stored import same, spoken

SEGMENT = spoken(1600, 1600)
LIMIT = 10_000_000
Opener = Callable[..., DiskStore]


def key(text: str = "你好", voice: str = "a", content: str = "1") -> SegmentKey:
    return SegmentKey(voice, content, text, Style())


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Opens stores in one folder; the first is closed before a second opens, as after a restart."""
    stores: list[DiskStore] = []

    def open_store(limit_bytes: int = LIMIT, release: str = "1") -> DiskStore:
        for store in stores:
            store.close()
        stores.append(DiskStore(tmp_path / "segments", limit_bytes, release))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def load(store: DiskStore, wanted: SegmentKey) -> Spoken | None:
    found = store.load(wanted)
    return None if found is None else found.result(30)


def written(store: DiskStore) -> None:
    """Wait until all that was saved is on the disk."""
    store._writer.submit(lambda: None).result(30)


def test_a_segment_survives_the_process_to_the_bit(opened: Opener):
    opened().save(key(), SEGMENT)
    found = load(opened(), key())
    assert found is not None
    assert same(found, SEGMENT)


def test_what_was_never_saved_is_not_there_and_costs_no_read(opened: Opener):
    store = opened()
    store.save(key(), SEGMENT)
    written(store)
    assert store.load(key("再见")) is None
    assert store.load(key(content="2")) is None


def test_segments_of_another_release_are_not_found(opened: Opener):
    opened(release="1").save(key(), SEGMENT)
    assert opened(release="2").load(key()) is None
    assert load(opened(release="1"), key()) is not None


def test_the_limit_is_kept_and_what_was_heard_lately_stays(opened: Opener):
    store = opened(limit_bytes=400_000)
    for index in range(60):
        store.save(key(f"{index}"), SEGMENT)
        written(store)
        assert load(store, key("0")) is not None  # asked for again and again
    assert store.statistics().used_bytes <= 400_000 + 20_000
    assert load(store, key("1")) is None
    assert load(store, key("59")) is not None


def test_names_of_what_was_evicted_are_forgotten(opened: Opener, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store_module, "LEAST_LISTED", 5)
    store = opened(limit_bytes=200_000)
    for index in range(100):
        store.save(key(f"{index}"), SEGMENT)
        written(store)
    assert store.statistics().entries < 50


@pytest.mark.parametrize("voice", [None, "a"])
def test_clearing_forgets_a_voice_or_all_also_after_a_restart(opened: Opener, voice: str | None):
    store = opened()
    store.save(key("一", "a"), SEGMENT)
    store.save(key("二", "a"), SEGMENT)
    store.save(key("三", "b"), SEGMENT)
    assert store.clear(voice) == (2 if voice else 3)
    for _ in range(2):
        assert store.load(key("一", "a")) is None
        assert (load(store, key("三", "b")) is None) == (voice is None)
        store = opened()


def test_two_processes_share_a_folder(tmp_path: Path):
    one, two = (DiskStore(tmp_path, LIMIT, "1") for _ in range(2))
    one.save(key("一"), SEGMENT)
    two.save(key("二"), SEGMENT)
    for store in (one, two):
        written(store)
    assert load(one, key("一")) is not None
    assert load(two, key("二")) is not None
    one.close()
    two.close()
    three = DiskStore(tmp_path, LIMIT, "1")
    assert {load(three, key(text)) is not None for text in "一二"} == {True}
    three.close()


def test_a_segment_that_another_process_has_evicted_is_computed_again_and_written_anew(opened: Opener):
    store = opened()
    store.save(key(), SEGMENT)
    written(store)
    store._cache.clear()
    store._cache.close()
    assert load(store, key()) is None
    assert store.statistics().unread == 1
    store.save(key(), SEGMENT)
    written(store)
    assert load(store, key()) is not None


def test_a_file_that_is_damaged_or_gone_is_no_segment(opened: Opener, tmp_path: Path):
    store = opened()
    for text in "一二":
        store.save(key(text), SEGMENT)
    written(store)
    for number, file in enumerate(tmp_path.rglob("*.val")):
        file.unlink() if number else file.write_bytes(b"\x00" * 100)
    assert [load(store, key(text)) for text in "一二"] == [None, None]
    assert store.statistics().unread == 2


class Evil:
    ran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (setattr, (Evil, "ran", True))


def test_a_pickle_in_the_folder_is_never_read(opened: Opener, tmp_path: Path):
    store = opened()
    store.save(key(), SEGMENT)
    store.close()
    with sqlite3.connect(tmp_path / "segments" / "cache.db") as database:
        database.execute("UPDATE Cache SET mode = 4, value = ?, filename = NULL", (pickle.dumps(Evil()),))
    database.close()
    assert load(opened(), key()) is None
    assert not Evil.ran


def test_a_key_that_is_a_pickle_is_never_read(opened: Opener, tmp_path: Path):
    store = opened()
    store.save(key(), SEGMENT)
    store.close()
    with sqlite3.connect(tmp_path / "segments" / "cache.db") as database:
        database.execute("UPDATE Cache SET raw = 0, key = ?", (pickle.dumps(Evil()),))
    database.close()
    with pytest.raises(ValueError, match="pickle"):
        opened()
    assert not Evil.ran


def test_an_index_that_is_none_is_an_error_at_the_start(tmp_path: Path):
    (tmp_path / "cache.db").write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        DiskStore(tmp_path, LIMIT, "1")


def test_a_disk_that_takes_nothing_is_counted_logged_once_and_harms_nobody(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    store = opened()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store._cache, "set", full)
    for text in "一二三":
        store.save(key(text), SEGMENT)
    written(store)
    assert store.statistics().unwritten == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "No space left" in caplog.text


def test_a_slow_disk_is_not_asked_for_more_than_it_can_do(opened: Opener, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store_module, "MAX_PENDING", 2)
    store, go_on = opened(), threading.Event()
    store.save(key("零"), SEGMENT)
    written(store)
    for thread in (store._reader, store._writer):
        thread.submit(go_on.wait, 30)
    reads = [store.load(key("零")) for _ in range(3)]
    for text in "一二三":
        store.save(key(text), SEGMENT)
    go_on.set()
    assert [read is None for read in reads] == [False, False, True]
    written(store)
    assert store.statistics().unwritten == 1
    assert store.load(key("三")) is None


def test_after_closing_nothing_is_kept_and_closing_again_is_harmless(opened: Opener):
    store = opened()
    store.save(key(), SEGMENT)
    store.close()
    store.close()
    assert store.load(key()) is None
    store.save(key("二"), SEGMENT)
    assert opened().load(key("二")) is None
