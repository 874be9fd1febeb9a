"""Every setting, with its default, its bounds and its meaning.

A setting comes from the variable ``HEARTHWATCH_<NAME>``, or from ``<name>`` in the TOML or YAML file that
``HEARTHWATCH_CONFIG`` names (a variable goes before the file); a secret also from the file that
``HEARTHWATCH_<NAME>_FILE`` names. The page docs/reference/settings.md is written from this module.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from deploy.local.data_folder import default_data_dir, default_jars_dir
from deploy.local.prometheus import PROMETHEUS_PORT
from deploy.local.stack import KAFKA_PORT, VALKEY_PORT
from hearthwatch.setting_kinds import (
    ADDED_TEXT,
    LAID_OUT_TEXT,
    LOCAL,
    METRICS_PORT_TEXT,
    PARTITIONS_TEXT,
    PORT_TEXT,
    SWITCH_TEXT,
    MetricsPort,
    Partitions,
    Port,
    absolute,
    addresses,
    options_of_java,
    port_or,
    readable,
    redis_urls,
    setting,
    web_address,
)
from hearthwatch.setting_sources import (
    A_FILE,
    CONFIG_VARIABLE,
    PREFIX,
    ConfigFile,
    SecretFiles,
    is_secret,
    no_setting,
    read_config,
    variable_of,
)
from streams.errors import SettingsError

_PACKAGES = Path(__file__).resolve().parent.parent

_CLUSTER = "How to reach Kafka"
_REDIS = "How to reach Redis or Valkey"
_LOCAL = "The embedded servers"
_RULES = "What is monitored, and how"
_TOPICS = "Topics"
_WORKERS = "Workers"
_API = "The HTTP API"


class Settings(BaseSettings):
    """All settings of one program run; immutable. Secrets show as ``**********`` wherever it is printed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=False,
        hide_input_in_errors=True,
    )

    catalog: Path = setting(
        _PACKAGES / "streams" / "catalogs" / "wuchang.yaml",
        "the path of a YAML file",
        _RULES,
        "the Wuchang catalogue",
    )
    """The catalogue: which department may send which events (`hearthwatch catalog check` reads it)."""
    policy: Path = setting(
        _PACKAGES / "rules" / "policies" / "wuchang.yaml",
        "the path of a YAML file",
        _RULES,
        "the Wuchang policy",
    )
    """The policy: indicators, points, levels (`hearthwatch policy check` reads it)."""
    casebook: Path = setting(
        _PACKAGES / "casework" / "cases" / "casework.yaml",
        "the path of a YAML file",
        _RULES,
        "the Wuchang book of cases",
    )
    """The book of cases: deadlines, who is told when, after care, the pace of a go-live; its levels are the
    policy's."""
    measures: Path = setting(
        _PACKAGES / "casework" / "assistance" / "measures" / "wuchang.yaml",
        "the path of a YAML file",
        _RULES,
        "the Wuchang catalogue of assistance",
    )
    """The catalogue of assistance: causes and measures (`hearthwatch measures check` reads it)."""
    routes: Path | None = setting(None, "the path of a YAML file", _RULES, "none: nobody is alerted")
    """Who is told of a warning, and how (`hearthwatch routes check` reads it). Without it alerts wait on
    their topic, and no dispatch worker runs."""
    clock: Literal["wall", "log"] = setting("wall", "`wall` or `log`", _RULES)
    """Whose time it is: `wall`, the broker's clock, for production; `log`, the time in the records, for
    demos, tests and replays, where only records and `hearthwatch tick` let days pass."""

    data_dir: Path = setting(
        None,
        "the path of a folder",
        _LOCAL,
        "`hearthwatch` in the user's data directory (`~/.local/share` on Linux)",
    )
    """Data, logs and pid files of the embedded servers and of detached workers."""
    jars_dir: Path = setting(
        None, "the path of a folder", _LOCAL, "`hearthwatch/jars` in the user's data directory"
    )
    """Kafka's jars (45 MB), fetched once and shared by all data directories."""
    maven_repository: str | None = setting(
        None, "a URL that begins with https:// or http://", _LOCAL, "Maven's central repository"
    )
    """A mirror to fetch the jars from; wherever a jar comes from, it must have its pinned SHA-256."""
    java_options: str | None = setting(
        None, "options as in a shell, each begins with a hyphen", _LOCAL, "none"
    )
    """Further options of the embedded Kafka's JVM, such as `-Xmx1g`; the last one of a kind holds."""
    kafka_port: Port = setting(KAFKA_PORT, PORT_TEXT, _LOCAL)
    """Port of the embedded Kafka, on 127.0.0.1 only."""
    kafka_controller_port: Port = setting(None, PORT_TEXT, _LOCAL, "the port after `HEARTHWATCH_KAFKA_PORT`")
    """Port on which the embedded Kafka talks to itself."""
    valkey_port: Port = setting(VALKEY_PORT, PORT_TEXT, _LOCAL)
    """Port of the embedded Valkey, on 127.0.0.1 only."""
    prometheus_port: Port = setting(PROMETHEUS_PORT, PORT_TEXT, _LOCAL)
    """Port of the Prometheus that `hearthwatch up --observe` starts, on 127.0.0.1 only."""

    kafka_bootstrap: str = setting(
        None, "host:port, several with commas between", _CLUSTER, "the embedded Kafka (`127.0.0.1:19092`)"
    )
    """Brokers to ask first."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = setting(
        "PLAINTEXT", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", _CLUSTER
    )
    """How the brokers are talked to: SSL is TLS, SASL is user and password."""
    kafka_sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = setting(
        "SCRAM-SHA-512", "SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN", _CLUSTER
    )
    """How user and password are proved, with the SASL protocols."""
    kafka_username: str | None = setting(None, "a text", _CLUSTER)
    """The user, with the SASL protocols."""
    kafka_password: SecretStr | None = setting(None, "a text", _CLUSTER)
    """The user's password."""
    kafka_ca_file: Path | None = setting(None, A_FILE, _CLUSTER, "the system's authorities")
    """Certificates (PEM) of the authorities that vouch for the brokers, with the SSL protocols."""
    kafka_cert_file: Path | None = setting(None, A_FILE, _CLUSTER)
    """Our own certificate (PEM), where the brokers ask for one."""
    kafka_key_file: Path | None = setting(None, A_FILE, _CLUSTER)
    """The key (PEM) of our own certificate."""
    kafka_key_password: SecretStr | None = setting(None, "a text", _CLUSTER)
    """The password of that key."""
    kafka_check_hostname: bool = setting(True, SWITCH_TEXT, _CLUSTER)
    """Whether a broker's certificate must name the host that it was reached at."""

    redis_url: str = setting(
        None,
        "redis://host:port/db, rediss:// for TLS, or unix:///path; of a cluster several with commas between",
        _REDIS,
        "the embedded Valkey (`redis://127.0.0.1:16379/0`)",
        repr=False,  # it may hold a password
    )
    """The server of the ledger."""
    redis_cluster: bool = setting(False, SWITCH_TEXT, _REDIS)
    """Whether it is a Redis Cluster; then the URL names one node or more, and the database is 0."""
    redis_username: str | None = setting(None, "a text", _REDIS)
    """The user, where the server has users."""
    redis_password: SecretStr | None = setting(None, "a text", _REDIS)
    """The password; it goes before one in the URL."""
    redis_ca_file: Path | None = setting(None, A_FILE, _REDIS, "the system's authorities")
    """Certificates (PEM) of the authorities that vouch for the server, with rediss://."""
    redis_cert_file: Path | None = setting(None, A_FILE, _REDIS)
    """Our own certificate (PEM), where the server asks for one."""
    redis_key_file: Path | None = setting(None, A_FILE, _REDIS)
    """The key (PEM) of our own certificate."""
    redis_check_hostname: bool = setting(True, SWITCH_TEXT, _REDIS)
    """Whether the server's certificate must name the host that it was reached at."""
    redis_namespace: str = setting(
        "hearthwatch",
        "1 to 64 of a-z A-Z 0-9 . _ - (no braces: they choose a cluster's slot)",
        _REDIS,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
    )
    """The beginning of every key, so that several installations can share a server."""

    life_partitions: Partitions = setting(4, ADDED_TEXT, _TOPICS)
    """Partitions of each `life.<department>` topic."""
    person_partitions: Partitions = setting(8, LAID_OUT_TEXT, _TOPICS)
    """Partitions of `person.events`: the most person workers that can share the work."""
    household_partitions: Partitions = setting(8, LAID_OUT_TEXT, _TOPICS)
    """Partitions of `household.facts`: the most household workers that can share the work."""
    warnings_partitions: Partitions = setting(4, ADDED_TEXT, _TOPICS)
    """Partitions of `warnings`."""
    case_partitions: Partitions = setting(4, PARTITIONS_TEXT, _TOPICS)
    """Partitions of `case.commands` and `case.events`: the most cases workers that can share the work."""
    alerts_partitions: Partitions = setting(2, PARTITIONS_TEXT, _TOPICS)
    """Partitions of `alerts`, whose key is the district."""
    replication_factor: int = setting(
        1, "a whole number, 1 to 15, at most the number of brokers (3 in production)", _TOPICS, ge=1, le=15
    )
    """Copies of every partition."""
    life_retention_days: int = setting(400, "a whole number of days, 1 to 36500", _TOPICS, ge=1, le=36_500)
    """How long `life.*` keeps what departments sent, with `clock: wall` (with `clock: log`: for ever)."""

    log_retention_days: int = setting(400, "a whole number of days, 30 to 36500", _TOPICS, ge=30, le=36_500)
    """How long `person.events`, `household.facts`, `case.commands` and `alerts` keep what the stages told
    each other, with `clock: wall` (with `clock: log`: for ever). A rebuild needs them from the latest
    snapshots on."""

    worker_name: str | None = setting(
        None,
        "1 to 100 of a-z A-Z 0-9 . _ -",
        _WORKERS,
        "the stage and a number",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
    )
    """The name of this worker, the same at each start: the brokers then take a restart for a pause."""
    metrics_host: str = setting(LOCAL, "an address of this machine, or 0.0.0.0 for all", _WORKERS)
    """Where the workers' metrics are served."""
    intake_metrics_port: MetricsPort = setting(19101, METRICS_PORT_TEXT, _WORKERS)
    """Port of the intake worker's metrics; a second worker of a stage on one machine takes another."""
    person_metrics_port: MetricsPort = setting(19102, METRICS_PORT_TEXT, _WORKERS)
    """Port of the person worker's metrics."""
    household_metrics_port: MetricsPort = setting(19103, METRICS_PORT_TEXT, _WORKERS)
    """Port of the household worker's metrics."""
    forward_metrics_port: MetricsPort = setting(19104, METRICS_PORT_TEXT, _WORKERS)
    """Port of the forward worker's metrics."""
    cases_metrics_port: MetricsPort = setting(19105, METRICS_PORT_TEXT, _WORKERS)
    """Port of the cases worker's metrics."""
    dispatch_metrics_port: MetricsPort = setting(19106, METRICS_PORT_TEXT, _WORKERS)
    """Port of the dispatch worker's metrics."""
    snapshot_seconds: float = setting(300.0, "a number of seconds, 1 to 86400", _WORKERS, ge=1.0, le=86_400.0)
    """How long a change waits for its snapshot at most: a rebuild replays what came after."""
    snapshot_states: int = setting(20_000, "a whole number, 100 to 10000000", _WORKERS, ge=100, le=10_000_000)
    """A partition that has written so many states gets its snapshots earlier."""
    cache_megabytes: int = setting(128, "a whole number, 1 to 65536", _WORKERS, ge=1, le=65_536)
    """How much memory a worker takes for states that it has at hand, all partitions together; the rest of it
    is some 150 MB."""
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "debug, info, warning or error", _WORKERS
    )
    """The least severe messages that are logged."""
    log_format: Literal["text", "json"] = setting("text", "text or json", _WORKERS)
    """Lines for people, or one JSON object a line."""

    tokens: Path | None = setting(
        None, "the path of a file, which `hearthwatch token add` makes", _API, "none: there is no HTTP API"
    )
    """Who may use the HTTP API, in which role, for which communities; it holds hashes, no tokens. With it
    `hearthwatch up` starts the API."""
    api_host: str = setting(LOCAL, "an address of this machine, or 0.0.0.0 for all", _API)
    """Where the HTTP API is served."""
    api_port: MetricsPort = setting(18080, METRICS_PORT_TEXT, _API)
    """Port of the HTTP API."""
    api_cert_file: Path | None = setting(None, A_FILE, _API, "none: plain HTTP")
    """The API's certificate (PEM), with those of its authorities behind it: then it speaks TLS. Tokens are in
    every request, so anywhere but on one machine it has to, or a proxy before it."""
    api_key_file: Path | None = setting(None, A_FILE, _API)
    """The key (PEM) of that certificate."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_from_others(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Fill the defaults that depend on the user or on another setting."""
        values = dict(given)
        values.setdefault("data_dir", default_data_dir())
        values.setdefault("jars_dir", default_jars_dir())
        kafka_port = port_or(values.get("kafka_port"), KAFKA_PORT)
        values.setdefault("kafka_bootstrap", f"{LOCAL}:{kafka_port}")
        values.setdefault("kafka_controller_port", kafka_port + 1 if kafka_port < 65535 else kafka_port - 1)
        values.setdefault("redis_url", f"redis://{LOCAL}:{port_or(values.get('valkey_port'), VALKEY_PORT)}/0")
        return values

    _absolute = field_validator(
        "catalog", "policy", "casebook", "measures", "routes", "tokens", "data_dir", "jars_dir"
    )(absolute)
    _readable = field_validator(
        "kafka_ca_file",
        "kafka_cert_file",
        "kafka_key_file",
        "redis_ca_file",
        "redis_cert_file",
        "redis_key_file",
        "api_cert_file",
        "api_key_file",
    )(readable)
    _addresses = field_validator("kafka_bootstrap")(addresses)
    _urls = field_validator("redis_url")(redis_urls)
    _web_address = field_validator("maven_repository")(web_address)
    _options_of_java = field_validator("java_options")(options_of_java)

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        protocol = self.kafka_security_protocol
        if protocol.startswith("SASL") and not (self.kafka_username and self.kafka_password):
            raise ValueError(
                f"HEARTHWATCH_KAFKA_SECURITY_PROTOCOL is {protocol}, which needs HEARTHWATCH_KAFKA_USERNAME "
                "and HEARTHWATCH_KAFKA_PASSWORD (or HEARTHWATCH_KAFKA_PASSWORD_FILE)"
            )
        for server in ("kafka", "redis", "api"):
            if getattr(self, f"{server}_cert_file") and not getattr(self, f"{server}_key_file"):
                name = f"{PREFIX}{server.upper()}"
                raise ValueError(f"{name}_CERT_FILE is given, which needs {name}_KEY_FILE")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then secrets' files, then the configuration file; no .env file."""
        return init_settings, env_settings, SecretFiles(settings_cls), ConfigFile(settings_cls)


