"""The repository as others get it: the files that git would hand out, and nothing that a checkout gathers."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.live import cannot
from tests.start.outside import ROOT


def repository_files() -> list[Path]:
    """The files that git would hand out, as they are in the working tree."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        cannot("no git repository to list the files of")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def copy_repository(folder: Path) -> Path:
    """A clean copy at `folder`, without history."""
    for source in repository_files():
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    return folder


def publish(folder: Path, home: Path) -> str:
    """Put a copy where git, in this home, finds it as if it were on GitHub. Returns its owner and name."""
    name = "somebody/neuroflow-proxy"
    copy = copy_repository(folder / f"{name}.git")
    author = {f"GIT_{who}_{what}": "somebody@test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for command in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"], ["commit", "--quiet", "-m", "All"]):
        subprocess.run(["git", *command], cwd=copy, env={**os.environ, **author}, check=True)
    elsewhere = "".join(f"\tinsteadOf = {url}\n" for url in ("https://github.com/", "git@github.com:"))
    (home / ".gitconfig").write_text(f'[url "{folder.as_uri()}/"]\n{elsewhere}', "utf-8")
    return name
