"""Git itself, asked in one folder. Nothing of a repository is guessed from its files."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import SettingsError

_TIMEOUT_S = 20


class Git:
    """Git, asked in one folder, undisturbed by variables of a git command that may be running us as its hook."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = {name: value for name, value in env.items() if not name.startswith("GIT_")} | {"LC_ALL": "C"}
        self._git = shutil.which("git", path=env.get("PATH"))
        self.is_there = self._git is not None

    def has_work_tree(self) -> bool:
        answer = self._run("rev-parse", "--is-inside-work-tree")
        if answer.returncode and "not a git repository" not in answer.stderr:
            raise SettingsError(
                f"Git does not say whether {self._folder} is in a repository: {answer.stderr.strip()}",
                hint="Fix that first: the key must not get into a repository unnoticed.",
            )
        return answer.stdout.strip() == "true"

    def root(self) -> Path:
        return Path(self._run("rev-parse", "--show-toplevel").stdout.rstrip("\n"))

    def tracked(self, paths: Sequence[Path]) -> list[str]:
        """Those that git has, as paths from the root."""
        listing = self._run("ls-files", "-z", "--full-name", "--", *map(str, paths)).stdout
        return [name for name in listing.split("\0") if name]

    def ignores(self, paths: Sequence[Path]) -> bool:
        """Whether each of them is ignored."""
        return not any(self._run("check-ignore", "--quiet", "--", str(path)).returncode for path in paths)

    def commit(self, path: Path, message: str) -> str:
        """Commit one file as it is now, or that it is gone, and nothing else. Returns what git has against it."""
        if not (path.exists() or self.tracked([path])):
            return ""
        added = self._run("add", "--all", "--", str(path))
        if added.returncode:
            return added.stderr.strip()
        if not self._run("diff", "--cached", "--quiet", "--", str(path)).returncode:
            return ""
        done = self._run("commit", "--quiet", "--message", message, "--", str(path))
        return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self._git), "-C", str(self._folder), *arguments]
        try:
            return subprocess.run(  # noqa: S603
                command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SettingsError(
                f"Git could not be asked about {self._folder}: {error}.",
                hint="See that `git status` works there, then run this again.",
            ) from error
