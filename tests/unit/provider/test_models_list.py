"""What a list of models tells beside the names."""

from typing import Any

import pytest

from neuroflow_proxy.demo.connection import Receive, Scope, Send
from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.provider.models_list import list_models
from neuroflow_proxy.wire.codec import dumps


@pytest.mark.parametrize(
    ("entry", "window"),
    [
        ({"owned_by": "vllm", "max_model_len": 65_536}, 65_536),
        ({"owned_by": "sglang", "max_model_len": 131_072}, 131_072),
        ({"context_length": 262_144, "top_provider": {"context_length": 131_072}}, 262_144),
        ({"owned_by": "groq", "context_window": 131_072}, 131_072),
        ({"owned_by": "mistralai", "max_context_length": 128_000}, 128_000),
        ({"owned_by": "openai"}, None),
        ({"max_model_len": None, "context_length": 40_000}, 40_000),
        *(({"max_model_len": odd}, None) for odd in ("65536", 0, -1, 12, True, 1e9, [65_536], 10**12)),
    ],
)
def test_the_window_is_read_under_each_of_its_names(entry: dict[str, Any], window: int | None) -> None:
    rest = DemoProvider()

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await rest(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": dumps({"data": [{"id": "a-model", **entry}]})})

    with running(server) as base_url:
        assert list_models(base_url, "k", provider="custom") == {"a-model": window}
