"""Bring a file over HTTP: resumable, bounded, and plain about what went wrong.

A download grows as ``NAME.part`` with ``NAME.part.json`` beside it, which says what the file is
a part of. Killed or cut off at any moment, the next attempt goes on from there. Our own, since
pooch (1.9) starts over when cut off and never asks whether the server's file has changed.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import platformdirs
from filelock import FileLock, Timeout

from xdnn_core.errors import UserError
from xdnn_core.io import atomic_write

Progress = Callable[[int, int | None], None]

TIMEOUT_SECONDS: Final = 30
_CHUNK_BYTES: Final = 2**18
_STALL_SECONDS: Final = 4 * TIMEOUT_SECONDS


class DownloadError(UserError):
    """A file that could not be downloaded, or is not what it should be; says what to do."""


class NoConnectionError(DownloadError):
    """The server could not be reached at all."""


@dataclass(frozen=True)
class _Part:
    """What a ``.part`` file is a part of."""

    url: str  # where it comes from
    version: str  # the server's ETag or date of the file, empty where it gave none
    total: int | None  # bytes of the whole file, None where the server did not say


def cache_folder() -> Path:
    """Folder for downloads: ``XDNN_CACHE``, else the user's cache folder."""
    named = os.environ.get("XDNN_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("xdnn"))


def download(url: str, part: Path, progress: Progress | None = None, *, limit: int) -> None:
    """Complete `part`, from its present length where the server can, else from the start."""
    host = urllib.parse.urlsplit(url).hostname
    if not url.startswith(("http://", "https://")) or host is None:
        raise DownloadError(f"{url} is not a web address; give one that starts with https://.")
    known = _read_note(part)
    done = part.stat().st_size if known is not None and known.url == url and part.exists() else 0
    if done and known is not None and done == known.total:
        return
    try:
        with urllib.request.urlopen(
            _request(url, done, known), timeout=TIMEOUT_SECONDS
        ) as response:
            _receive(response, url, part, done, progress, limit)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not done:
            raise DownloadError(
                f"{host} answered {error.code} ({error.reason}) for {url}; the file may have "
                "moved or the server be down, so try again later."
            ) from error
        discard(part)  # longer than the server's file, so it is no part of it
        download(url, part, progress, limit=limit)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise NoConnectionError(
            f"{host} cannot be reached ({reason}); check the network connection and try again."
        ) from error


def discard(part: Path) -> None:
    """Remove a ``.part`` file and its note."""
    part.unlink(missing_ok=True)
    _note_file(part).unlink(missing_ok=True)


def _request(url: str, done: int, known: _Part | None) -> urllib.request.Request:
    """Ask for the file, or for the rest of it provided it has not changed."""
    request = urllib.request.Request(url, headers={"User-Agent": "xdnn"})
    if done:
        request.add_header("Range", f"bytes={done}-")
        # Weak ETags promise equal meaning, not equal bytes, and are not allowed here.
        if known is not None and known.version and not known.version.startswith("W/"):
            request.add_header("If-Range", known.version)
    return request


def _receive(
    response: http.client.HTTPResponse,
    url: str,
    part: Path,
    done: int,
    progress: Progress | None,
    limit: int,
) -> None:
    """Append (206) or write from the start (200) what the server sends."""
    now = _described(response, url)
    if response.status != http.client.PARTIAL_CONTENT:
        done = 0
    elif _first_byte(response) != done or now != _read_note(part):
        discard(part)
        raise DownloadError(
            f"{url} has changed since the download began; try again to load it from the start."
        )
    if response.headers.get_content_type() == "text/html":
        raise _web_page(url)
    if now.total is not None and now.total > limit:
        raise _too_large(url, limit)
    try:
        if not done:  # bytes of an older version must never meet the note of a new one
            part.unlink(missing_ok=True)
        with atomic_write(_note_file(part)) as temporary:
            temporary.write_text(json.dumps(asdict(now)), encoding="utf-8")
        with part.open("ab" if done else "wb") as file:
            while chunk := _read_chunk(response, url):
                if not done and chunk.lstrip()[:1] == b"<":
                    raise _web_page(url)
                done += len(chunk)
                if done > limit:
                    raise _too_large(url, limit)
                file.write(chunk)
                if progress is not None:
                    progress(done, now.total)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise _not_writable(part.parent, error) from error
        discard(part)  # a full disk harms more than a second download
        raise DownloadError(
            f"The disk is full after {done / 1e6:.0f} MB of {url}; free some space in "
            f"{part.parent} or set XDNN_CACHE to another folder, and try again."
        ) from error
    if now.total is not None and done < now.total:
        raise _broken_off(url)


def _read_chunk(response: http.client.HTTPResponse, url: str) -> bytes:
    """Next bytes of the body, empty at its end."""
    try:
        return response.read(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _broken_off(url) from error


def _described(response: http.client.HTTPResponse, url: str) -> _Part:
    """Version and whole length of what the server sends."""
    headers = response.headers
    version = headers.get("ETag") or headers.get("Last-Modified") or ""
    if response.status == http.client.PARTIAL_CONTENT:
        length = headers.get("Content-Range", "").rpartition("/")[2]
    else:
        length = headers.get("Content-Length", "")
    return _Part(url, version, int(length) if length.isdecimal() else None)


def _first_byte(response: http.client.HTTPResponse) -> int | None:
    """Where a partial answer begins: 5 for ``Content-Range: bytes 5-9/10``."""
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdecimal() else None


def _note_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> _Part | None:
    """What the ``.part`` file belongs to; None where nothing says so."""
    try:
        note = json.loads(_note_file(part).read_text(encoding="utf-8"))
        return _Part(str(note["url"]), str(note["version"]), note["total"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _broken_off(url: str) -> DownloadError:
    return DownloadError(f"The download of {url} broke off; try again, it goes on from there.")


def _web_page(url: str) -> DownloadError:
    return DownloadError(
        f"{url} gave a web page in place of the file; a login page of your network may stand in "
        "between, so open the address in a browser and try again."
    )


def _too_large(url: str, limit: int) -> DownloadError:
    return DownloadError(
        f"{url} is larger than {limit / 1e9:.1f} GB, the most that is accepted; check the address."
    )


def _not_writable(folder: Path, error: OSError) -> DownloadError:
    return DownloadError(
        f"{folder} cannot be written ({error.strerror}); set XDNN_CACHE to a folder that can."
    )


@contextmanager
def one_at_a_time(part: Path, progress: Progress | None = None) -> Iterator[None]:
    """Let one thread of one process work on `part`; the others see it grow and wait."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(part.parent, error) from error
    lock = FileLock(part.with_suffix(".lock"))
    seen, since = -1, time.monotonic()
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except Timeout as error:
            present = part.stat().st_size if part.exists() else 0
            if present != seen:
                seen, since = present, time.monotonic()
            if time.monotonic() - since > _STALL_SECONDS:
                raise DownloadError(
                    f"Another session has been at {part.stem} without getting on; close it and "
                    "try again."
                ) from error
            if progress is not None:
                progress(present, None)
        except OSError as error:
            raise _not_writable(part.parent, error) from error
    try:
        yield
    finally:
        lock.release()
