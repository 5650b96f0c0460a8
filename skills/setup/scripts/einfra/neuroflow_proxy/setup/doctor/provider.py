"""The provider: the way to it, the key, the models in use, and what its operators announce."""

from collections.abc import Iterator

from ...errors import Kind, UpstreamError
from ...settings import CustomLlm
from ..catalog import offer, recommended
from ..keys import last_four, where_keys_are_made
from ..live_models import ask_listing, refused_key
from ..service_status import ask_announcement, ask_loads
from .check import Check, failed


def way_to_provider(base_url: str) -> Iterator[Check]:
    """Its name, the connection, its certificate."""
    from ...provider.reach import steps_to

    for step in steps_to(base_url):
        yield Check(step.name, step.message, step.mend, Kind.UNREACHABLE if step.mend else None)


def models(section: CustomLlm) -> Iterator[Check]:
    """Whether the provider takes the key, has the models, and whether they are up."""
    if announcement := ask_announcement(section.base_url):
        yield Check("news", f"The provider announces ({announcement.type}): {announcement.message}")
    if not section.api_key:
        yield Check("key", "There is none.", where_keys_are_made(section.base_url))
    try:
        listing = ask_listing(section.base_url, section.api_key, provider=section.provider)
    except UpstreamError as error:
        if error.kind in (Kind.AUTHENTICATION, Kind.PERMISSION):
            refusal = refused_key(error, section.api_key, section.base_url)
            yield failed("key", refusal, otherwise=where_keys_are_made(section.base_url))
        else:
            yield failed("provider", error, otherwise="See whether the service is up, then run this again.")
        return
    if section.api_key:
        yield Check("key", f"{section.base_url} takes the key {last_four(section.api_key)}.")
    loads = ask_loads(section.base_url)
    best = recommended(offer(listing.ids or (), loads))
    mend = f"configure.py use {best.id}" if best else "configure.py models"
    used = (section.model, section.small_model, *section.tiers.values(), *section.fallback_models)
    for model in dict.fromkeys(filter(None, used)):
        load = loads.get(model.lower())
        if listing.ids is None:
            yield Check("model", f"Whether there is {model} is not known: the provider has no list.")
        elif model not in listing.ids:
            yield Check("model", f"{model} is not on the provider's list any more.", mend, Kind.NOT_FOUND)
        elif load and not load.is_up:
            yield Check("model", f"{model} is down, as the provider's status service says.", mend, Kind.OVERLOADED)
        else:
            yield Check("model", f"{model} is on the provider's list{', and up' if load else ''}.")
