"""The files that hold a secret: whether they are for the user alone, and whether git would publish them."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import SettingsError
from ...settings import CustomLlm
from ..acl import system_folder, who_may
from ..claude_settings import Source, user_settings
from ..files import PRIVATE_FILE, backup_of
from ..git_guard import exposure
from ..place import Place
from .check import Check, failed

# These decide alone when the proxy runs in the foreground; a detached one never sees them.
_OVER_THE_FILE = ("BIG_MODEL", "SMALL_MODEL", "OPENAI_BASE_URL", "OPENAI_API_KEY", "NEUROFLOW_PROXY_TOKEN")


def private_files(path: Path, section: CustomLlm, found: Sequence[Source], place: Place) -> Iterator[Check]:
    """Modes and git, for the integrations file, its backup, and settings of Claude Code with the same secrets."""
    secrets = {secret for secret in (section.api_key, section.proxy_token) if secret}
    settings = [source.path for source in found if source.path and secrets & set(source.env.values())]
    files = [file for file in (path, backup_of(path), *settings) if file.exists()]
    yield from _grants(files) if place.platform == "win32" else _modes(files)
    # As set-up has it: in settings that somebody keeps in a repository, a token of this machine's own is no harm.
    with_key = {source.path for source in found if section.api_key and section.api_key in source.env.values()}
    kept_out = [file for file in settings if file in with_key or file != user_settings(place)]
    for file in (path, *kept_out):
        try:
            problem = exposure(file, env=place.env)
        except SettingsError as error:
            problem = error
        if problem:
            yield failed("git", problem, otherwise=f"Name {file} in .gitignore.")
        else:
            yield Check("git", f"Git does not take {file}.")
    over = [name for name in _OVER_THE_FILE if place.env.get(name)]
    if over:
        yield Check(
            "environment",
            f"{', '.join(over)} in this shell override the file for `configure.py serve` and proxy.py.",
            f"unset {' '.join(over)}",
        )


def _grants(files: Sequence[Path]) -> Iterator[Check]:
    """Who may read each file, on Windows, where files have no mode but an access control list."""
    for file in files:
        others = who_may(file, system_folder())[1:]
        if others:
            yield Check(
                "file mode",
                f"Not only you can read {file}: {', '.join(others)}.",
                f'icacls "{file}" /inheritance:r /grant:r "%USERNAME%:F"',
            )
        else:
            yield Check("file mode", f"Only you can read {file}.")


def _modes(files: Sequence[Path]) -> Iterator[Check]:
    open_to_others = [file for file in files if file.stat().st_mode & 0o777 & ~PRIVATE_FILE]
    for file in open_to_others:
        yield Check(
            "file mode",
            f"Others on this machine can read {file} (mode {file.stat().st_mode & 0o777:o}).",
            f"chmod 600 {shlex.quote(str(file))}",
        )
    if not open_to_others:
        yield Check("file mode", f"Only you can read {', '.join(map(str, files))}.")
