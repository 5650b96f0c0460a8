"""Tool call ids towards the provider, rebuilt from the history alone: the same history always gives the same ids.

The client's ids are the client's affair (they may come from another model, another provider, an older run); what the
provider gets is made here, in the form that the model's family needs, and is unique over the conversation.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from ..models.profiles import ToolIds

_FIT_TO_PASS = re.compile(r"[A-Za-z0-9_-]{1,40}")  # 40: the longest that OpenAI takes
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MISTRAL_LENGTH = 9


class IdForge:
    """Makes the upstream id of each tool call of a conversation; to be asked once for each, in order.

    `given` are those that it has made already.
    """

    def __init__(self, form: ToolIds, given: Iterable[str] = ()) -> None:
        self._is_numbered = form is ToolIds.KIMI
        self._is_mistral = form is ToolIds.MISTRAL
        self._given = set(given)
        self._tried: dict[str, int] = {}  # how many of a client's id's hashes are given, so that none is tried twice

    def id_for(self, client_id: str, name: str) -> str:
        """The upstream id of the next call in the history; `name` is the tool's upstream name."""
        if self._is_numbered:
            made = f"functions.{name}:{len(self._given)}"
        elif not self._is_mistral and _FIT_TO_PASS.fullmatch(client_id) and client_id not in self._given:
            made = client_id
        else:
            made = self._hashed(client_id)
        self._given.add(made)
        return made

    def _hashed(self, client_id: str) -> str:
        while True:
            attempt = self._tried.get(client_id, 0)
            self._tried[client_id] = attempt + 1
            digest = sha256(f"{attempt}:{client_id}".encode("utf-8", "surrogatepass"))
            made = _base62(digest.digest()) if self._is_mistral else f"call_{digest.hexdigest()[:24]}"
            if made not in self._given:
                return made


def _base62(digest: bytes) -> str:
    number = int.from_bytes(digest)
    letters = []
    for _ in range(_MISTRAL_LENGTH):
        number, index = divmod(number, 62)
        letters.append(_BASE62[index])
    return "".join(letters)
