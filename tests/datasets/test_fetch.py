"""Downloads from a local server that truncates, stalls, refuses and lies."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from cchkd_utils.datasets.fetch import DownloadError, fetch

pytestmark = pytest.mark.slow

CONTENT = np.random.default_rng(0).bytes(300_000)
HALF = 2 * 65536  # whole blocks: what came is kept block by block
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
QUICK = {"timeout": 0.5, "tries": 3, "pause": 0.01}


class Server(ThreadingHTTPServer):
    """Serves `content`; `behaviours` are used up one a request, then it behaves.

    With `tags`, each request takes the next one as the ETag of what is served, the last for good.
    """

    def __init__(self, *behaviours, ranges=True, content=CONTENT, tags=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviours, self.ranges, self.asked = list(behaviours), ranges, []
        self.content, self.tags = content, list(tags)
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

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
        body = server.content
        body = body if how != "wrong" else body[:-1] + bytes([body[-1] ^ 1])
        start = int(wanted[6:-1]) if wanted and server.ranges else 0
        tag = server.tags[0] if server.tags else None
        server.tags = server.tags[1:] or server.tags
        if self.headers.get("If-Range", tag) != tag:
            start = 0  # what changed is sent whole
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if tag:
            self.send_header("ETag", tag)
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


# --- no hash is known yet ---------------------------------------------------------------------

OTHER = CONTENT[::-1]


def test_a_part_of_another_address_is_not_joined(tmp_path):
    one_try = QUICK | {"tries": 1}
    with Server("truncate", tags=['"a"']) as first, Server(content=OTHER) as second:
        path = fetch([first.url, second.url], tmp_path, "digits.gz", **one_try)
    assert path.read_bytes() == OTHER
    assert second.asked == [None]
    assert left(tmp_path) == ["digits.gz", "digits.gz.sha256"]


def test_a_part_of_an_earlier_call_is_not_joined(tmp_path):
    (tmp_path / ".digits.gz.part").write_bytes(OTHER[:1000])
    with Server() as server:
        assert fetch(server.url, tmp_path, **QUICK).read_bytes() == CONTENT
        assert server.asked == [None]


@pytest.mark.parametrize(
    ("tags", "asked"),
    [
        (['"a"'], [None, f"bytes={HALF}-"]),  # the same file: only the rest is sent
        (['"a"', '"b"'], [None, f"bytes={HALF}-"]),  # another one: the server sends it whole
        (['W/"a"'], [None, None]),  # names no version exactly
        ([], [None, None]),
    ],
)
def test_a_part_is_resumed_only_if_the_file_is_the_same(tmp_path, tags, asked):
    with Server("truncate", tags=tags) as server:
        assert fetch(server.url, tmp_path, **QUICK).read_bytes() == CONTENT
        assert server.asked == asked


def test_a_file_that_changes_while_it_comes_is_whole(tmp_path):
    with Server("truncate", tags=['"a"', '"b"']) as server:

        def changed(seconds):
            server.content = OTHER

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cchkd_utils.datasets.fetch.time.sleep", changed)
            assert fetch(server.url, tmp_path, **QUICK).read_bytes() == OTHER


@pytest.mark.parametrize("record", [b"", b"\n", b"\xff\x00", b"e3b0c442  digits.gz\n"])
def test_a_damaged_record_is_made_again(tmp_path, record):
    note = tmp_path / "digits.gz.sha256"
    note.write_bytes(record)
    with Server() as server:
        assert fetch(server.url, tmp_path, **QUICK).read_bytes() == CONTENT
    assert note.read_text() == f"{SHA[7:]}  digits.gz\n"
    note.write_bytes(record)
    fetch("http://127.0.0.1:9/digits.gz", tmp_path)
    assert note.read_text() == f"{SHA[7:]}  digits.gz\n"
    assert left(tmp_path) == ["digits.gz", "digits.gz.sha256"]


def test_a_file_without_a_record_gets_one(tmp_path):
    path = tmp_path / "digits.gz"
    path.write_bytes(CONTENT)
    assert fetch("http://127.0.0.1:9/digits.gz", tmp_path) == path
    path.write_bytes(OTHER)
    with pytest.raises(ValueError, match="not the file it should be"):
        fetch("http://127.0.0.1:9/digits.gz", tmp_path)


def test_a_file_is_used_where_no_record_can_be_written(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    (tmp_path / "digits.gz").write_bytes(CONTENT)
    monkeypatch.setattr("cchkd_utils.datasets.fetch._write_record", refuse)
    assert fetch("http://127.0.0.1:9/digits.gz", tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answers", "missing"), [((404, 403), True), ((404, 503), False), ((503, 503), False)]
)
def test_the_error_tells_whether_there_is_no_such_file(tmp_path, answers, missing):
    servers = Server(*[answers[0]] * 3), Server(*[answers[1]] * 3)
    with servers[0] as a, servers[1] as b, pytest.raises(DownloadError) as caught:
        fetch([a.url, b.url], tmp_path, "digits.gz", **QUICK)
    assert caught.value.missing is missing


def test_an_address_that_cannot_be_one_is_not_tried_again(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr("cchkd_utils.datasets.fetch.time.sleep", waited.append)
    with pytest.raises(DownloadError):
        fetch("nowhere://digits.gz", tmp_path)
    assert waited == []
