"""Data at an https:// address: asked for by ETag and Last-Modified, checked, and kept in a folder by its digest.

Standard library alone. What is served is data only if the server says so in every way that it can: status 200, no page
of HTML, the whole length, and the first and last bytes of the kind of file that the address names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any

from mlopskit.commits import sha256_of
from mlopskit.errors import DataError

LIMIT = 4 << 30
TIMEOUT = 30.0
DEADLINE = 3600.0
_CHUNK = 1 << 20
_RECORD = "record.json"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PAGES = ("text/html", "application/xhtml+xml")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|body)", re.IGNORECASE)
_ARROW = (b"ARROW1", b"\xff\xff\xff\xff")  # a file, a stream
_MAGIC = {".parquet": (b"PAR1",), ".arrow": _ARROW, ".feather": _ARROW}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_OK, _UNCHANGED = 200, 304


def shown(uri: str, /) -> str:
    """Return an address without its query, which may hold a secret."""
    return uri.partition("?")[0].partition("#")[0]


def fetch(uri: str, folder: Path, /, *, limit: int = LIMIT, timeout: float = TIMEOUT) -> Path:
    """Return the file at an https:// address, downloaded into a folder unless it is there and has not changed.

    The server is always asked. `limit` is the largest size in bytes, `timeout` the longest silence in seconds.
    Plain http:// is taken on this machine only.

    Raises:
        DataError: the address is none of these, cannot be reached, leads elsewhere, or what is served is no such file,
            is too large or not complete. Nothing of it is kept then.
    """
    name = _checked(uri)
    place = folder / hashlib.sha256(uri.encode()).hexdigest()[:16]
    return _Download(uri, place, name, limit, timeout).file()


def _checked(uri: str) -> str:
    """Return the file's name in an address that may be asked."""
    try:
        parts = urllib.parse.urlsplit(uri)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(uri, f"is no address: {error}", "Correct it.") from error
    if not (parts.scheme == "https" and host) and not (parts.scheme == "http" and host in _LOOPBACK):
        raise _refused(uri, "is not https", "Give an https:// address, or copy the data to a folder.")
    if parts.username is not None or parts.password is not None:
        raise _refused(
            uri.replace(f"{parts.netloc.rpartition('@')[0]}@", ""),
            "was given with a user or password",
            "Leave these out: they would stand in records. Download the file yourself, and give its path.",
        )
    if re.search(r"[\x00-\x20\x7f-\uffff]", uri):
        raise _refused(ascii(uri)[1:-1], "holds characters that an address cannot", "Write them percent-encoded.")
    name = _UNSAFE.sub("_", urllib.parse.unquote(parts.path.rpartition("/")[2])).lstrip(".")[-100:]
    if not name:
        raise _refused(uri, "names no file", "Give the address of one file.")
    return name


