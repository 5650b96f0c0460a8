"""Recording what a provider answers, so that who reports a fault can attach the very bytes: opt-in, keys taken out.

The recordings themselves are made by the proxy (`server/recording.py`); here they are switched on, switched off, and
packed into one file. A recording holds the conversation, so that file is for its maker to read before anybody else.
"""

import io
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

from ..errors import SettingsError
from .files import write_private
from .instance import Instances, Say
from .json_file import cannot_write
from .place import Place
from .report import Report
from .verbs import start

_SWITCH = "PROXY_DEBUG"
OUTPUT = "recordings.zip"


def begin(place: Place, instances: Instances, say: Say) -> Report:
    """Start the proxy anew, recording."""
    path, _ = place.configured()
    shutil.rmtree(_folder(instances, path), ignore_errors=True)
    started = start(replace(place, env={**place.env, _SWITCH: "1"}), instances, say, again=True)
    return Report(
        started.data | {"recordings": str(_folder(instances, path))},
        [
            "From now on requests and answers are recorded, without keys but with the conversation.",
            "Let it happen again what went wrong; then `configure.py record --end` packs what was recorded.",
        ],
    )


def end(place: Place, instances: Instances, say: Say) -> Report:
    """Start the proxy anew as it was, and pack what was recorded into one file beside the settings."""
    path, _ = place.configured()
    folder, output = _folder(instances, path), path.with_name(OUTPUT)
    env = {name: value for name, value in place.env.items() if name != _SWITCH}
    start(replace(place, env=env), instances, say, again=True)
    names = sorted(one.name for one in folder.glob("[!.]*/"))
    if not names:
        raise SettingsError(
            "Nothing was recorded.",
            hint="Run `configure.py record`, use Claude Code, then `configure.py record --end`.",
        )
    try:
        write_private(output, _packed(folder, names))
    except OSError as error:
        raise cannot_write(output, error, hint=f"What was recorded is in {folder}.") from error
    shutil.rmtree(folder)
    return Report(
        {"output": str(output), "recordings": names},
        [
            f"{len(names)} recorded, all in {output}; nothing is recorded any more.",
            "Read it before you give it to anybody: it holds what you and the model have said.",
        ],
    )


def _folder(instances: Instances, integrations: Path) -> Path:
    return instances.log(integrations).with_suffix(".recordings")


def _packed(folder: Path, names: list[str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            for file in sorted((folder / name).iterdir()):
                archive.write(file, f"{name}/{file.name}")
    return data.getvalue()
