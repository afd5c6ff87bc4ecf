# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Downloads from a local server that also misbehaves."""

import contextlib
import http.server
import threading

import pytest
from weights_cases import CONTENT, DIGEST, entry, names, put

from lightmatch_ros.core import weights as w
from lightmatch_ros.core.errors import WeightsError


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT under any name; some names misbehave."""

    def do_GET(self):
        if self.path == "/absent.pt":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/no-length.pt":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/hangs.pt":
            self.server.released.wait(10)
            return
        with contextlib.suppress(ConnectionError):
            if self.path == "/drips.pt":
                while not self.server.released.wait(0.02):
                    self.wfile.write(b".")
            self.wfile.write(CONTENT[: 1000 if self.path == "/breaks.pt" else None])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.released = threading.Event()
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.released.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join(10)


def remote(server, name, sha256=DIGEST):
    return w.WeightsFile(name, sha256, len(CONTENT), f"{server}/{name}")


@pytest.mark.parametrize(("name", "total"), [("a.pt", len(CONTENT)), ("no-length.pt", None)])
def test_download_into_the_cache(server, places, name, total):
    reports = []
    own = entry(remote(server, name))
    found = w.locate(own, progress=lambda *report: reports.append(report))
    assert found == w.FoundWeights(places["cache"] / name, "downloaded")
    assert found.path.read_bytes() == CONTENT
    assert names(places["cache"]) == [name]
    assert reports[-1] == (len(CONTENT), total)
    assert reports == sorted(reports) and len(reports) > 1
    assert w.locate(own).place == "cache"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("breaks.pt", "1000 of 1048576 bytes"), ("absent.pt", "404"), ("hangs.pt", "timed out")],
)
def test_failed_download_leaves_nothing(server, places, name, reason):
    with pytest.raises(WeightsError, match=reason) as caught:
        w.fetch(remote(server, name), places["cache"], timeout_s=0.3)
    assert f"{server}/{name}" in str(caught.value) and str(places["cache"] / name) in str(caught.value)
    assert names(places["cache"]) == []


def test_download_with_wrong_digest_leaves_nothing(server, places):
    with pytest.raises(WeightsError, match=f"{DIGEST}, wanted 0000"):
        w.fetch(remote(server, "a.pt", "0" * 64), places["cache"])
    assert names(places["cache"]) == []


def test_download_has_a_time_limit(server, places):
    with pytest.raises(WeightsError, match="out of time"):
        w.fetch(remote(server, "drips.pt"), places["cache"], limit_s=0.2)
    assert names(places["cache"]) == []


def test_interrupted_download_leaves_nothing(server, places):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        w.fetch(remote(server, "a.pt"), places["cache"], progress=interrupt)
    assert names(places["cache"]) == []


def test_failed_download_keeps_the_old_file(server, places):
    old = put(places["cache"], "breaks.pt", b"old")
    with pytest.raises(WeightsError):
        w.fetch(remote(server, "breaks.pt"), places["cache"])
    assert old.read_bytes() == b"old"


def test_no_server_and_no_directory(server, places, tmp_path, monkeypatch):
    nobody = w.WeightsFile("a.pt", url="http://127.0.0.1:9/a.pt")
    with pytest.raises(WeightsError, match="could not download"):
        w.fetch(nobody, places["cache"])
    with pytest.raises(WeightsError, match="could not download"):
        w.fetch(remote(server, "a.pt"), put(tmp_path, "a-file"))


def test_fetch_without_address(places):
    with pytest.raises(WeightsError, match="no address"):
        w.fetch(w.WeightsFile("a.pt"), places["cache"])
