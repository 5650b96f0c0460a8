"""What is asked of one model: the client's request in that model's form, and how the model's answer is to be read.

A value. Whenever the model changes, or what is known of it, or what it is to be asked, another one takes its place, so
that nothing of one model is left over for the next.
"""

import secrets
from functools import lru_cache
from typing import NamedTuple, Self

from ..models.profiles import Profile, profile_for
from ..models.providers import adapted
from ..provider.memory import ProviderMemory
from ..settings import Settings
from ..translate.request import ChatRequest, to_chat_request
from ..translate.request_kind import RequestKind
from ..translate.response import ResponseContext
from ..translate.taking_up import taken_up
from ..wire.codec import dumps
from ..wire.messages_api import JSON
from .pdf import read_pdf


@lru_cache(maxsize=64)
def _profile(model: str, base_url: str, window: int | None) -> Profile:
    return adapted(profile_for(model), base_url, window=window)


class Question(NamedTuple):
    """One request to one model."""

    body: JSON
    """The Messages request."""
    model: str
    profile: Profile
    request: ChatRequest
    max_tokens: int | None = None
    """What fits, where the provider has said that the request's own limit does not."""

    @classmethod
    def of(
        cls, body: JSON, model: str, settings: Settings, memory: ProviderMemory, *, kind: RequestKind | None = None
    ) -> Self:
        """Put a Messages request to a model; `kind` is the request's, if it is known. Raises `RequestError`."""
        profile = _profile(model, settings.base_url, settings.context_windows.get(model))
        request = to_chat_request(
            body,
            model=model,
            profile=profile,
            kind=kind,
            learned=memory.learned_of(model),
            directive=settings.directive,
            read_pdf=read_pdf,
            token_factor=memory.token_factor_of(model),
            history=memory.history,
        )
        return cls(body, model, profile, request)

    def limited_to(self, max_tokens: int) -> Self:
        """This question with another limit for the length of the answer."""
        return self._replace(max_tokens=max_tokens)

    def to_bytes(self) -> bytes:
        """The Chat Completions body."""
        if self.max_tokens is None:
            return self.request.as_json
        body = self.request.body
        key = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
        return dumps({**body, key: self.max_tokens})

    def context(self) -> ResponseContext:
        """What the answer has to know of all this."""
        request = self.request
        return ResponseContext(
            message_id=f"msg_{secrets.token_hex(12)}",
            model=request.client_model,
            mint_tool_use_id=lambda: f"toolu_{secrets.token_hex(12)}",
            input_tokens=request.input_tokens,
            schemas=request.tools,
            names=request.tool_names,
            known_ids=request.known_ids,
            stop_sequences=request.stop_sequences,
            server_tools=(request.search.name,) if request.search else (),
            opens_in_thought=self.profile.opens_in_thought and request.thinks,
            takes_up=taken_up(self.body),
            form=request.form,
            can_be_taken_up=request.kind is RequestKind.MAIN,
        )
