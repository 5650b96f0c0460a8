"""Where set-up runs, and what is set up there already. Everything that it would otherwise look up in the process."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from ..settings import INTEGRATIONS_NAME, CustomLlm, find_integrations, read_section
from .integrations import Scope, path_for


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, a home, an environment, a kind of system (as `sys.platform` names it)."""

    cwd: Path
    home: Path
    env: Mapping[str, str]
    platform: str

    @property
    def named(self) -> Path | None:
        """The integrations file that the environment names, whether it is there or not."""
        name = self.env.get("NEUROFLOW_PROXY_INTEGRATIONS")
        return Path(name) if name else None

    def paths(self) -> dict[Scope, Path]:
        """The integrations file of each scope, whether it is there or not."""
        return {scope: path_for(scope, self.cwd, self.home) for scope in Scope}

    def in_use(self) -> tuple[Path, CustomLlm] | None:
        """The integrations file that applies here and our section of it. Raises `SettingsError` if it is broken."""
        path = find_integrations(self.cwd, self.home, self.env)
        section = read_section(path) if path and path.is_file() else None
        return (path, section) if path and section else None

    def configured(self) -> tuple[Path, CustomLlm]:
        """As `in_use`, where there must be one. Raises `SettingsError` if there is none."""
        in_use = self.in_use()
        if in_use is None:
            raise SettingsError(
                "Nothing is set up yet for this folder or this machine.", hint="Run `configure.py setup`."
            )
        return in_use

    def sections(self) -> dict[Path, CustomLlm]:
        """Our section of every integrations file in reach, the one that applies first."""
        in_use = self.in_use()
        paths = [*([in_use[0]] if in_use else []), *self.paths().values()]
        read = {path: read_section(path) for path in dict.fromkeys(paths) if path.is_file()}
        return {path: section for path, section in read.items() if section}

    def possible_paths(self) -> Iterator[Path]:
        """Every path at which the file that applies here could be, without looking into any."""
        if self.named:
            yield self.named
        for folder in (self.cwd, *self.cwd.parents, self.home):
            yield folder / INTEGRATIONS_NAME
