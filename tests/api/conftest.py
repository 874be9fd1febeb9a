"""A town for the tests of the API: its own broker, Valkey, workers and API, started once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hearthwatch.cli import run
from tests.api.town import DISTRICT, HERE, Client, Town
from tests.api.typed import Cli, Said


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"))
    try:
        town.up()
        yield town
    finally:
        town.down()


@pytest.fixture(scope="package")
def here(town: Town) -> Client:
    """An officer of one community."""
    return Client(town, town.token("anna", "community", HERE))


@pytest.fixture(scope="package")
def desk(town: Town) -> Client:
    """The district's desk."""
    return Client(town, town.token("desk", "district", DISTRICT))


@pytest.fixture(scope="package")
def auditor(town: Town) -> Client:
    """An auditor of the district."""
    return Client(town, town.token("audit", "auditor", DISTRICT))


@pytest.fixture
def case(town: Town, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Types `hearthwatch case ...`; ``by`` is (staff, role, communities)."""
    for name, value in town.environment.items():
        if name.startswith("HEARTHWATCH_"):
            monkeypatch.setenv(name, value)

    def typed(*words: str, by: tuple[str, str, str] | None = None) -> Said:
        for name, value in zip(("STAFF", "ROLE", "COMMUNITIES"), by or ("", "", ""), strict=True):
            monkeypatch.setenv(f"HEARTHWATCH_{name}", value)
        capfd.readouterr()
        status = run(["case", *words])
        out, err = capfd.readouterr()
        return Said(status, out, err)

    return typed


@pytest.fixture(scope="package")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate of 127.0.0.1 that vouches for itself, and its key: two files."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "api.pem", folder / "api.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(paths[0]), str(paths[1])
