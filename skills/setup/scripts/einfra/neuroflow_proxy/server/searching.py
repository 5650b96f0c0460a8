"""Searching the web for clients that believe the server does it: one search, or a model's searches as it answers."""

import asyncio
import logging
import secrets
import time

from ..errors import ProxyError
from ..settings import Settings
from ..translate.fields import a_flag, encodable
from ..translate.message import MessageFold
from ..translate.request_kind import search_query
from ..translate.search_answer import Searched, search_events
from ..translate.sequencer import ServerCall
from ..translate.tools import SearchTool, read_search_tool
from ..websearch.failure import SearchFailed
from ..websearch.results import Domains
from ..websearch.search import search
from ..wire import messages_api as api
from ..wire.codec import InvalidJSON, loads
from ..wire.messages_api import JSON
from .answers import EventStream, WholeMessage
from .asgi import Receive, Send
from .asking import Asking, Write
from .body import ClientGone
from .continuations import Further
from .waiting import run_unless_client_leaves

MAX_ROUNDS = 10
"""After so many answers with searches the turn is paused: the client may send it back and have it go on."""

_log = logging.getLogger("neuroflow_proxy")


class SearchOnly:
    """Answers a request that wants nothing but one search."""

    def __init__(self, settings: Settings, body: JSON) -> None:
        self._settings = settings
        self._query = search_query(body) or ""
        self._tool = read_search_tool(body)
        self._is_streamed = a_flag(body, "stream", "")
        self._model = str(body.get("model", ""))

    async def answer(self, receive: Receive, send: Send) -> None:
        """Write the answer, unless the client goes before there is one."""
        out = EventStream(send, list) if self._is_streamed else WholeMessage(send, list)

        async def work() -> str:
            began = time.monotonic()
            searched = await searched_for(self._query, self._settings.web_search, self._tool)
            events = search_events(
                searched,
                name=self._tool.name,
                message_id=f"msg_{secrets.token_hex(12)}",
                tool_use_id=f"srvtoolu_{secrets.token_hex(12)}",
                model=self._model,
            )
            await out.write(events)
            await out.end()
            return f"{searched.error or 'ok'} results={len(searched.found)} total_s={time.monotonic() - began:.3f}"

        outcome = "client_gone"
        try:
            outcome = await run_unless_client_leaves(receive, work(), out)
        except ClientGone:
            pass  # said in the log line
        except ProxyError as stopped:
            outcome = stopped.kind
            if not out.has_started:
                raise
            await out.end([api.error(stopped.outcome.error_type, stopped.full_message)])
        finally:
            _log.info("web search stream=%s outcome=%s", self._is_streamed, outcome)


class SearchLoop:
    """Makes the searches that a model asks for, and has the same answer go on with what was found.

    `heard` is fed with all events of the answer; what it holds is sent back to the model as if the client had, so the
    provider knows the beginning of the client's next request already.
    """

    def __init__(self, settings: Settings, body: JSON, tool: SearchTool, heard: MessageFold) -> None:
        self._settings = settings
        self._body = body
        self._tool = tool
        self._heard = heard
        self._rounds = 0
        self._searches = 0

    async def after(self, asking: Asking, write: Write) -> Further | None:
        await write(asking.stream.close_blocks())
        calls = asking.stream.take_server_calls()
        if not calls:
            return None
        searched = await asyncio.gather(*map(self._search, calls))
        asking.stream.searches = self._searches
        blocks = [result.block(call.id) for result, call in zip(searched, calls, strict=True)]
        await write(asking.stream.server_results(blocks))
        self._rounds += 1
        if asking.stream.has_client_calls:  # the client runs its tools, and sends these results with theirs
            return None
        if self._rounds == MAX_ROUNDS:
            asking.stream.pause()
            return None
        said = {"role": "assistant", "content": list(self._heard.message["content"])}
        body = {**self._body, "messages": [*self._body["messages"], said]}
        if _is_forced(body.get("tool_choice")):  # the tool that had to be called has been
            del body["tool_choice"]
        return Further(body, may_fail=False)

    async def _search(self, call: ServerCall) -> Searched:
        query = _query_of(call.arguments)
        if self._tool.max_uses is not None and self._searches >= self._tool.max_uses:
            return Searched(query, error="max_uses_exceeded")
        self._searches += 1
        return await searched_for(query, self._settings.web_search, self._tool)


async def searched_for(query: str, service: str | None, tool: SearchTool) -> Searched:
    """Search, within the domains that the client's tool allows."""
    domains = Domains(tool.allowed_domains, tool.blocked_domains)
    try:
        found = await search(service, encodable(query), domains)
    except SearchFailed as failure:
        _log.warning("web search failed: %s", failure.words)
        return Searched(query, error=failure.code)
    return Searched(query, found)


def _query_of(arguments: str) -> str:
    try:
        value = loads(arguments)
    except InvalidJSON:
        return ""
    query = value.get("query") if isinstance(value, dict) else None
    return query if isinstance(query, str) else ""


def _is_forced(choice: object) -> bool:
    return isinstance(choice, dict) and choice.get("type") in ("any", "tool")
