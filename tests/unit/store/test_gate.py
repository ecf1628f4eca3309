"""While a person is erased nothing else runs; what was killed is told."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cdm_pipelines.store.gate import FILE, GateError, closed, pass_through

KILLED = """
import os, signal, sys
from pathlib import Path
from cdm_pipelines.store.gate import closed
with closed(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_runs_wait_until_the_gate_is_open(tmp_path: Path) -> None:
    pass_through(tmp_path)
    passed = threading.Event()

    def run() -> None:
        pass_through(tmp_path)
        passed.set()

    with closed(tmp_path):
        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.5)
        assert not passed.is_set()
        with pytest.raises(GateError, match="under way"):
            pass_through(tmp_path, patience=0)
        with pytest.raises(GateError, match="Another erasure"), closed(tmp_path):
            pass
        assert (tmp_path / FILE).exists()
    thread.join(5)
    assert passed.is_set()


def test_after_a_kill_nothing_runs_until_it_is_ended(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    with pytest.raises(GateError, match="cut short"):
        pass_through(tmp_path)
    with closed(tmp_path):
        pass
    pass_through(tmp_path)


def test_a_fault_opens_the_gate(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fault"), closed(tmp_path):
        raise ValueError("fault")
    pass_through(tmp_path)


def test_who_comes_just_as_the_gate_opens_closes_it_anew(tmp_path: Path) -> None:
    """A lock on a file that has been taken away keeps nobody waiting."""
    held = 0
    lock = threading.Lock()
    most = []

    def erase() -> None:
        nonlocal held
        for _ in range(300):
            try:
                with closed(tmp_path):
                    with lock:
                        held += 1
                        most.append((held, (tmp_path / FILE).exists()))
                    with lock:
                        held -= 1
            except GateError:
                continue

    threads = [threading.Thread(target=erase) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most
    assert set(most) == {(1, True)}