SECRETS = tuple(name for name, field in Settings.model_fields.items() if is_secret(field))
"""The settings that may also come from a file of their own."""


STAFF_VARIABLES = frozenset({"HEARTHWATCH_STAFF", "HEARTHWATCH_ROLE", "HEARTHWATCH_COMMUNITIES"})
"""No settings: who acts in `hearthwatch case` and `hearthwatch silence`, and as what."""


def misspelt(environment: Mapping[str, str]) -> list[str]:
    """A sentence on each variable that looks like a setting and is none, with the nearest one.

    Never an error: Kubernetes, for one, gives a container variables that begin with its services' names.
    """
    return [no_setting(name, Settings.model_fields) for name in unknown_variables(environment)]


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none (misspelt ones, most likely)."""
    known = {variable_of(name) for name in Settings.model_fields} | {CONFIG_VARIABLE}
    known |= {f"{variable_of(name)}_FILE" for name in SECRETS} | STAFF_VARIABLES
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def load_settings(**given: Any) -> Settings:
    """Read all settings from arguments, the environment and the configuration file.

    Args:
        given: settings by name, before all other sources (what command-line options say).

    Raises:
        SettingsError: one line for each fault: the variable, what was given, what is allowed.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**chosen)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    raise SettingsError("\n".join(_fault(fault, chosen) for fault in faults))


def _fault(fault: ErrorDetails, given: Mapping[str, Any]) -> str:
    if not fault["loc"]:
        return fault["msg"].removeprefix("Value error, ")
    name = str(fault["loc"][0])
    variable = variable_of(name)
    if name not in Settings.model_fields:
        return no_setting(name, Settings.model_fields)
    extra = Settings.model_fields[name].json_schema_extra
    allowed = extra["allowed"] if isinstance(extra, dict) else ""
    config = os.environ.get(CONFIG_VARIABLE, "")
    if name in given:
        got, place = repr(str(given[name])), variable
    elif os.environ.get(variable):
        got, place = repr(os.environ[variable]), variable
    else:
        got = repr(str(read_config(Path(config), Settings.model_fields).get(name))) if config else "nothing"
        place = f"{config}: {name}"
    if name in SECRETS or name == "redis_url":
        got = "a value that is not shown"
    return f"{place}: got {got}; allowed: {allowed}"
