"""A command that is killed just before the nth time that it would change something.

Python tells of every change to files, every process that is started and every signal before it is made
(`sys.addaudithook`). To count them is to visit every state in which a kill can leave the machine.
"""

import signal
import subprocess
import sys

from tests.setup.user import User

_PROGRAM = """
import os, signal, sys

fatal, home = int(sys.argv.pop(1)), sys.argv.pop(1)
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
steps = 0

def is_change(event, arguments):
    if event == "open":
        return bool(arguments[2] & writing) and str(arguments[0]).startswith(home)
    if event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod"):
        is_there = os.path.exists(arguments[0])
        return str(arguments[0]).startswith(home) and is_there == (event != "os.mkdir")
    if event == "subprocess.Popen":
        return arguments[0] == sys.executable  # and not git, which is only asked
    return event == "os.kill"

def count(event, arguments):
    global steps
    if is_change(event, arguments):
        steps += 1
        if steps == fatal:
            os.write(2, f"before step {fatal}: {event} {arguments[0]}".encode())
            signal.raise_signal(signal.SIGKILL)

from neuroflow_proxy.cli import main
sys.addaudithook(count)
sys.exit(main())
"""


def run_killed(user: User, step: int, *arguments: str, stdin: str = "") -> str | None:
    """Run a command until it is killed before its `step`th change. Returns which that was; None if there were fewer."""
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(step), str(user.home), *arguments],
        cwd=user.project,
        env=user.env,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    if finished.returncode == -signal.SIGKILL:
        return finished.stderr.splitlines()[-1]
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return None
