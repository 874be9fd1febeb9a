"""``hearthwatch up`` and ``down``: the embedded stack and one worker of each stage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Literal

import click
import psutil

from casework.alerts.routes_file import read_routes
from deploy.local import free_ports
from deploy.local.prometheus import Prometheus
from hearthwatch.before_start import check_files, check_others
from hearthwatch.casework_files import casebook_or_why, unset_addresses
from hearthwatch.cli.local import reporting
from hearthwatch.cli.worker import CASE_STAGES, STAGES, metrics_port_of
from hearthwatch.connections import local_stack
from hearthwatch.counted import counted
from hearthwatch.logs import log_to_stderr
from hearthwatch.observing import prometheus_of, say_where, start_observing
from hearthwatch.run_folder import API, RunFolder, RunState, WorkerState, last_lines
from hearthwatch.running import prepare, uses_local
from hearthwatch.setting_sources import CONFIG_VARIABLE
from hearthwatch.settings import Settings, load_settings, misspelt
from hearthwatch.supervisor import Supervisor, WorkersFailedError
from rules.policy import Policy
from rules.rulebook import Rulebook
from streams.catalog import Catalog

READY_SECONDS: Final = 120.0
#: The supervisor gives its workers 40 s, and then stops the servers.
DOWN_SECONDS: Final = 90.0


@click.command(epilog="Example: hearthwatch up --detach && hearthwatch status")
@click.option(
    "--catalog",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who may send what (otherwise HEARTHWATCH_CATALOG).",
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The rules (otherwise HEARTHWATCH_POLICY).",
)
@click.option(
    "--clock", type=click.Choice(["wall", "log"]), help="Whose time it is (otherwise HEARTHWATCH_CLOCK)."
)
@click.option("--detach", is_flag=True, help="Return when everything is ready, and leave it running.")
@click.option(
    "--scale",
    multiple=True,
    metavar="STAGE=N",
    help="More than one worker of a stage, such as household=2, or none of forward, cases or dispatch; give "
    "it again for another stage.",
)
@click.option(
    "--observe",
    is_flag=True,
    help="Also run Prometheus with the alert rules, where it is installed (Debian: apt install prometheus).",
)
@click.option("--as-detached", is_flag=True, hidden=True, help="Be the process that --detach leaves.")
@click.option("--stops-servers", is_flag=True, hidden=True, help="Stop the embedded servers at the end.")
def up(
    catalog: Path | None,
    policy: Path | None,
    clock: Literal["wall", "log"] | None,
    detach: bool,
    scale: tuple[str, ...],
    observe: bool,
    as_detached: bool,
    stops_servers: bool,
) -> None:
    """Run everything: Kafka, Redis, and a worker of each stage.

    intake, person and household make warnings of events; forward and cases keep what becomes of warnings;
    dispatch tells people, where HEARTHWATCH_ROUTES says whom. The embedded Kafka and Valkey are started
    unless the settings name others. A worker or an embedded server that dies is started again. Ctrl-C,
    SIGTERM and `hearthwatch down` let every worker finish what it has begun; embedded servers that this
    command started are stopped too. All files are checked first: with a faulty one nothing starts. The
    catalogue and the policy of the first start are activated; later the data goes by what is activated, and
    `hearthwatch policy activate` changes that. Book of cases and routes must fit what is activated: with
    stopped servers that can be seen only once they run, and with a fault they are stopped again.
    """
    settings = load_settings(catalog=catalog, policy=policy, clock=clock)
    counts = counts_of(scale)
    if not as_detached:  # otherwise whoever started us has said it
        for told in misspelt(os.environ):
            click.echo(f"Warning: {told}.".replace("?.", "?"), err=True)
    # Everything that was written by hand is checked before anything runs: a fault leaves nothing behind.
    checked = None if as_detached else check_files(settings)
    signal.signal(signal.SIGTERM, _interrupt)  # until the supervisor takes signals over
    folder = RunFolder(settings.data_dir)
    lock = folder.lock()
    observer: Prometheus | None = None
    try:
        folder.end_leftovers()
        if checked is not None:  # otherwise whoever started us has done it
            if uses_local(settings):
                stops_servers = any(one.state != "running" for one in local_stack(settings).status())
            with reporting("jars") as report:
                book = prepare(settings, *checked.files, report)
            _say_activated(book, checked.files)
            check_others(settings, book, checked)
            scale = (*scale, *_leave_out(settings, book, counts))
        workers = planned_workers(settings, counts)
        environment = {
            **os.environ,
            "HEARTHWATCH_CATALOG": str(settings.catalog),
            "HEARTHWATCH_POLICY": str(settings.policy),
            "HEARTHWATCH_CLOCK": settings.clock,
        }
        if detach:
            os.close(lock)
            lock = -1
            # The detached process takes the lock; whoever comes in between makes that one fail.
            _detach(folder, settings, scale, environment, stops_servers, observe)
            stops_servers = False
            if observe:
                say_where(settings)
            return
        if observe:
            with reporting() as report:
                observer = start_observing(settings, workers, report)
            say_where(settings)
        state = RunState(
            os.getpid(), time.time(), as_detached, stops_servers,
            str(settings.catalog), str(settings.policy), settings.clock,
        )  # fmt: skip
        servers = local_stack(settings) if uses_local(settings) else None
        supervisor = Supervisor(folder, state, workers, environment=environment, servers=servers)
        asyncio.run(_supervise(supervisor, settings))
    finally:
        if observer is not None:
            observer.down()
        if stops_servers and not folder.keep_servers_file.exists():
            with reporting() as report:
                local_stack(settings).down(report)
        folder.keep_servers_file.unlink(missing_ok=True)
        if lock >= 0:
            os.close(lock)


def _say_activated(book: Rulebook, files: tuple[Catalog, Policy]) -> None:
    catalog, policy = book.files(book.newest)
    if (catalog.digest, policy.digest) != (files[0].digest, files[1].digest):
        click.echo(
            f"This data goes by policy {policy.id} version {policy.version} and catalogue {catalog.id}"
            f" version {catalog.version} (activation {book.newest}), not by the files given;"
            " `hearthwatch policy activate FILE` changes that.",
            err=True,
        )


def _leave_out(settings: Settings, book: Rulebook, counts: dict[str, int]) -> list[str]:
    """Take the stages off that have no file to go by, and say so; as options of --scale.

    Raises:
        InputError: a file that was named is faulty (all its faults).
    """
    left = []
    why = casebook_or_why(settings, *book.files(book.newest)) if counts["cases"] else ""
    if isinstance(why, str):
        left += [stage for stage in CASE_STAGES if counts[stage]]
        if why:
            click.echo(why, err=True)
    elif settings.routes is None and counts["dispatch"]:
        left.append("dispatch")
        click.echo(
            "Nobody is alerted: HEARTHWATCH_ROUTES names no file. Alerts wait on their topic.", err=True
        )
    elif settings.routes is not None and counts["dispatch"]:
        _, newest = book.files(book.newest)
        routes = read_routes(settings.routes, newest)
        if lacks := unset_addresses(settings, routes, os.environ):
            click.echo(
                "Some channels cannot be used, and messages by them fail until this is mended:", err=True
            )
            for line in lacks:
                click.echo(f"  {line}", err=True)
    for stage in left:
        counts[stage] = 0
    return [f"{stage}=0" for stage in left]


def _interrupt(number: int, frame: object) -> None:
    """SIGTERM is as good as Ctrl-C: what was started so far is stopped."""
    raise KeyboardInterrupt


async def _supervise(supervisor: Supervisor, settings: Settings) -> None:
    from hearthwatch.screen import Lines, LiveTable

    on_terminal = sys.stdout.isatty() and not supervisor.state.detached
    if not on_terminal:
        log_to_stderr(settings.log_level, settings.log_format)
    screen = LiveTable(supervisor.state, settings) if on_terminal else Lines(supervisor.state, settings)
    supervisor.watch(screen.changed, screen.note)
    async with screen.shown():
        await supervisor.run()


def counts_of(scale: tuple[str, ...]) -> dict[str, int]:
    """How many workers each stage gets, from ``STAGE=N`` options."""
    counts = dict.fromkeys(STAGES + CASE_STAGES, 1)
    for one in scale:
        stage, _, number = one.partition("=")
        least = 0 if stage in CASE_STAGES else 1
        is_number = number.isascii() and number.isdigit()
        if stage not in counts or not is_number or not least <= int(number) <= 64:
            raise click.BadParameter(f"{one!r}: expected STAGE=N, such as household=2", param_hint="--scale")
        counts[stage] = int(number)
    return counts


def planned_workers(settings: Settings, counts: dict[str, int]) -> list[WorkerState]:
    """Names and ports; the first worker of a stage has the port of the settings, the others free ones."""
    folder = RunFolder(settings.data_dir)
    workers = []
    spare = iter(free_ports(sum(counts.values()) + 1))
    for stage in STAGES + CASE_STAGES:
        for number in range(1, counts[stage] + 1):
            port = metrics_port_of(settings, stage) if number == 1 else 0
            name = f"{stage}-{number}"
            log = str(folder.path / f"{name}.log")
            workers.append(WorkerState(name, stage, settings.metrics_host, port or next(spare), log))
    if settings.tokens is not None:
        name, port = f"{API}-1", settings.api_port or next(spare)
        log = str(folder.path / f"{name}.log")
        is_tls = settings.api_cert_file is not None
        workers.append(WorkerState(name, API, settings.api_host, port, log, is_tls=is_tls))
    return workers


def _detach(
    folder: RunFolder,
    settings: Settings,
    scale: tuple[str, ...],
    environment: dict[str, str],
    stops_servers: bool,
    observe: bool,
) -> None:
    """Start the supervisor as a process of its own, and wait until its workers are ready."""
    command = [sys.executable, "-m", "hearthwatch", "up", "--as-detached"]
    command += [word for one in scale for word in ("--scale", one)]
    command += ["--stops-servers"] if stops_servers else []
    command += ["--observe"] if observe else []
    with folder.supervisor_log.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env=environment, start_new_session=True,
        )  # fmt: skip
    until = time.monotonic() + READY_SECONDS
    state: RunState | None = None
    try:
        with reporting() as report:
            while time.monotonic() < until:
                if process.poll() is not None:
                    lines = "\n".join(last_lines(folder.supervisor_log, 10))
                    raise WorkersFailedError(lines or f"the supervisor left with status {process.returncode}")
                state = folder.running()
                if state is None or state.pid != process.pid or not state.workers:
                    report("Waiting for the supervisor", 0, 0)
                elif waiting := [one.name for one in state.workers if one.state != "ready"]:
                    report(f"Waiting for {', '.join(waiting)}", 0, 0)
                else:
                    break
                time.sleep(0.1)
            else:
                raise WorkersFailedError(
                    f"the workers were not ready within {READY_SECONDS:.0f} s: see the"
                    f" logs in {folder.path}; they were stopped"
                )
    except BaseException:
        if process.poll() is None:
            process.terminate()
            process.wait(DOWN_SECONDS)
        raise
    process.returncode = 0  # it outlives us
    assert state is not None
    click.echo(
        f"Running: Kafka at {settings.kafka_bootstrap}, {counted(len(state.workers), 'worker')},"
        f" supervisor pid {state.pid}. Logs are in {folder.path}."
    )
    if click.get_current_context().find_root().params.get("config"):
        click.echo(f"For this terminal: export {CONFIG_VARIABLE}={shlex.quote(os.environ[CONFIG_VARIABLE])}")
    click.echo("Look with `hearthwatch status`, stop with `hearthwatch down`.")


@click.command(epilog="Example: hearthwatch down --keep-servers")
@click.option("--keep-servers", is_flag=True, help="Leave the embedded Kafka and Valkey running.")
def down(keep_servers: bool) -> None:
    """Stop the workers, each after it has finished what it began, and then the embedded servers.

    All data stays. Workers that a killed supervisor left behind are stopped too.
    """
    settings = load_settings()
    folder = RunFolder(settings.data_dir)
    state = folder.running()
    if state is not None:
        click.echo("Stopping the workers", err=True)
        if keep_servers:
            folder.keep_servers_file.touch()
        _end(state.pid, folder)
        click.echo(f"{counted(len(state.workers), 'worker')} stopped.")
    left = folder.end_leftovers()
    folder.forget()
    if prometheus_of(settings).down():
        click.echo("Prometheus stopped.")
    if left:
        click.echo(f"{counted(left, 'worker')} of a supervisor that was killed stopped.")
    if uses_local(settings) and not keep_servers:
        with reporting() as report:
            outcome = local_stack(settings).down(report)
        stopped = [name.capitalize() for name, how in outcome.items() if how is not None]
        if stopped:
            click.echo(f"{' and '.join(stopped)} stopped.")
        elif state is None and not left:
            click.echo("Nothing was running.")
    elif state is None and not left:
        click.echo("No workers were running.")


def _end(pid: int, folder: RunFolder) -> None:
    """Stop a supervisor, and wait until it has let go of the folder; one that takes too long is forced."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
    until = time.monotonic() + DOWN_SECONDS
    while folder.running() is not None and time.monotonic() < until:
        time.sleep(0.05)
    if folder.running() is not None:
        click.echo("The supervisor does not stop; it is ended by force.", err=True)
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
