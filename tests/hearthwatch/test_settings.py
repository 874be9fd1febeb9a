"""Settings: where they come from, what is refused and how, and that no secret is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import default_data_dir
from hearthwatch.setting_sources import variable_of
from hearthwatch.settings import SECRETS, Settings, load_settings, misspelt, unknown_variables
from hearthwatch.settings_page import page
from streams.errors import SettingsError

SECRET = "do not show this"


def faults(**given: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(**given)
    return str(caught.value).splitlines()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "hearthwatch.toml"
    monkeypatch.setenv("HEARTHWATCH_CONFIG", str(path))
    return path


def test_without_any_setting_the_embedded_stack_and_the_wuchang_files_are_used() -> None:
    settings = load_settings()
    assert settings.kafka_bootstrap == "127.0.0.1:19092"
    assert settings.redis_url == "redis://127.0.0.1:16379/0"
    assert settings.data_dir == default_data_dir()
    assert settings.catalog.parts[-3:] == ("streams", "catalogs", "wuchang.yaml")
    assert settings.policy.parts[-3:] == ("rules", "policies", "wuchang.yaml")
    assert settings.catalog.is_file()
    assert settings.policy.is_file()
    assert settings.clock == "wall"
    assert settings.kafka_controller_port == 19093


def test_the_servers_addresses_follow_the_embedded_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_PORT", "20000")
    monkeypatch.setenv("HEARTHWATCH_VALKEY_PORT", "20010")
    settings = load_settings()
    assert settings.kafka_bootstrap == "127.0.0.1:20000"
    assert settings.kafka_controller_port == 20001
    assert settings.redis_url == "redis://127.0.0.1:20010/0"


def test_arguments_go_before_variables_before_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('log_level = "error"\nlog_format = "json"\nclock = "log"\n')
    monkeypatch.setenv("HEARTHWATCH_LOG_LEVEL", "warning")
    monkeypatch.setenv("HEARTHWATCH_CLOCK", "log")
    settings = load_settings(clock="wall", policy=None)
    assert (settings.clock, settings.log_level, settings.log_format) == ("wall", "warning", "json")
    assert settings.policy.name == "wuchang.yaml", "an option that was not given says nothing"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_PORT", "")
    assert load_settings().kafka_port == 19092


@pytest.mark.parametrize("suffix", ["yaml", "yml"])
def test_the_file_may_be_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    path = tmp_path / f"settings.{suffix}"
    path.write_text("replication_factor: 3\nredis_cluster: true\nredis_url: redis://a:1,b:2\n")
    monkeypatch.setenv("HEARTHWATCH_CONFIG", str(path))
    settings = load_settings()
    assert settings.replication_factor == 3
    assert settings.redis_cluster is True


def test_paths_in_the_file_are_relative_to_its_folder(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('policy = "rules/mine.yaml"\nkafka_ca_file = "ca.pem"\n')
    (config.parent / "ca.pem").write_text("")
    monkeypatch.chdir("/")
    assert load_settings().policy == config.parent / "rules" / "mine.yaml"
    assert load_settings().kafka_ca_file == config.parent / "ca.pem"


def test_relative_paths_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So that a worker started in another folder reads the same file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEARTHWATCH_POLICY", "mine.yaml")
    assert load_settings().policy == tmp_path / "mine.yaml"


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_stand_in_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv(f"{variable_of(name)}_FILE", str(tmp_path / "secret"))
    assert getattr(load_settings(), name).get_secret_value() == SECRET
    monkeypatch.setenv(variable_of(name), "the variable goes first")
    assert getattr(load_settings(), name).get_secret_value() == "the variable goes first"


def test_a_secrets_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_REDIS_PASSWORD_FILE", "/nowhere/secret")
    assert faults() == [
        (
            "HEARTHWATCH_REDIS_PASSWORD_FILE: got '/nowhere/secret' (No such file or directory); "
            "allowed: the path of a file that can be read"
        )
    ]


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("HEARTHWATCH_KAFKA_PORT", "70000", "a port, 1 to 65535"),
        ("HEARTHWATCH_VALKEY_PORT", "x", "a port, 1 to 65535"),
        ("HEARTHWATCH_HOUSEHOLD_METRICS_PORT", "-1", "a port, 0 to 65535 (0: any free one)"),
        ("HEARTHWATCH_KAFKA_BOOTSTRAP", "localhost", "host:port, several with commas between"),
        ("HEARTHWATCH_KAFKA_BOOTSTRAP", "a:1,b:", "host:port, several with commas between"),
        ("HEARTHWATCH_KAFKA_SECURITY_PROTOCOL", "TLS", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
        ("HEARTHWATCH_KAFKA_SASL_MECHANISM", "GSSAPI", "SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN"),
        ("HEARTHWATCH_KAFKA_CA_FILE", "/nowhere/ca.pem", "the path of a file that can be read"),
        ("HEARTHWATCH_CLOCK", "sun", "`wall` or `log`"),
        ("HEARTHWATCH_REDIS_CLUSTER", "maybe", "true or false"),
        ("HEARTHWATCH_LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("HEARTHWATCH_LIFE_RETENTION_DAYS", "0", "a whole number of days, 1 to 36500"),
        ("HEARTHWATCH_MAVEN_REPOSITORY", "ftp://x", "a URL that begins with https:// or http://"),
        ("HEARTHWATCH_JAVA_OPTIONS", "-Xmx1g here", "options as in a shell, each begins with a hyphen"),
        ("HEARTHWATCH_JAVA_OPTIONS", "-Da='b", "options as in a shell, each begins with a hyphen"),
    ],
)
def test_a_fault_names_the_variable_what_was_given_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert faults() == [f"{variable}: got {value!r}; allowed: {allowed}"]


def test_braces_in_the_namespace_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would choose the slot on a Redis Cluster."""
    monkeypatch.setenv("HEARTHWATCH_REDIS_NAMESPACE", "{a}")
    assert len(faults()) == 1


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    config.write_text('log_format = "xml"\n')
    monkeypatch.setenv("HEARTHWATCH_CLOCK", "sun")
    told = faults(kafka_port="many")
    assert told == [
        "HEARTHWATCH_CLOCK: got 'sun'; allowed: `wall` or `log`",
        "HEARTHWATCH_KAFKA_PORT: got 'many'; allowed: a port, 1 to 65535",
        f"{config}: log_format: got 'xml'; allowed: text or json",
    ]


