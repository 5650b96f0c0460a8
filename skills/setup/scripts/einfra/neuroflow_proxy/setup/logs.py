"""The proxy's log: its end, and what is added to it. When it is full it is turned over; nothing is missed then."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import SettingsError
from .instance import Instances
from .place import Place
from .report import Report

_PAUSE_S = 0.25


def logs(place: Place, instances: Instances, *, limit: int) -> Report:
    """The last lines of the log."""
    tail = _tail(place, instances)
    lines = _last_lines(tail.read(), limit)
    return Report({"log": str(tail.log), "lines": lines}, lines)


def follow(place: Place, instances: Instances, *, limit: int, show: Callable[[str], None]) -> Report:
    """The last lines, and then each as it is written, until Ctrl-C."""
    tail = _tail(place, instances)
    try:
        show("".join(f"{line}\n" for line in _last_lines(tail.read(), limit)))
        while True:
            time.sleep(_PAUSE_S)
            if added := tail.read():
                show(added.decode("utf-8", "replace"))
    except KeyboardInterrupt:  # there is no other way to say that one has seen enough
        return Report({}, [])


class Tail:
    """Reads the lines that have been added to a log since the last time, beginning with all of it.

    The file is not held open in between: Windows would not let it be turned over.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self._before = log.with_name(f"{log.name}.1")  # as `RotatingFileHandler` names what it has turned over
        self._file_id: int | None = None
        self._position = 0

    def read(self) -> bytes:
        """Whole lines only; the rest of one comes with its end. Nothing if there is no log now."""
        try:
            with self.log.open("rb") as file:
                file_id = os.fstat(file.fileno()).st_ino
                if file_id == self._file_id:
                    return self._lines(file)
                rest = self._rest_of_the_one_before()
                self._file_id, self._position = file_id, 0
                return rest + self._lines(file)
        except FileNotFoundError:
            return b""

    def _lines(self, file: BinaryIO) -> bytes:
        if os.fstat(file.fileno()).st_size < self._position:  # somebody has emptied it
            self._position = 0
        file.seek(self._position)
        data = file.read()
        lines = data[: data.rfind(b"\n") + 1]
        self._position += len(lines)
        return lines

    def _rest_of_the_one_before(self) -> bytes:
        try:
            with self._before.open("rb") as file:
                if self._file_id not in (None, os.fstat(file.fileno()).st_ino):
                    return b""
                file.seek(self._position)
                return file.read()
        except FileNotFoundError:
            return b""


def _tail(place: Place, instances: Instances) -> Tail:
    path, _ = place.configured()
    log = instances.log(path)
    if not log.exists():
        raise SettingsError("There is no log: the proxy never ran here.", hint="Run `configure.py start`.")
    return Tail(log)


def _last_lines(data: bytes, limit: int) -> list[str]:
    return data.decode("utf-8", "replace").splitlines()[-limit:]
