"""MNIST and BSDS500 from a local server: unpacked in place, or a clear error and nothing there."""

import gzip
import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cchkd_utils.datasets.fetch import DownloadError
from cchkd_utils.datasets.mnist_m import files

QUICK = {"timeout": 0.5, "tries": 2, "pause": 0.01}
NAMES = ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture
def server():
    """A server of `files`, name to content."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            body = self.server.files.get(self.path[1:])
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.files, http.url = {}, f"http://127.0.0.1:{http.server_port}/"
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield http
        http.shutdown()


@pytest.fixture
def resources(server, monkeypatch):
    from torchvision.datasets import MNIST

    server.files = {f"{name}.gz": gzip.compress(name.encode()) for name in NAMES}
    known = [(name, hashlib.md5(data).hexdigest()) for name, data in server.files.items()]
    monkeypatch.setattr(MNIST, "resources", known)
    monkeypatch.setattr(MNIST, "mirrors", [server.url + "gone/", server.url])


def test_mnist_is_unpacked_where_torchvision_looks(server, resources, tmp_path):
    files.fetch_mnist(tmp_path, **QUICK)
    for name in NAMES:
        assert (tmp_path / "MNIST" / "raw" / name).read_bytes() == name.encode()
    server.files.clear()
    files.fetch_mnist(tmp_path, **QUICK)  # is there: nothing is asked for


def test_mnist_with_a_flipped_bit_leaves_nothing(server, resources, tmp_path):
    name = f"{NAMES[0]}.gz"
    server.files[name] = server.files[name][:-1] + b"!"
    with pytest.raises(DownloadError, match="another hash") as caught:
        files.fetch_mnist(tmp_path, **QUICK)
    assert name in str(caught.value)
    assert not list((tmp_path / "MNIST" / "raw").iterdir())


def archive(names, content=b"photograph"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def photographs(count, server, monkeypatch, folder):
    """Fetch an archive of `count` photographs, and call that whole."""
    monkeypatch.setattr(files, "COUNT", count)
    files.fetch_photographs(folder, server.url + "bsds.tgz", **QUICK)


TRAIN = f"{files.TRAIN}/"


def test_photographs_are_taken_out_of_the_archive_and_nothing_else(server, tmp_path, monkeypatch):
    inside = [TRAIN + "1.jpg", "BSR/other/2.jpg", TRAIN + "../../x.jpg", TRAIN + "._1.jpg"]
    server.files["bsds.tgz"] = archive([*inside, "../evil.jpg", "./" + TRAIN + "3.jpg"])
    photographs(3, server, monkeypatch, tmp_path)
    photos = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.jpg")}
    assert {p for p in photos if "x.jpg" not in p} == {TRAIN + "1.jpg", TRAIN + "3.jpg"}
    assert not (tmp_path.parent / "evil.jpg").exists()


def test_photographs_broken_off_half_way_become_whole_the_next_time(server, tmp_path, monkeypatch):
    names = [f"{TRAIN}{i}.jpg" for i in range(5)]
    server.files["bsds.tgz"] = archive(names)
    write, written = files.write_whole, []

    def killed(path, data):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, data)

    monkeypatch.setattr(files, "write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        photographs(5, server, monkeypatch, tmp_path)
    monkeypatch.setattr(files, "write_whole", write)
    assert len(list((tmp_path / TRAIN).glob("*.jpg"))) == 2
    photographs(5, server, monkeypatch, tmp_path)
    assert sorted(p.name for p in (tmp_path / TRAIN).iterdir()) == [f"{i}.jpg" for i in range(5)]
    server.files.clear()
    (tmp_path / "BSR_bsds500.tgz").unlink()
    photographs(5, server, monkeypatch, tmp_path)  # all there: nothing is asked for


def test_an_archive_with_too_few_photographs_is_named(server, tmp_path, monkeypatch):
    server.files["bsds.tgz"] = archive([TRAIN + "1.jpg"])
    with pytest.raises(ValueError, match=r"BSR_bsds500\.tgz: has 1 photographs .* not 2"):
        photographs(2, server, monkeypatch, tmp_path)
    assert not list(tmp_path.rglob("*.jpg"))


@pytest.mark.parametrize(
    "body",
    [b"<html>", archive(["readme.txt"]), archive(["a"])[:-9]],
    ids=["a page", "no photographs", "cut off"],  # an archive holds the time, a worker has its own
)
def test_an_archive_that_is_not_bsds_is_named(body, server, tmp_path):
    server.files["bsds.tgz"] = body
    with pytest.raises(ValueError, match=r"BSR_bsds500\.tgz: "):
        files.fetch_photographs(tmp_path, server.url + "bsds.tgz", **QUICK)
    assert not list(tmp_path.rglob("*.jpg"))