def test_sasl_needs_a_user_and_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("HEARTHWATCH_KAFKA_USERNAME", "me")
    assert faults() == [
        (
            "HEARTHWATCH_KAFKA_SECURITY_PROTOCOL is SASL_SSL, which needs HEARTHWATCH_KAFKA_USERNAME "
            "and HEARTHWATCH_KAFKA_PASSWORD (or HEARTHWATCH_KAFKA_PASSWORD_FILE)"
        )
    ]


def test_a_certificate_needs_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("")
    monkeypatch.setenv("HEARTHWATCH_REDIS_CERT_FILE", str(tmp_path / "c.pem"))
    assert faults() == ["HEARTHWATCH_REDIS_CERT_FILE is given, which needs HEARTHWATCH_REDIS_KEY_FILE"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("kafka_botstrap = 'a:1'", "`kafka_botstrap` is no setting; did you mean `kafka_bootstrap`?"),
        ("clock = ", "Invalid value (at "),
        ("[kafka]\nport = 1", "`kafka` is no setting"),
    ],
)
def test_a_faulty_file_is_named(config: Path, content: str, told: str) -> None:
    config.write_text(content)
    (line,) = faults()
    assert line.startswith(f"{config}: {told}")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("gone.toml", None, " (No such file or directory)"),
        ("settings.ini", "", ""),
        ("latin.toml", b"\xe4", " (not UTF-8 text)"),
    ],
)
def test_a_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | bytes | None, why: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("HEARTHWATCH_CONFIG", str(path))
    assert faults() == [
        f"HEARTHWATCH_CONFIG: got '{path}'{why}; allowed: the path of a .toml, .yaml or .yml file"
    ]


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(variable_of(name), SECRET)
    monkeypatch.setenv("HEARTHWATCH_REDIS_URL", f"redis://me:{SECRET.replace(' ', '-')}@host/0")
    settings = load_settings()
    assert SECRET not in repr(settings)
    assert SECRET.replace(" ", "-") not in repr(settings)
    assert SECRET not in str(settings.model_dump())
    monkeypatch.setenv("HEARTHWATCH_REDIS_URL", f"http://{SECRET}@host")
    (line,) = faults()
    assert SECRET not in line
    assert line.startswith("HEARTHWATCH_REDIS_URL: got a value that is not shown; allowed: redis://")


