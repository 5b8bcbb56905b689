"""Downloads from a local server that truncates, stalls, refuses and lies."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from cchkd_utils.datasets.download import DownloadError, fetch

CONTENT = np.random.default_rng(0).bytes(300_000)
HALF = 2 * 65536  # whole blocks: what came is kept block by block
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
QUICK = {"timeout": 0.5, "tries": 3, "pause": 0.01}


class Server(ThreadingHTTPServer):
    """Serves `CONTENT`; `behaviours` are used up one a request, then it behaves."""

    def __init__(self, *behaviours, ranges=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviours, self.ranges, self.asked = list(behaviours), ranges, []
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/digits.gz"

    def __exit__(self, *_):
        self.released.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        how = server.behaviours.pop(0) if server.behaviours else "well"
        if isinstance(how, int):
            self.send_error(how)
            return
        body = CONTENT if how != "wrong" else CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
        start = int(wanted[6:-1]) if wanted and server.ranges else 0
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        sent = body[start : HALF if how in ("truncate", "stall") else None]
        self.wfile.write(sent)
        if how == "stall":
            self.wfile.flush()
            server.released.wait(5)
        self.close_connection = True


def left(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_good_download_is_whole_and_asked_for_once(tmp_path):
    with Server() as server:
        for _ in range(2):
            path = fetch(server.url, tmp_path, expected=SHA, **QUICK)
        assert path.read_bytes() == CONTENT
        assert len(server.asked) == 1
    assert left(tmp_path) == ["digits.gz"]


@pytest.mark.parametrize("how", ["truncate", "stall", 503, 429])
def test_one_failure_is_made_good(tmp_path, how):
    with Server(how) as server:
        path = fetch(server.url, tmp_path, expected=SHA, **QUICK)
        assert path.read_bytes() == CONTENT
        # What had come is not asked for again.
        assert server.asked[1] == (f"bytes={HALF}-" if isinstance(how, str) else None)
    assert left(tmp_path) == ["digits.gz"]


def test_a_server_without_ranges_starts_over(tmp_path):
    with Server("truncate", ranges=False) as server:
        assert fetch(server.url, tmp_path, expected=SHA, **QUICK).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("truncate", "the connection broke|bytes came"),
        ("stall", "no answer in time"),
        (503, "the server says 503"),
        (404, "the server says 404"),
    ],
)
def test_lasting_failure_is_one_line_that_says_what_to_do(tmp_path, how, reason):
    with Server(*[how] * 9, ranges=False) as server, pytest.raises(DownloadError) as caught:
        fetch(server.url, tmp_path, expected=SHA, **QUICK)
    message = str(caught.value)
    for part in ("digits.gz", server.url, str(tmp_path / "digits.gz")):
        assert part in message
    assert "\n" not in message
    assert re.search(reason, message)
    assert "digits.gz" not in left(tmp_path)
    assert len(server.asked) == (1 if how == 404 else 3)  # what is not there will not come


def test_wrong_bytes_are_not_kept(tmp_path):
    with Server("wrong") as server:
        with pytest.raises(DownloadError, match="another hash"):
            fetch(server.url, tmp_path, expected=SHA, **QUICK)
        assert left(tmp_path) == []
        assert fetch(server.url, tmp_path, expected=SHA, **QUICK).read_bytes() == CONTENT


def test_a_broken_download_goes_on_in_the_next_call(tmp_path):
    with Server("truncate", 503, 503) as server:
        with pytest.raises(DownloadError):
            fetch(server.url, tmp_path, expected=SHA, **QUICK)
        assert left(tmp_path) == [".digits.gz.part"]
        assert fetch(server.url, tmp_path, expected=SHA, **QUICK).read_bytes() == CONTENT
        assert server.asked[-1] == f"bytes={HALF}-"


def test_the_second_address_is_tried(tmp_path):
    with Server(404) as bad, Server() as good:
        path = fetch([bad.url, good.url], tmp_path, expected=SHA, **QUICK)
        assert path.read_bytes() == CONTENT


def test_without_a_known_hash_the_first_one_is_recorded_and_held_to(tmp_path):
    with Server() as server:
        path = fetch(server.url, tmp_path, **QUICK)
        assert (tmp_path / "digits.gz.sha256").read_text().split()[0] == SHA[7:]
        path.write_bytes(CONTENT[:-1])
        with pytest.raises(ValueError, match=r"digits\.gz is not the file it should be"):
            fetch(server.url, tmp_path, **QUICK)
        path.unlink()
        assert fetch(server.url, tmp_path, **QUICK).read_bytes() == CONTENT


def test_no_server_no_file(tmp_path):
    with Server() as server:
        url = server.url
    with pytest.raises(DownloadError, match="no connection"):
        fetch(url, tmp_path, expected=SHA, **QUICK)


def test_a_file_that_lies_there_is_used_offline_and_checked(tmp_path):
    (tmp_path / "digits.gz").write_bytes(CONTENT)
    assert fetch("http://127.0.0.1:9/digits.gz", tmp_path, expected=SHA).read_bytes() == CONTENT
    with pytest.raises(ValueError, match="not the file it should be"):
        fetch("http://127.0.0.1:9/digits.gz", tmp_path, expected="md5:" + "0" * 32)
    assert (tmp_path / "digits.gz").read_bytes() == CONTENT
