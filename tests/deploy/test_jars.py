"""Kafka's jars: fetched by coordinate, checked byte for byte, never half there."""

from __future__ import annotations

import errno
import gc
import hashlib
import http.server
import re
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import free_ports, jars
from deploy.local.jars import Jar
from streams.errors import LocalStackError, TransportError

CONTENT = b"the bytes of a jar"
ONE = Jar("org.example", "one", "1.0", hashlib.sha256(CONTENT).hexdigest())
TWO = Jar("org.example.sub", "two", "2.0", hashlib.sha256(b"two").hexdigest())
PATHS = {
    "/org/example/one/1.0/one-1.0.jar": CONTENT,
    "/org/example/sub/two/2.0/two-2.0.jar": b"two",
}


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """A Maven repository of two jars on this machine; what it serves can be changed."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "no-maven-here"))
    served = dict(PATHS)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = served.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", served
    server.shutdown()
    server.server_close()
    thread.join()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_jars_are_fetched_with_progress_and_a_second_time_none_is(
    repository: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    url, served = repository
    folder = tmp_path / "jars"
    steps: list[tuple[int, int]] = []
    found = jars.ensure(
        folder,
        jars=[ONE, TWO],
        repository=url,
        progress=lambda what, done, total: steps.append((done, total)),
    )
    assert found == [folder / "one-1.0.jar", folder / "two-2.0.jar"]
    assert names(folder) == ["one-1.0.jar", "two-2.0.jar"]
    assert steps == [(0, 2), (1, 2), (2, 2)]
    served.clear()  # as without a network
    assert jars.ensure(folder, jars=[ONE, TWO], repository=url) == found


def test_a_damaged_jar_is_fetched_again(repository: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    url, _ = repository
    (tmp_path / "one-1.0.jar").write_bytes(CONTENT[:5])
    jars.ensure(tmp_path, jars=[ONE], repository=url)
    assert (tmp_path / "one-1.0.jar").read_bytes() == CONTENT


def test_other_bytes_than_the_lock_says_are_refused_and_not_kept(
    repository: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    url, served = repository
    served["/org/example/one/1.0/one-1.0.jar"] = b"something else"
    folder = tmp_path / "jars"
    with pytest.raises(LocalStackError, match=r"^org\.example:one:1\.0 has other bytes than .*kafka\.lock"):
        jars.ensure(folder, jars=[ONE], repository=url)
    assert names(folder) == []


def test_a_copy_in_the_users_maven_folder_is_used_if_it_is_right(
    repository: tuple[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = repository
    place = tmp_path / "m2" / "org" / "example" / "one" / "1.0"
    place.mkdir(parents=True)
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    (place / "one-1.0.jar").write_bytes(b"damaged")
    jars.ensure(tmp_path / "a", jars=[ONE], repository=url)
    assert (tmp_path / "a" / "one-1.0.jar").read_bytes() == CONTENT
    assert (place / "one-1.0.jar").read_bytes() == b"damaged", "the user's folder is only read"
    (place / "one-1.0.jar").write_bytes(CONTENT)
    served.clear()
    jars.ensure(tmp_path / "b", jars=[ONE], repository=url)
    assert (tmp_path / "b" / "one-1.0.jar").read_bytes() == CONTENT


def test_a_jar_that_the_repository_does_not_have(
    repository: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    url, served = repository
    served.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # jgo lets go of the answer without closing it
        with pytest.raises(TransportError) as caught:
            jars.ensure(tmp_path, jars=[ONE], repository=url)
        text = str(caught.value)
        del caught
        gc.collect()
    assert text.startswith("org.example:one:1.0 is not to be had: ")
    assert len(text.splitlines()) == 1


def test_no_network_is_one_line_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path / "no-maven-here"))
    (port,) = free_ports(1)
    with pytest.raises(TransportError) as caught:
        jars.ensure(tmp_path / "jars", jars=[ONE], repository=f"http://127.0.0.1:{port}")
    assert str(caught.value) == (
        "org.example:one:1.0 could not be fetched (no connection): connect to the network and try again, "
        "or name a mirror with HEARTHWATCH_MAVEN_REPOSITORY"
    )


def test_a_full_disk_is_one_line_with_the_fix(
    repository: tuple[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(jars, "_fetch", full)
    with pytest.raises(LocalStackError, match=r"^no space left on the disk of .*HEARTHWATCH_JARS_DIR$"):
        jars.ensure(tmp_path / "jars", jars=[ONE], repository=repository[0])


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalStackError, match=r"^cannot write to .*HEARTHWATCH_JARS_DIR$"):
        jars.ensure(tmp_path / "file" / "jars", jars=[ONE])


def test_the_lock_pins_every_jar_of_kafka_by_sha256() -> None:
    pinned = jars.locked()
    assert len({jar.file_name for jar in pinned}) == len(pinned)
    assert set(jars.ROOTS) <= {jar.coordinate for jar in pinned}
    for jar in pinned:
        assert re.fullmatch(r"[0-9a-f]{64}", jar.sha256)
    assert {jar.version for jar in pinned if jar.group == "org.apache.kafka"} == {jars.KAFKA_VERSION}
