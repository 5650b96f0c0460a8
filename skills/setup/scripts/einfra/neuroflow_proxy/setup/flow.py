"""Set-up from the first answer to a running proxy. Who answers, flags, defaults or a person, is an `Asker`'s business.

Nothing is written before every answer is known and the provider has taken the key. Then, under a lock: git is made to
ignore the file, the file is written, the proxy is started. Running it again with the same answers changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import SettingsError
from ..presets import messages_url
from ..settings import EINFRA_BASE_URL, FIRST_PORT, SECTION, CustomLlm, parse_section, read_section, refuse_clear_text
from ..wire.hosts import sends_keys_in_the_clear
from .asker import Asker, Mode, SideModels, Way, Wishes
from .catalog import Choice
from .claude_settings import user_settings
from .connect import Connect, is_newcomer, refuse_settings, settings_file
from .features import OFF
from .flowie import flowie_folder, refuse_secrets
from .git_guard import keep_out_of_git
from .health import ask_stats
from .instance import Instances, Started
from .integrations import Scope, save_section
from .keys import provider_name
from .live_models import Listing, choices_of, working_key
from .obstacle import obstacle
from .place import Place
from .starting import ensure_running, new_token
from .undo import Journal
from .urls import to_base_url
from .usage import learned_windows
from .voice import Voice


@dataclass(frozen=True, slots=True)
class Plan:
    """All answers. Nothing has been changed yet."""

    path: Path
    answers: Mapping[str, object]
    port: int | None
    connect: Connect
    skips_login: bool
    flowie: Path | None
    """Where what is no secret is kept as well; None: nowhere."""
    choices: Sequence[Choice]
    windows: Mapping[str, int]
    """By model id, the context windows that the provider's list tells."""

    def section(self, **more: object) -> CustomLlm:
        """The answers as they will stand in the file, `more` beside them."""
        given = {**self.answers, **more}
        return parse_section({name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """A plan, and what came of it; Claude Code is not connected yet. In direct mode nothing is started."""

    plan: Plan
    section: CustomLlm
    is_changed: bool
    ignore_file: Path | None
    started: Started | None


def answered(wishes: Wishes, place: Place, asker: Asker, voice: Voice) -> Plan:
    """Get all answers, and the provider's word that the key is good."""
    in_use = place.in_use()
    base_url = _base_url(wishes, place, asker)
    # What was chosen for one service says nothing about another.
    before = in_use[1] if in_use and in_use[1].base_url.rstrip("/") == base_url else None
    is_clear = _is_clear(base_url, allowed=before is not None or wishes.allows_http, asker=asker, voice=voice)
    provider = before.provider if before else provider_name(base_url)
    key, listing = working_key(wishes.key, base_url, place, provider=provider, asker=asker, voice=voice)
    choices = choices_of(listing, base_url)
    model, side = _models(wishes, before, listing, choices, base_url, asker=asker, voice=voice)
    path = _path(wishes, place, asker)
    settings = settings_file(path, place)
    connect, mode = _way(wishes, before.proxy_mode if before else "custom", settings, base_url, asker)
    if connect is Connect.SETTINGS:
        refuse_settings(settings, place, with_key=mode == "direct")
    skips_login = _skips_login(wishes, place, asker, settings if connect is Connect.SETTINGS else None)
    flowie = _flowie(wishes, place, asker)
    if flowie:
        refuse_secrets(flowie, key.value)
    answers: dict[str, object] = {
        "provider": provider,
        "base_url": base_url,
        "allow_http": True if is_clear else None,
        "api_key": key.value,
        "model": model,
        "small_model": side.small,
        "tiers": dict(side.tiers) or None,
        "context_windows": with_windows(before, listing.windows, (model, side.small, *side.tiers.values())) or None,
        "proxy_mode": mode,
        "web_search": _chosen(wishes.web_search, in_use[1].web_search if in_use else None),
        "auto_mode": _chosen(wishes.auto_mode, in_use[1].auto_mode if in_use else None),
    }
    return Plan(path, answers, wishes.port, connect, skips_login, flowie, choices, listing.windows)


def _chosen(wish: str | None, former: str | None) -> str | None:
    """A setting as it is to be; None where it is off, which is what a file says that says nothing of it."""
    chosen = wish or former
    return None if chosen == OFF else chosen


def carry_out(plan: Plan, place: Place, instances: Instances, voice: Voice) -> CarriedOut:
    """What changes the machine, all of it under the lock, beginning with what somebody else may just have changed."""
    path = plan.path
    with instances.lock(path):
        journal = Journal(instances.state, path)
        ignore_file = keep_out_of_git(path, env=place.env, before_change=journal.remember_line)
        if ignore_file:
            voice.say(f"Git ignores {path.parent} now: {ignore_file} says so.")
        before = read_section(path) if path.is_file() else None
        journal.remember(path, section=SECTION)
        if plan.section().proxy_mode == "direct":
            is_changed = save_section(path, plan.answers)
            return CarriedOut(plan, plan.section(), is_changed, ignore_file, None)
        section = plan.section(
            proxy_port=before.proxy_port if before else FIRST_PORT,
            proxy_token=(before.proxy_token if before else None) or new_token(),
        )
        with voice.during("Starting the proxy."):
            started, is_changed = ensure_running(
                path, section, plan.answers, port=plan.port, instances=instances, env=place.env, say=voice.say
            )
        # One that ran already may have met refusals that tell more than the list.
        learned = learned_windows(None if started.is_new else ask_stats(started.record.port, section.proxy_token))
        windows = with_windows(section, learned, (section.model,))
        is_changed = save_section(path, {"context_windows": windows or None}, again=is_changed) or is_changed
    section = replace(section, proxy_port=started.record.port, context_windows=windows)
    return CarriedOut(plan, section, is_changed, ignore_file, started)


def usual_base_url(place: Place) -> str:
    """The provider to take if nobody says another: the one in use, the one that the environment names, e-INFRA CZ."""
    in_use = place.in_use()
    # One that is in use works; what looks like a bare host there is one.
    return (
        in_use[1].base_url.rstrip("/") if in_use else to_base_url(place.env.get("OPENAI_BASE_URL") or EINFRA_BASE_URL)
    )


def with_tiers(before: Mapping[str, str], wished: Mapping[str, str], listing: Listing) -> dict[str, str]:
    """The models of single tiers, as they were and as flags change them. Raises `ProxyError` for one not listed."""
    merged = {**before, **{tier: listing.named(model) or "" for tier, model in wished.items() if model}}
    return {tier: model for tier, model in merged.items() if wished.get(tier) != ""}


def with_windows(before: CustomLlm | None, told: Mapping[str, int], models: Iterable[str | None]) -> dict[str, int]:
    """The context windows that stood in a section, and those of `models` as the provider has told them."""
    known = before.context_windows if before else {}
    return {**known, **{model: told[model] for model in models if model and model in told}}


def _base_url(wishes: Wishes, place: Place, asker: Asker) -> str:
    """Where the provider is. Raises `SettingsError` if it cannot be asked in the way that is wished for."""
    base_url = to_base_url(wishes.base_url) if wishes.base_url else asker.base_url(usual_base_url(place))
    if wishes.mode == "direct" and not messages_url(base_url):
        raise SettingsError(
            f"{base_url} has no Messages API of its own, so Claude Code cannot ask it directly.",
            hint="Leave --proxy-mode out: the proxy translates.",
        )
    return base_url


def _is_clear(base_url: str, *, allowed: bool, asker: Asker, voice: Voice) -> bool:
    """True if nothing encrypts what is sent there. Raises `SettingsError` if nobody has allowed that."""
    if not sends_keys_in_the_clear(base_url):
        return False
    if not (allowed or asker.allows_http(base_url)):
        refuse_clear_text(base_url)
    voice.say(
        f"Warning: {base_url} is not encrypted. Everybody on the way there can read the key and the conversation."
    )
    return True


def _models(
    wishes: Wishes,
    before: CustomLlm | None,
    listing: Listing,
    choices: Sequence[Choice],
    base_url: str,
    *,
    asker: Asker,
    voice: Voice,
) -> tuple[str, SideModels]:
    """The model for the conversation and those beside it."""
    former = before.model if before else None
    current = former if listing.has(former) else None
    if listing.ids is None:
        voice.say(f"{base_url} has no list of models. Whether a model is there will show when it is asked.")
        model = wishes.model or asker.model_name(base_url, current)
    else:
        if former and not current:
            voice.say(f"{former}, which was in use, is not on the list any more.")
        model = listing.named(wishes.model) or asker.model(choices, current)
    small = before.small_model if before else None
    tiers = {tier: name for tier, name in (before.tiers if before else {}).items() if listing.has(name)}
    side = SideModels(
        listing.named(wishes.small_model) or (small if small and listing.has(small) else None),
        with_tiers(tiers, wishes.tiers, listing),
    )
    # Who names models by flags has said all that there is to say of them.
    is_asked = choices and not (wishes.model or wishes.small_model or wishes.tiers)
    return model, asker.side_models(choices, side) if is_asked else side


def _path(wishes: Wishes, place: Place, asker: Asker) -> Path:
    """The file that the settings go to. Raises `SettingsError` if they cannot."""
    if wishes.scope is None and place.named:
        path = place.named
    else:
        in_use, paths = place.in_use(), place.paths()
        usual = Scope.MACHINE if in_use and in_use[0] == paths[Scope.MACHINE] else Scope.PROJECT
        found = {scope: obstacle(paths[scope], env=place.env) for scope in Scope}
        obstacles = {scope: problem for scope, problem in found.items() if problem}
        path = paths[wishes.scope or asker.scope(usual, paths, obstacles)]
    if problem := obstacle(path, env=place.env):
        raise problem
    return path


def _way(wishes: Wishes, former: Mode, settings: Path, base_url: str, asker: Asker) -> Way:
    """How Claude Code is connected, and to what."""
    url = messages_url(base_url)
    mode = wishes.mode or former
    return Way(wishes.connect, mode) if wishes.connect else asker.way(settings, "" if wishes.mode else url, mode)


def _skips_login(wishes: Wishes, place: Place, asker: Asker, settings: Path | None) -> bool:
    """Whether Claude Code is to be told that its first start is behind it; `settings` is the file that connects it.

    Seen with 2.1.330: settings of a project count only once the folder is trusted, and a Claude Code that was never
    started comes not that far without reaching Anthropic. The user's own settings and the shell count.
    """
    if wishes.skips_login is not None:
        return wishes.skips_login
    is_needed = settings is not None and settings != user_settings(place) and is_newcomer(place)
    return is_needed and asker.skips_login()


def _flowie(wishes: Wishes, place: Place, asker: Asker) -> Path | None:
    """The folder in which what is no secret is kept as well; None: nowhere. Raises `SettingsError` if there is none."""
    folder = flowie_folder(place)
    if folder is None:
        if wishes.shares:
            raise SettingsError(
                "There is no flowie folder in this home.",
                hint="It is ~/.neuroflow/flowie, with sync.json in it. Leave --flowie out.",
            )
        return None
    is_shared = asker.shares(folder) if wishes.shares is None else wishes.shares
    return folder if is_shared else None
