"""What a provider says when it is first asked: whether the key is good, and which models there are."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import Kind, ProxyError, UpstreamError
from .asker import Asker
from .catalog import Choice, offer
from .keys import Key, found_keys, is_einfra, looks_like_a_jwt, where_keys_are_made
from .place import Place
from .service_status import ask_loads
from .voice import Voice


@dataclass(frozen=True, slots=True)
class Listing:
    """The ids that a provider lists; None if it has no list, so that any name may be right."""

    ids: Sequence[str] | None
    windows: Mapping[str, int] = field(default_factory=dict)
    """By id, the context windows that the list tells."""

    def has(self, model: str | None) -> bool:
        return self.ids is None or model in self.ids

    def named(self, model: str | None) -> str | None:
        """The model that a flag names. Raises `ProxyError` if it is not on the list."""
        if model is None or self.has(model):
            return model
        near = difflib.get_close_matches(model, self.ids or (), n=3, cutoff=0.5)
        raise ProxyError(
            "The provider does not list the model that was named.",
            hint=f"Similar names: {', '.join(near)}." if near else "`configure.py models` shows what there is.",
            kind=Kind.NOT_FOUND,
        )


def ask_listing(base_url: str, api_key: str, *, provider: str) -> Listing:
    """The provider's live list. Raises `UpstreamError`, but not where there simply is none."""
    from ..provider.models_list import list_models

    try:
        models = list_models(base_url, api_key, provider=provider)
    except UpstreamError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return Listing(None)
    return Listing(list(models), {model: window for model, window in models.items() if window})


def working_key(
    key: Key | None, base_url: str, place: Place, *, provider: str, asker: Asker, voice: Voice
) -> tuple[Key, Listing]:
    """A key that the provider takes, and what it lists for it. Of keys that lie about, one that is refused gives way to
    the next: a variable may hold one that has run out since.
    """
    found = found_keys(base_url, place.env, list(place.sections().items()))
    refusal = None
    while True:
        if key is None or refusal:
            key = asker.key(base_url, found, refusal)
        with_key = f" with the key {key.shown} from {key.source}" if key.value else ""
        try:
            with voice.during(f"Asking {base_url} for its models{with_key}."):
                return key, ask_listing(base_url, key.value, provider=provider)
        except UpstreamError as error:
            if error.kind not in (Kind.AUTHENTICATION, Kind.PERMISSION):
                raise
            refusal = refused_key(error, key.value, base_url)
            found = [other for other in found if other != key] if key in found else []


def refused_key(error: UpstreamError, key: str, base_url: str) -> UpstreamError:
    """The provider's refusal of a key, with what to do about it."""
    message = error.message
    if is_einfra(base_url) and looks_like_a_jwt(key):
        message = f"That is the JWT token, not the API key. {message}"
    return UpstreamError(message, hint=where_keys_are_made(base_url), kind=error.kind)


def choices_of(listing: Listing, base_url: str) -> list[Choice]:
    """What to choose from, with how it is now; nothing without a list. Raises `UpstreamError` if no model chats."""
    if listing.ids is None:
        return []
    choices = offer(listing.ids, ask_loads(base_url), base_url=base_url, windows=listing.windows)
    if not choices:
        raise UpstreamError(
            f"{base_url} lists no chat model.", hint="Check whether this key may use any.", kind=Kind.NOT_FOUND
        )
    return choices