@dataclass(frozen=True)
class _Download:
    uri: str
    place: Path
    name: str
    limit: int
    timeout: float

    def file(self) -> Path:
        kept = self._kept()
        with self._explained(kept), self._answer(kept) as answer:
            if answer.status == _UNCHANGED and kept is not None:
                return self._path(kept["sha256"])
            self._check_head(answer)
            return self._receive(answer, kept)

    def _path(self, sha256: str) -> Path:
        return self.place / sha256 / self.name

    def _kept(self) -> Mapping[str, Any] | None:
        """Return the record of the last download, if its file is still the one that was downloaded."""
        try:
            record = json.loads((self.place / _RECORD).read_bytes())
            file = self._path(record["sha256"])
            whole = _state(file) == record["state"] or sha256_of(file) == record["sha256"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None
        return record if whole else None

    @contextlib.contextmanager
    def _answer(self, kept: Mapping[str, Any] | None) -> Iterator[Any]:
        headers = {"Accept-Encoding": "identity", "User-Agent": "mlopskit"}
        asked = {"If-None-Match": "etag", "If-Modified-Since": "last_modified"}
        headers |= {header: kept[key] for header, key in asked.items() if kept and kept.get(key)}
        request = urllib.request.Request(self.uri, headers=headers)  # noqa: S310  # the scheme was checked
        handlers: list[urllib.request.BaseHandler] = [_SameHost()]
        if request.type == "http":  # on this machine: no proxy stands between
            handlers.append(urllib.request.ProxyHandler({}))
        try:
            answer = urllib.request.build_opener(*handlers).open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            if error.code != _UNCHANGED:
                raise
            answer = error
        with answer:
            yield answer

    def _check_head(self, answer: Any) -> None:
        if answer.status != _OK:
            raise self._no_data(f"the status is {answer.status}, expected {_OK}")
        kind = answer.headers.get_content_type()
        if kind in _PAGES:
            raise self._no_data(f"it is a page ({kind})")
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise self._no_data(f"it is encoded ({encoding}), which was not asked for")
        if answer.length is None and not answer.chunked:
            raise self._no_data("its length is not told, so that a part could not be told from the whole")
        if answer.length is not None and answer.length > self.limit:
            raise self._too_large()

    def _receive(self, answer: Any, kept: Mapping[str, Any] | None) -> Path:
        expected = answer.length
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.place / f".part-{uuid.uuid4().hex}"
        try:
            with part.open("xb") as opened:
                sha256, size = self._copy(answer, opened)
            if expected is not None and size != expected:
                raise self._no_data(f"it broke off after {size:,} of {expected:,} bytes")
            self._check_content(part)
            file = self._path(sha256)
            file.parent.mkdir(exist_ok=True)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        self._remember(answer, sha256, file)
        self._tidy({sha256, str(kept["sha256"]) if kept else sha256})
        return file

    def _copy(self, answer: Any, opened: IO[bytes]) -> tuple[str, int]:
        sha256, size, end = hashlib.sha256(), 0, time.monotonic() + DEADLINE
        while chunk := answer.read1(_CHUNK):
            size += len(chunk)
            if size > self.limit:
                raise self._too_large()
            if time.monotonic() > end:
                raise self._no_data(f"it was not complete after {DEADLINE:.0f} seconds")
            sha256.update(chunk)
            opened.write(chunk)
        opened.flush()
        os.fsync(opened.fileno())
        return sha256.hexdigest(), size

    def _check_content(self, part: Path) -> None:
        magic = _MAGIC.get(Path(self.name).suffix.lower())
        with part.open("rb") as opened:
            head = opened.read(512)
        if magic is None and _MARKUP.match(head):
            raise self._no_data("it is a page: it begins with markup")
        if magic is not None and not head.startswith(magic):
            raise self._no_data(f"it begins with {head[:8]!r}, which is no {Path(self.name).suffix} file")

    def _remember(self, answer: Any, sha256: str, file: Path) -> None:
        about = {"etag": answer.headers.get("ETag"), "last_modified": answer.headers.get("Last-Modified")}
        beside = self.place / f".record-{uuid.uuid4().hex}"
        beside.write_text(json.dumps({**about, "sha256": sha256, "state": _state(file)}), encoding="utf-8")
        beside.replace(self.place / _RECORD)

    def _tidy(self, wanted: set[str]) -> None:
        """Remove what was downloaded before the last time; another process may still read that."""
        for old in self.place.iterdir():
            if old.is_dir() and old.name not in wanted:
                shutil.rmtree(old, ignore_errors=True)

    @contextlib.contextmanager
    def _explained(self, kept: Mapping[str, Any] | None) -> Iterator[None]:
        try:
            yield
        except urllib.error.HTTPError as error:
            with error:
                raise self._no_data(f"the status is {error.code} ({error.reason}), expected {_OK}") from error
        except HTTPException as error:
            raise self._no_data(f"it broke off: {type(error).__name__}") from error
        except OSError as error:  # unreachable, silent, or no place to write
            reason = getattr(error, "reason", None) or error.strerror or error
            before = f" What was downloaded last stands at {str(self._path(kept['sha256']))!r}." if kept else ""
            raise _refused(
                self.uri, f"cannot be had: {reason}", f"Connect and try again, or give a local path.{before}"
            ) from error

    def _no_data(self, why: str) -> DataError:
        return _refused(self.uri, f"serves no data that can be used: {why}", "See what stands at that address.")

    def _too_large(self) -> DataError:
        limit = f"is larger than {self.limit:,} bytes"
        return _refused(self.uri, limit, "Download it yourself, and give its path.")


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a server only to another path of its own: another host may be anybody's."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request that follows a redirection."""
        old, new = (urllib.parse.urlsplit(one) for one in (req.full_url, newurl))
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            raise _refused(
                req.full_url, f"leads to {shown(newurl)!r}, another place", "Give that address, if you trust it."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _state(file: Path) -> list[int]:
    info = file.stat()
    return [info.st_size, info.st_mtime_ns, info.st_ino, info.st_ctime_ns]


def _refused(uri: str, what: str, remedy: str) -> DataError:
    return DataError(f"{shown(uri)!r} {what}.", remedy=remedy, uri=shown(uri))
