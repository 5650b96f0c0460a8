"""Running the server in the foreground."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Collection
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from ..errors import InstanceError, SettingsError
from ..settings import Settings, secrets_of
from ..wire.hosts import is_loopback
from ..wire.redaction import redact
from .idle import Idle

# One line a request: some ten thousand requests, and the ten thousand before them.
MAX_LOG_BYTES = 4 * 1024 * 1024
# Below the 256 open files that macOS allows: what comes beyond is told to come again, and those that run go on.
MAX_CONNECTIONS = 200
IDLE_CHECK_S = 15


class RedactingFormatter(logging.Formatter):
    """Log lines and tracebacks, whoever wrote them, without keys: `2026-11-22 06:31:29,595 INFO …`.

    Written out here, because the general way takes longer than the translation of a small request. `secrets` is looked
    at for each line, because settings may change.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__()
        self.secrets = secrets
        self._second = 0
        self._second_in_words = ""

    def format(self, record: logging.LogRecord) -> str:
        second = int(record.created)
        if second != self._second:
            self._second, self._second_in_words = second, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        line = f"{self._second_in_words},{int(record.msecs):03d} {record.levelname} {record.getMessage()}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        if record.stack_info:
            line = f"{line}\n{self.formatStack(record.stack_info)}"
        return redact(line, self.secrets)


class LogFile(RotatingFileHandler):
    """Turned over by the first line after it is full. To do so by the last one before, each would be formatted twice,
    which takes a tenth of the time of a small request. Begun anew where somebody has removed it or moved it away.
    """

    def _open(self) -> Any:
        stream = super()._open()
        self._opened = os.fstat(stream.fileno())
        return stream

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        if self.stream is None:
            return False
        # Each line was flushed, so the file's size is where it ends. To ask the text layer for it takes far longer.
        with contextlib.suppress(OSError):
            file = os.stat(self.baseFilename)
            if os.path.samestat(file, self._opened):
                return file.st_size >= self.maxBytes
        self.stream.close()
        self.stream = None  # for the next line to open
        return False

    def doRollover(self) -> None:
        """Where it may not be renamed (who reads it on Windows, a folder that is read only), it goes on as it is."""
        with contextlib.suppress(OSError):
            super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:
        """A line for which there is no file or no room is lost. Told of it, the standard error would grow without end:
        for a detached proxy it is a file, too.
        """
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


def serve(settings: Settings, *, host: str, port: int) -> int:
    """Serve until stopped; returns the exit code.

    Raises `InstanceError` if the port cannot be had, `SettingsError` if others could use the key.
    """
    if not is_loopback(host) and settings.token is None:
        raise SettingsError(
            f"On {host} others can reach the proxy, and it has no token to know you by.",
            hint="Set NEUROFLOW_PROXY_TOKEN, or leave out --host.",
        )
    import uvicorn

    from .app import create_app
    from .connection import Connection

    os.umask(0o077)  # what the server writes is for its user alone
    handler = log_handler(settings.log)
    formatter = RedactingFormatter(secrets_of(settings))
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    collect_less()
    # httpx logs every request's URL at INFO; our own line says more and no query string.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app = create_app(settings)
    formatter.secrets = app.state.settings.secrets  # those that come later among them
    idle = Idle(app, lambda: app.state.settings.current().idle_minutes)

    async def end_if_idle() -> None:
        if idle.is_over:
            logging.getLogger("neuroflow_proxy").info("nobody has asked for a long time; ending, as the settings say")
            server.should_exit = True

    config = uvicorn.Config(
        idle,
        host=host,
        port=port,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=5,
        callback_notify=end_if_idle,
        timeout_notify=IDLE_CHECK_S,
    )
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit as error:  # uvicorn's way to say that it could not bind
        raise InstanceError(
            f"Port {port} on {host} cannot be used.", hint="Choose another with --port, or stop what has it."
        ) from error
    return 0 if server.started else 1


def collect_less() -> None:
    """Let log records do without what no line shows (logging's how-to, "Optimization"): a third of a line's time."""
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if sys.version_info >= (3, 12):
        logging.logAsyncioTasks = False  # type: ignore[attr-defined,unused-ignore] # missing in typeshed


def log_handler(log: Path | None) -> logging.Handler:
    """Where log lines go: to a file that is turned over when it is full, or to the standard error."""
    if log is None:
        return logging.StreamHandler()
    return LogFile(log, maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8")