def test_misspelt_variables_are_found() -> None:
    environment = {
        "HEARTHWATCH_KAFKA_BOOSTRAP": "x",
        "HEARTHWATCH_CONFIG": "x",
        "HEARTHWATCH_CLOCK": "x",
        "HEARTHWATCH_REDIS_PASSWORD_FILE": "x",
        "HEARTHWATCH_STAFF": "x",  # no setting, but of `hearthwatch case`
        "PATH": "x",
    }
    assert unknown_variables(environment) == ["HEARTHWATCH_KAFKA_BOOSTRAP"]
    (told,) = misspelt(environment)
    assert told.endswith("did you mean `HEARTHWATCH_KAFKA_BOOTSTRAP`?")


@pytest.mark.parametrize("command", [["up"], ["worker", "person"], ["api"]])
def test_what_runs_for_long_warns_of_them_when_it_starts(command: list[str], tmp_path: Path) -> None:
    """Each then ends at once, because a file or its broker is missing."""
    environment = {
        **os.environ,
        "HEARTHWATCH_DATA_DIR": str(tmp_path),
        "HEARTHWATCH_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "HEARTHWATCH_HOUSHOLD_PARTITIONS": "6",
    }
    for name in ("CATALOG", "TOKENS"):
        environment[f"HEARTHWATCH_{name}"] = str(tmp_path / "missing")
    done = subprocess.run(
        [sys.executable, "-m", "hearthwatch", *command],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (2, 3)
    assert "did you mean `HEARTHWATCH_HOUSEHOLD_PARTITIONS`?" in done.stderr


@pytest.mark.parametrize("url", ["foo", "foo:6379", "foo,redis://bar", "redis://"])
def test_an_address_of_redis_says_what_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HEARTHWATCH_REDIS_URL", url)
    (line,) = faults()
    assert line.startswith("HEARTHWATCH_REDIS_URL: got a value that is not shown; allowed: redis://host:port")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().clock = "log"  # type: ignore[misc]


class TestReferencePage:
    """docs/reference/settings.md and the code name the same."""

    path = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"

    def test_it_is_what_the_code_writes(self) -> None:
        assert self.path.read_text("utf-8") == page(), (
            "write it anew: python -m hearthwatch.settings_page > docs/reference/settings.md"
        )

    def test_every_setting_has_a_heading_a_meaning_a_default_and_what_is_allowed(self) -> None:
        text = self.path.read_text("utf-8")
        headings = re.findall(r"^### `(\w+)`$", text, re.MULTILINE)
        assert set(headings) == {variable_of(name) for name in Settings.model_fields} | {"HEARTHWATCH_CONFIG"}
        for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
            assert re.search(r"`\n\n\S.+\n\n- Default: \S.*\n- Allowed: \S", section), section

    def test_every_default_in_words_is_only_where_the_value_does_not_say_it(self) -> None:
        for name, field in Settings.model_fields.items():
            assert field.description, name
            assert isinstance(field.json_schema_extra, dict)
            if field.json_schema_extra["default_text"]:
                assert field.default is None or isinstance(field.default, Path), name
