"""Storages that are bad on purpose, each in one way; `test_bad_implementations.py` says which check finds it."""

import io
import itertools
import time

import pytest

from mlopskit.errors import StorageError
from mlopskit.runtime.names import check_path
from mlopskit.storage import Stat
from mlopskit.testing import MemoryStorage, StorageConformance


def suite(kind):
    class Suite(StorageConformance):
        @pytest.fixture
        def storage(self):
            return kind()

    Suite.__name__ = Suite.__qualname__ = f"Test{kind.__name__}"
    return Suite


class ChangesLineEnds(MemoryStorage):
    def open(self, key):
        return io.BytesIO(super().open(key).read().replace(b"\r\n", b"\n"))


class SaysNothingOfAbsence(MemoryStorage):
    def open(self, key):
        return super().open(key) if self.stat(key) else io.BytesIO(b"")


class ListsOnePage(MemoryStorage):
    def list(self, prefix):
        return itertools.islice(super().list(prefix), 1000)


class ListsWhatBeginsAlike(MemoryStorage):
    def list(self, prefix):
        list(super().list(prefix))  # refuses what is unsafe
        return iter([(key, len(data)) for key, data in sorted(self._files.items()) if key.startswith(prefix)])


class TakesTheSource(MemoryStorage):
    def commit(self, prefix, files, *, last):
        done = super().commit(prefix, files, last=last)
        for source in files.values():
            if not isinstance(source, bytes):
                source.unlink()
        return done


class OverwritesCommits(MemoryStorage):
    def commit(self, prefix, files, *, last):
        super().delete(prefix)
        return super().commit(prefix, files, last=last)


class SaysTrueTwice(MemoryStorage):
    def commit(self, prefix, files, *, last):
        super().commit(prefix, files, last=last)
        return True


class ShowsHalf(MemoryStorage):
    def commit(self, prefix, files, *, last):
        probe = MemoryStorage()
        small = dict.fromkeys(files, b"")
        probe.commit(prefix, small, last=last)  # refuses what is unsafe
        with self._lock:
            if any(key.startswith(f"{prefix}/") for key in self._files):
                return False
            for path in sorted(files, key=lambda path: path != last):
                source = files[path]
                self._files[f"{prefix}/{path}"] = source if isinstance(source, bytes) else source.read_bytes()
        return True


class ComparesTooEarly(MemoryStorage):
    def commit(self, prefix, files, *, last):
        if list(super().list(prefix)):
            return False
        time.sleep(0.002)
        super().delete(prefix)
        return super().commit(prefix, files, last=last)


class WritesOverAnothers(MemoryStorage):
    def commit(self, prefix, files, *, last):
        done = super().commit(prefix, files, last=last)
        if not done and len(files) > 1 and files.keys() == {"first", last}:
            self._files[f"{prefix}/first"] = files["first"]
        return done


class ListsWhatIsMade(MemoryStorage):
    def commit(self, prefix, files, *, last):
        try:
            return super().commit(prefix, files, last=last)
        except OSError:
            self._files |= {f"{prefix}/{path}": b"" for path, data in files.items() if data == b"1"}
            raise


class KeepsTheSourcesTime(MemoryStorage):
    def commit(self, prefix, files, *, last):
        made = super().commit(prefix, files, last=last)
        for path, source in files.items():
            if not isinstance(source, bytes):
                self._times[f"{prefix}/{path}"] = source.stat().st_mtime
        return made


class TagsBySize(MemoryStorage):
    def stat(self, key):
        found = super().stat(key)
        return found and Stat(size=found.size, etag=str(found.size))


class DeletesWhatBeginsAlike(MemoryStorage):
    def delete(self, prefix):
        super().delete(prefix)
        self._files = {key: data for key, data in self._files.items() if not key.startswith(prefix)}


class DeletesOnce(MemoryStorage):
    def delete(self, prefix):
        if not list(self.list(check_path(prefix))):
            raise StorageError("There is nothing to delete.", remedy="Write something first.")
        super().delete(prefix)


class TakesAnyKey(MemoryStorage):
    def hint(self, key, data):
        self._files[key] = data


class LowersItsKeys(MemoryStorage):
    def list(self, prefix):
        return iter([(key.lower(), size) for key, size in super().list(prefix)])


class WantsNoLast(MemoryStorage):
    def commit(self, prefix, files, *, last):
        return super().commit(prefix, files, last=last if last in files else next(iter(files)))


class HasNoAddress(MemoryStorage):
    uri = ""

    def __init__(self):
        super().__init__()


TestMemoryStorage = suite(MemoryStorage)
TestChangesLineEnds = suite(ChangesLineEnds)
TestSaysNothingOfAbsence = suite(SaysNothingOfAbsence)
TestListsOnePage = suite(ListsOnePage)
TestListsWhatBeginsAlike = suite(ListsWhatBeginsAlike)
TestTakesTheSource = suite(TakesTheSource)
TestOverwritesCommits = suite(OverwritesCommits)
TestSaysTrueTwice = suite(SaysTrueTwice)
TestShowsHalf = suite(ShowsHalf)
TestComparesTooEarly = suite(ComparesTooEarly)
TestWritesOverAnothers = suite(WritesOverAnothers)
TestListsWhatIsMade = suite(ListsWhatIsMade)
TestKeepsTheSourcesTime = suite(KeepsTheSourcesTime)
TestTagsBySize = suite(TagsBySize)
TestDeletesWhatBeginsAlike = suite(DeletesWhatBeginsAlike)
TestDeletesOnce = suite(DeletesOnce)
TestTakesAnyKey = suite(TakesAnyKey)
TestLowersItsKeys = suite(LowersItsKeys)
TestWantsNoLast = suite(WantsNoLast)
TestHasNoAddress = suite(HasNoAddress)
