"""One thing that was looked at. Values that are secrets are shown by their last four letters."""

from dataclasses import dataclass
from typing import Literal

from ...errors import Kind, ProxyError

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was found, and what mends it if it is not well.

    `failure` is what kind of failure it is, if requests cannot pass because of it.
    """

    name: str
    message: str
    mend: str = ""
    failure: Kind | None = None

    @property
    def state(self) -> State:
        return "fail" if self.failure else "warn" if self.mend else "ok"


def failed(name: str, error: ProxyError, *, otherwise: str) -> Check:
    """An error as a finding; `otherwise` mends it where the error does not say what does."""
    return Check(name, error.message, error.hint or otherwise, error.kind)
