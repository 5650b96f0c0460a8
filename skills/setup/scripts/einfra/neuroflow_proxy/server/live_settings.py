"""Settings that follow their file: a change takes effect with the next request, without a restart."""

import logging
from collections.abc import Callable

from ..errors import SettingsError
from ..settings import SECTION, Settings, file_stamp, read_section, secrets_of

CHECK_INTERVAL_S = 1.0

_log = logging.getLogger("neuroflow_proxy")


class LiveSettings:
    """Re-reads settings when their file changes, looked at no more than once a second.

    A file that is broken, or gone, or has lost our section, keeps the last good settings; `problem` says so until it is
    mended. The look is at the file itself and not at events, so that it works on network file systems and after a
    rename.
    """

    def __init__(self, first: Settings, load: Callable[[], Settings], clock: Callable[[], float]) -> None:
        self._settings = first
        self._load = load
        self._clock = clock
        self._stamp = file_stamp(first.path)
        self._looked_at = clock()
        self.problem: str | None = None
        self.secrets = set(secrets_of(first))
        """Every key and token that has been in use: what began with a former one goes on, and is answered, with it."""
        self._former_models: set[str] = set()

    @property
    def stamp(self) -> list[int] | None:
        """The stamp of the file as it was last looked at: whoever has changed the file sees whether that was read."""
        return self._stamp

    def is_former(self, model: str) -> bool:
        """Whether this model was the chosen one before a change of the settings.

        Claude Code goes on to ask for the model that it was started with; who has switched since means the new one.
        """
        settings = self.current()
        named = (settings.model, settings.small_model, *settings.tiers.values())
        return model in self._former_models and model not in named

    def current(self) -> Settings:
        """The settings that a request that begins now is served with."""
        if self._clock() - self._looked_at >= CHECK_INTERVAL_S:
            self._looked_at = self._clock()
            self._look()
        return self._settings

    def _look(self) -> None:
        path = self._settings.path
        stamp = file_stamp(path)
        if path is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            fresh = self._load()
            # Else another file or the defaults would do, and another provider get the conversation.
            if fresh.path != path or read_section(path) is None:
                raise SettingsError(f"{path} is gone, or has no section {SECTION} any more.")
        except SettingsError as error:
            self.problem = error.full_message
            _log.warning("settings kept as they were: %s", self.problem)
            return
        self.problem = None
        if fresh != self._settings:
            _log.info("settings changed: model %s, small model %s", fresh.model, fresh.small_model)
            self.secrets.update(secrets_of(fresh))
            self._former_models |= {self._settings.model, self._settings.small_model}
            self._settings = fresh
