"""Fetch a file once: whole or not at all, checked, resumed after a break.

`pooch` checks the hash and puts the file in place in one step. The transfer below it adds a time
limit on silence, repeated tries with growing pauses, and going on where the last try stopped.
"""

import contextlib
import os
import re
import time
from pathlib import Path

import pooch
import requests

from cchkd_utils.datasets import write_whole

pooch.get_logger().setLevel("WARNING")  # what happens is said in errors, or not at all
BLOCK = 1 << 16
RETRY = {408, 425, 429, 500, 502, 503, 504}  # the server may do better in a moment
MISSING = {403, 404, 410}  # there is no such file; stores that hide their lists say 403


class DownloadError(OSError):
    """A file that could not be fetched; `missing`: every address answered that it has none."""

    def __init__(self, message, missing=False):
        super().__init__(message)
        self.missing = missing


def fetch(url, folder, name=None, *, expected=None, timeout=30.0, tries=5, pause=1.0):
    """Return the path of a file, downloaded to `folder` unless it is there already.

    `url` is an address, or several of the same file, each tried `tries` times: a try fails after
    `timeout` seconds without data, and the next comes after `pause` seconds, doubled each time.
    `expected` is a hash from a citable source, ``"md5:..."`` or ``"sha256:..."``. Without one, that
    of the first download, or of a file that is there, is written to ``NAME.sha256``, and the file
    held against it later on. A file that is there with another hash is refused, not touched.
    """
    urls = [url] if isinstance(url, str) else list(url)
    folder = Path(folder)
    name = name or urls[0].rsplit("/", 1)[-1]
    path, record = folder / name, folder / f"{name}.sha256"
    expected = expected or _recorded(record)
    if path.is_file():
        if expected is None:  # killed before it was recorded, or put there by hand
            with contextlib.suppress(OSError):  # what a read-only folder holds can still be used
                _write_record(record, path)
        elif not pooch.hashes.hash_matches(path, expected):
            raise ValueError(
                f"{path} is not the file it should be ({expected}): "
                f"remove it, or put the file from {urls[0]} there"
            )
        return path
    transfer = _Transfer(folder / f".{name}.part", timeout, tries, pause, expected is not None)
    errors = []
    for address in urls:
        try:
            pooch.retrieve(address, expected, fname=name, path=folder, downloader=transfer)
        except (OSError, ValueError) as error:  # those of requests are OSErrors
            errors.append(error)
            continue
        if expected is None:
            _write_record(record, path)
        return path
    reasons = "; ".join(dict.fromkeys(map(_reason, errors)))
    raise DownloadError(
        f"{name} could not be fetched from {urls[0]} ({reasons}): "
        f"try again, or put the file at {path}",
        missing=all(_status(error) in MISSING for error in errors),
    )


def _recorded(record):
    """Return the hash of the first download, None where none is recorded or the record damaged."""
    content = record.read_bytes() if record.is_file() else b""
    digest = re.match(rb"([0-9a-f]{64})(?:\s|$)", content.lower())
    return f"sha256:{digest[1].decode()}" if digest else None


def _write_record(record, path):
    write_whole(record, f"{pooch.file_hash(path)}  {path.name}\n".encode())


def _status(error):
    return error.response.status_code if isinstance(error, requests.HTTPError) else None


def _reason(error):
    text = " ".join(str(error).split())
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return "no answer in time"
    if status := _status(error):
        return f"the server says {status}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if "hash of downloaded file" in text:
        return "what came has another hash than the file"
    return text[:120]


class _Transfer:
    """A downloader for pooch that resumes; see https://www.fatiando.org/pooch for its interface.

    What came lies in `part`. With a known hash the next call goes on from it; else it is resumed
    only from the same address, and only if the server's file is still the same one.
    """

    def __init__(self, part, timeout, tries, pause, checked):
        self.part, self.timeout, self.tries, self.pause = part, timeout, tries, pause
        self.checked = checked  # against a hash: only then may parts of unknown origin be joined
        self.validator = None  # what the server calls the version that the part is of

    def __call__(self, url, output_file, pooch_object):
        self.validator = None
        if not self.checked:
            self.part.unlink(missing_ok=True)  # of another address, or of an earlier call
        for attempt in range(self.tries):
            try:
                self._try(url)
                break
            except requests.RequestException as error:
                hopeless = isinstance(error, (ValueError, requests.TooManyRedirects))
                if (
                    hopeless  # no address at all, or one that leads nowhere
                    or attempt + 1 == self.tries
                    or _status(error) not in (None, *RETRY)
                ):
                    raise
            time.sleep(self.pause * 2**attempt)
        os.replace(self.part, output_file)  # a wrong hash must not be resumed from

    def _try(self, url):
        start = self.part.stat().st_size if self.part.is_file() else 0
        if not (self.checked or self.validator):
            start = 0
        # No compression on the way: lengths and positions then count bytes of the file itself.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        if start and self.validator:
            headers["If-Range"] = self.validator  # the whole file, if it has changed since
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as answer:
            if answer.status_code == 416:  # the part is longer than the file: begin again
                self.part.unlink(missing_ok=True)
                raise requests.RequestException("the part did not fit the file")
            answer.raise_for_status()
            if answer.status_code != 206:  # the whole file, not its rest
                start, self.validator = 0, _validator(answer.headers)
            with self.part.open("ab" if start else "wb") as file:
                for block in answer.iter_content(BLOCK):
                    file.write(block)
            length, size = answer.headers.get("Content-Length"), self.part.stat().st_size
        if length and size != start + int(length):
            raise requests.RequestException(f"{size} of {start + int(length)} bytes came")


def _validator(headers):
    """Return what names this version of a file exactly; None where the server gives nothing."""
    tag = headers.get("ETag", "W/")
    return headers.get("Last-Modified") if tag.startswith("W/") else tag
