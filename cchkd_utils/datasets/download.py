"""Fetch a file once: whole or not at all, checked, resumed after a break.

`pooch` checks the hash and puts the file in place in one step. The transfer below it adds what a
long download over a bad line needs: a time limit on silence, repeated tries with growing pauses,
and going on where the last try stopped.
"""

import os
import time
from pathlib import Path

import pooch
import requests

pooch.get_logger().setLevel("WARNING")  # what happens is said in errors, or not at all
BLOCK = 1 << 16
RETRY = {408, 425, 429, 500, 502, 503, 504}  # the server may do better in a moment


class DownloadError(OSError):
    """A file that could not be fetched; one line with the file, its address and where to put it."""


def fetch(url, folder, name=None, *, expected=None, timeout=30.0, tries=5, pause=1.0):
    """Return the path of a file, downloaded to `folder` unless it is there already.

    Parameters
    ----------
    url : str or sequence of str
        Address, or several of the same file, tried in order.
    folder : path-like
        Made if need be. While a download is under way, or after it broke, ``.NAME.part`` is there;
        the next call goes on from it where the server allows.
    name : str, optional
        File name; default: the end of the first address.
    expected : str, optional
        Hash from a citable source, ``"md5:..."`` or ``"sha256:..."``. Without one, the hash of the
        first download is written to ``NAME.sha256``, and the file held against that later on.
    timeout : float
        Seconds without any data after which a try counts as failed.
    tries : int
        Per address.
    pause : float
        Seconds before the second try; doubled each time.

    Returns
    -------
    Path

    Raises
    ------
    DownloadError
        No address gave the file, or what it gave has another hash; no file is left under `name`.
    ValueError
        A file is there and has another hash than it should. It is not touched.
    """
    urls = [url] if isinstance(url, str) else list(url)
    folder = Path(folder)
    name = name or urls[0].rsplit("/", 1)[-1]
    path, record = folder / name, folder / f"{name}.sha256"
    if expected is None and record.is_file():
        expected = "sha256:" + record.read_text(encoding="ascii").split()[0]
    if path.is_file():
        if expected and not _has(path, expected):
            raise ValueError(
                f"{path} is not the file it should be ({expected}): "
                f"remove it, or put the file from {urls[0]} there"
            )
        return path
    transfer = _Transfer(folder / f".{name}.part", timeout, tries, pause)
    reasons = []
    for address in urls:
        try:
            pooch.retrieve(address, expected, fname=name, path=folder, downloader=transfer)
        except (requests.RequestException, OSError, ValueError) as error:
            reasons.append(_reason(error))
            continue
        if expected is None:
            record.write_text(f"{pooch.file_hash(path)}  {name}\n", encoding="ascii")
        return path
    raise DownloadError(
        f"{name} could not be fetched from {urls[0]} ({'; '.join(dict.fromkeys(reasons))}): "
        f"try again, or put the file at {path}"
    )


def _has(path, expected):
    kind, _, value = expected.partition(":")
    return pooch.file_hash(path, alg=kind) == value.lower()


def _reason(error):
    text = " ".join(str(error).split())
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return "no answer in time"
    if isinstance(error, requests.HTTPError):
        return f"the server says {error.response.status_code}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    if isinstance(error, requests.ConnectionError) and not isinstance(error, _Broken):
        return "no connection"
    if "hash of downloaded file" in text:
        return "what came has another hash than the file"
    return text[:120]


class _Broken(requests.ConnectionError):
    """The transfer ended before the announced length."""


_BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class _Transfer:
    """A downloader for pooch that resumes; see https://www.fatiando.org/pooch for its interface."""

    def __init__(self, part, timeout, tries, pause):
        self.part, self.timeout, self.tries, self.pause = part, timeout, tries, pause

    def __call__(self, url, output_file, pooch_object):
        """Write the file at `url` to `output_file`."""
        for attempt in range(self.tries):
            try:
                self._try(url)
                break
            except requests.HTTPError as error:
                if error.response.status_code not in RETRY or attempt + 1 == self.tries:
                    raise
            except _BROKEN:
                if attempt + 1 == self.tries:
                    raise
            time.sleep(self.pause * 2**attempt)
        os.replace(self.part, output_file)  # a wrong hash must not be resumed from

    def _try(self, url):
        start = self.part.stat().st_size if self.part.is_file() else 0
        # No compression on the way: lengths and positions then count bytes of the file itself.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as answer:
            if answer.status_code == 416:  # the part is longer than the file: begin again
                self.part.unlink()
                raise _Broken("the part did not fit the file")
            answer.raise_for_status()
            resumed = answer.status_code == 206
            total = answer.headers.get("Content-Length")
            total = int(total) + (start if resumed else 0) if total else None
            with self.part.open("ab" if resumed else "wb") as file:
                for block in answer.iter_content(BLOCK):
                    file.write(block)
        if total is not None and (size := self.part.stat().st_size) != total:
            raise _Broken(f"{size} of {total} bytes came")
