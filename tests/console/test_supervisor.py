"""The supervisor of `manage.py up`, tested with shell scripts as programs."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.console.leftovers import ProcessMarker
from tests.hostile_text import unsafe_letters
from tests.system import ROOT, eventually

pytestmark = pytest.mark.once

SUPERVISE = """
import json, signal, sys
from pathlib import Path
from project.console.harness import supervisor

# The tests may run under nohup, which ignores SIGHUP in children too.
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[2:] == ["nohup"] else signal.SIG_DFL)
options = json.loads(sys.argv[1])
supervisor.STOP_LIMIT_S = options["stop_limit"]
supervisor.HEALTHY_AFTER_S = options["healthy_after"]
programs = [
    supervisor.Program(
        name=name,
        command=["sh", "-c", script],
        stops_last=name == "last",
        **({"is_ready": lambda: False} if name == "never_ready" else {}),
    )
    for name, script in options["scripts"].items()
]
supervisor.Supervisor(programs, cwd=Path.cwd(), announcement="all are started").run()
"""

RUNS = "while :; do sleep 0.05; done"
STUBBORN = f"trap '' TERM; echo stubborn; sleep 1000 & {RUNS}"


class Supervised:
    """A supervisor that runs as a process, with a file for its output."""

    def __init__(self, output: Path, process: subprocess.Popen[bytes]) -> None:
        self.output, self.process = output, process

    def prints(self, text: str) -> None:
        eventually(lambda: text in self.output.read_text(), within=15, what=text)

    def exit_code(self) -> int:
        return self.process.wait(timeout=15)


@pytest.fixture
def marker(tmp_path: Path) -> ProcessMarker:
    return ProcessMarker(tmp_path)


@pytest.fixture
def supervise(tmp_path: Path, marker: ProcessMarker) -> Iterator[Callable[..., Supervised]]:
    started = []

    def supervise(
        *,
        stop_limit: float = 6.0,
        healthy_after: float = 30.0,
        stdout: int | None = None,
        nohup: bool = False,
        **scripts: str,
    ) -> Supervised:
        options = json.dumps({"stop_limit": stop_limit, "healthy_after": healthy_after, "scripts": scripts})
        output = tmp_path / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISE, options, *(["nohup"] if nohup else [])],
                cwd=ROOT,
                env=os.environ | marker.environment,
                stdout=file if stdout is None else stdout,
            )
        started.append(process)
        return Supervised(output, process)

    yield supervise
    marker.kill()
    for process in started:
        process.wait()


def test_output_is_labelled_with_the_name_of_its_program(supervise):
    supervised = supervise(one=f"echo first; printf 'second\\nunfinished' >&2; {RUNS}", another=f"echo third; {RUNS}")
    for line in ("one     | first", "one     | second", "another | third"):
        supervised.prints(line)


def test_a_program_that_keeps_failing_is_restarted_after_increasing_delays(supervise):
    supervised = supervise(flaky="echo hello; exit 3")
    supervised.prints("flaky ended with exit code 3; starting it again in 0.5 s")
    supervised.prints("flaky ended with exit code 3; starting it again in 1 s")
    supervised.prints("flaky ended with exit code 3; starting it again in 2 s")
    assert supervised.output.read_text().count("flaky | hello") == 3


def test_the_children_of_a_killed_program_are_killed_before_it_is_restarted(supervise, marker):
    supervised = supervise(parent="sleep 1000 & kill -KILL $$")
    supervised.prints("parent was killed by SIGKILL; starting it again in 1 s")
    assert not [process for process in marker.leftovers() if process.name() == "sleep"]


def test_a_program_that_has_run_for_long_is_restarted_soon_however_often_it_failed_before(supervise):
    supervised = supervise(healthy_after=0.0, steady="exit 3")
    eventually(
        lambda: supervised.output.read_text().count("starting it again in 0.5 s") == 3, within=15, what="three restarts"
    )
    assert "again in 1 s" not in supervised.output.read_text()


def test_the_last_words_of_a_program_are_printed_even_without_the_end_of_their_line(supervise):
    supervised = supervise(brief="printf 'last words'; exit 3")
    supervised.prints("brief | last words\n")


def test_a_stop_signal_during_the_start_starts_no_further_program(supervise, marker):
    supervised = supervise(never_ready=f"echo runs; {RUNS}", next=f"echo next; {RUNS}")
    supervised.prints("never_ready | runs")
    supervised.process.terminate()
    assert supervised.exit_code() == 0
    printed = supervised.output.read_text()
    assert "| next" not in printed
    assert "all are started" not in printed
    assert not marker.leftovers()


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_stops_all_programs_and_the_exit_code_is_0(supervise, marker, stop_signal):
    supervised = supervise(one=f"sleep 1000 & {RUNS}", two=RUNS)
    supervised.prints("all are started")
    supervised.process.send_signal(stop_signal)
    assert supervised.exit_code() == 0
    assert not marker.leftovers()


def test_under_nohup_the_supervisor_keeps_running_after_sighup(supervise, marker):
    supervised = supervise(nohup=True, one="while :; do echo words; sleep 0.05; done")
    supervised.prints("all are started")
    supervised.process.send_signal(signal.SIGHUP)
    words = supervised.output.read_text().count("words")
    eventually(lambda: supervised.output.read_text().count("words") > words + 5, within=15, what="it keeps running")
    supervised.process.terminate()
    assert supervised.exit_code() == 0
    assert not marker.leftovers()


def test_a_program_that_others_need_is_stopped_last(supervise):
    script = "trap 'sleep 0.3; echo {0} stops; exit' TERM; echo {0} runs; " + RUNS
    supervised = supervise(last=script.format("last"), one=script.format("one"), two=script.format("two"))
    for name in ("last", "one", "two"):
        supervised.prints(f"{name} runs")
    supervised.process.terminate()
    assert supervised.exit_code() == 0
    stops = [line.rpartition("| ")[2] for line in supervised.output.read_text().splitlines() if line.endswith(" stops")]
    assert sorted(stops[:2]) == ["one stops", "two stops"]
    assert stops[2:] == ["last stops"]


def test_a_program_that_ignores_sigterm_is_killed_at_the_time_limit(supervise, marker):
    supervised = supervise(stop_limit=0.5, one=STUBBORN, two=RUNS)
    supervised.prints("| stubborn")
    supervised.process.terminate()
    supervised.prints("one did not stop by itself; killing it")
    assert supervised.exit_code() == 0
    assert not marker.leftovers()


def test_a_second_interrupt_kills_all_programs_at_once(supervise, marker):
    supervised = supervise(stop_limit=1000, one=STUBBORN)
    supervised.prints("| stubborn")
    supervised.process.send_signal(signal.SIGINT)
    supervised.prints("stopping")

    def interrupted_again() -> bool:
        supervised.process.send_signal(signal.SIGINT)
        return supervised.process.poll() is not None

    eventually(interrupted_again, within=15, what="it stops at a further Ctrl-C")
    assert supervised.exit_code() == 0
    assert not marker.leftovers()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children when their parent dies")
def test_all_programs_end_with_a_killed_supervisor(supervise, marker):
    supervised = supervise(one="exec sleep 1000", two="exec sleep 1000")
    supervised.prints("all are started")
    supervised.process.kill()
    assert supervised.exit_code() == -signal.SIGKILL
    eventually(lambda: not marker.processes(), within=15, what="its programs are gone")


def test_the_supervisor_stops_when_its_output_is_closed(supervise, marker):
    reading, writing = os.pipe()
    supervised = supervise(stdout=writing, talks="while :; do echo words; sleep 0.05; done")
    os.close(writing)
    assert os.read(reading, 10)
    os.close(reading)
    assert supervised.exit_code() == 0
    assert not marker.leftovers()


def unread(reading: int) -> int:
    return int.from_bytes(fcntl.ioctl(reading, termios.FIONREAD, bytes(4)), sys.byteorder)


def pipe_stays_full(reading: int) -> bool:
    before = unread(reading)
    time.sleep(0.3)
    return before == unread(reading) > 60_000


def test_the_supervisor_stops_although_nobody_reads_its_output(supervise, marker):
    reading, writing = os.pipe()
    supervised = supervise(stdout=writing, talks="while :; do echo words; done")
    os.close(writing)
    eventually(lambda: pipe_stays_full(reading), within=15, what="the pipe is full")
    supervised.process.terminate()
    assert supervised.exit_code() == 0
    os.close(reading)
    assert not marker.leftovers()


def test_what_a_program_prints_reaches_the_terminal_escaped(supervise):
    hostile = r"\033[2J\033]0;owned\007 \r \302\2331m \342\200\256 \342\200\250 \377 \013 \302\205 end\n"
    supervised = supervise(one=f"printf '{hostile}'; {RUNS}")
    supervised.prints("end")
    printed = supervised.output.read_bytes().decode(errors="surrogateescape")
    assert unsafe_letters(printed) == ""
    (line,) = [line for line in printed.splitlines() if line.endswith("end")]
    assert r"| \x1b[2J\x1b]0;owned\x07 \r \x9b1m \u202e \u2028 \xff \x0b \x85 end" in line
    supervised.process.terminate()
    assert supervised.exit_code() == 0
