"""Tools: which are sent, under which names and in which order, and how they may be chosen."""

from typing import Any

import pytest

from neuroflow_proxy.demo.strict import BASE, complaints
from neuroflow_proxy.errors import RequestError
from neuroflow_proxy.models.learned import Learned
from neuroflow_proxy.models.profiles import GENERIC, ToolIds
from neuroflow_proxy.translate.request import ChatRequest, to_chat_request
from neuroflow_proxy.translate.tool_ids import IdForge
from neuroflow_proxy.translate.tools import SearchTool, read_tools, upstream_name
from tests.conversations import BASH, JSON, READ, assistant, request, tool_result, tool_use, user

LONG = "mcp__a_server_with_a_long_name__a_rather_long_tool_name_that_goes_on_and_on_for_no_good_reason"


def translated(*history: JSON, learned: Learned | None = None, **more: Any) -> ChatRequest:
    body = request(*(history or [user("hi")]), **more)
    made = to_chat_request(body, model="m", profile=GENERIC, learned=learned or Learned())
    assert complaints(made.body, BASE) == []
    return made


def tool(name: str, **more: Any) -> JSON:
    return {**READ, "name": name, **more}


def sent_names(*history: JSON, **more: Any) -> list[str]:
    return [function["function"]["name"] for function in translated(*history, **more).body.get("tools", [])]


# --- names


@pytest.mark.parametrize("name", ["Bash", "_x", "mcp__server__tool-1", "a" * 64])
def test_a_name_that_everybody_takes_is_kept(name: str) -> None:
    assert upstream_name(name) == name


@pytest.mark.parametrize("name", [LONG, "a" * 65, "1st", "-x", "dots.and/slashes", "ů", "", "a b", "\ud800"])
def test_any_other_name_is_changed_into_one_that_everybody_takes(name: str) -> None:
    changed = upstream_name(name)
    assert changed == upstream_name(name) != name
    assert changed.isascii()
    assert len(changed) <= 64
    assert changed.replace("-", "_").isidentifier()


def test_names_that_begin_alike_stay_apart() -> None:
    assert upstream_name(LONG + "_1") != upstream_name(LONG + "_2")


def test_a_changed_name_is_used_everywhere_and_can_be_undone() -> None:
    history = [user("hi"), assistant(tool_use("toolu_1", LONG)), user(tool_result("toolu_1"))]
    made = translated(*history, tools=[tool(LONG), BASH], tool_choice={"type": "tool", "name": LONG})
    sent = made.body["tools"][0]["function"]["name"]
    assert made.body["messages"][2]["tool_calls"][0]["function"]["name"] == sent
    assert made.body["tool_choice"] == {"type": "function", "function": {"name": sent}}
    assert made.tool_names == {sent: LONG, "Bash": "Bash"}
    assert made.tools == {sent: READ["input_schema"], "Bash": BASH["input_schema"]}


# --- which tools


def test_of_two_tools_with_one_name_the_first_counts() -> None:
    assert sent_names(tools=[BASH, tool("Bash")]) == ["Bash"]
    assert translated(tools=[BASH, tool("Bash")]).tools == {"Bash": BASH["input_schema"]}


@pytest.mark.parametrize("dated", ["web_search_20250305", "web_search_20260209", "web_search_20991231"])
def test_the_search_that_the_server_would_make_becomes_a_function(dated: str) -> None:
    search = {
        "type": dated,
        "name": "web_search",
        "max_uses": 8,
        "allowed_domains": ["muni.cz"],
        "user_location": {"type": "approximate", "city": "Brno", "country": "CZ"},
    }
    made = translated(tools=[search, {**BASH, "type": "custom"}])
    assert [function["function"]["name"] for function in made.body["tools"]] == ["web_search", "Bash"]
    assert "Brno, CZ" in made.body["tools"][0]["function"]["description"]
    assert made.search == SearchTool("web_search", 8, ("muni.cz",), ())


def test_other_server_tools_are_not_sent() -> None:
    made = translated(tools=[{"type": "code_execution_20250522", "name": "code_execution"}, BASH])
    assert [function["function"]["name"] for function in made.body["tools"]] == ["Bash"]
    assert made.search is None


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ({"type": "approximate", "city": "Brno", "region": "Moravia", "country": "CZ"}, "Brno, Moravia, CZ"),
        ({"type": "approximate", "city": None, "region": "", "country": "CZ"}, "CZ"),
        ({"type": "approximate"}, None),
        (None, None),
    ],
)
def test_the_model_that_searches_knows_where_the_user_is(location: JSON | None, told: str | None) -> None:
    made = translated(tools=[{"type": "web_search_20250305", "name": "web_search", "user_location": location}])
    description = made.body["tools"][0]["function"]["description"]
    assert description.partition("pages.")[2] == (f" The user is in {told}." if told else "")


def test_after_a_refusal_schemas_are_sent_in_their_plainest_form() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^x"}}, "additionalProperties": False}
    tools = [tool("Read", input_schema=schema)]
    assert translated(tools=tools).body["tools"][0]["function"]["parameters"] == schema
    made = translated(tools=tools, learned=Learned(simple_schemas=True))
    plain = made.body["tools"][0]["function"]["parameters"]
    assert plain["properties"]["a"] == {"type": "string", "description": '(JSON Schema: {"pattern":"^x"})'}
    assert "additionalProperties" not in plain
    assert made.tools == {"Read": schema}, "what the model answers is still read by the client's own"


def test_a_tool_of_the_clients_own_is_not_taken_for_the_servers() -> None:
    made = translated(tools=[tool("web_search"), {"type": "web_search_20250305", "name": "web_search"}])
    assert [function["function"]["name"] for function in made.body["tools"]] == ["web_search"]
    assert made.search is None


def test_nothing_dangles_where_no_tool_is_left() -> None:
    execution = {"type": "code_execution_20250522", "name": "code_execution"}
    for tools in ([], [execution]):
        made = translated(tools=tools, tool_choice={"type": "any", "disable_parallel_tool_use": True})
        assert not made.body.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_the_placeholder_for_deferred_tools_is_left_out() -> None:
    assert sent_names(tools=[BASH, tool("DeferredToolPlaceholder", defer_loading=True)]) == ["Bash"]


def test_a_loaded_tool_stands_behind_those_that_were_there() -> None:
    def loading(tool_id: str, *names: str) -> list[JSON]:
        references = [{"type": "tool_reference", "tool_name": name} for name in names]
        return [assistant(tool_use(tool_id, "ToolSearch")), user(tool_result(tool_id, references))]

    loaded = [tool(name, defer_loading=True) for name in ("Alpha", "Monitor", "WebFetch")]
    opening, first, second = [user("hi")], loading("toolu_1", "WebFetch"), loading("toolu_2", "Monitor", "Alpha")
    assert sent_names(*opening, tools=[BASH, READ]) == ["Bash", "Read"]
    assert sent_names(*opening, *first, tools=[BASH, READ, loaded[2]]) == ["Bash", "Read", "WebFetch"]
    all_tools = [loaded[0], BASH, loaded[1], READ, loaded[2]]
    after = sent_names(*opening, *first, *second, tools=all_tools)
    assert after == ["Bash", "Read", "WebFetch", "Monitor", "Alpha"]
    assert sent_names(*opening, tools=all_tools) == ["Bash", "Read", "Alpha", "Monitor", "WebFetch"]


def test_fields_of_tools_that_nobody_knows_are_counted() -> None:
    body = {"tools": [tool("a", glow=1, cache_control={}), tool("b", glow=2)]}
    for _ in range(2):
        assert read_tools(body).ignored == {"tools.glow": 2}


@pytest.mark.parametrize(
    ("tools", "field"),
    [
        ("Bash", "tools: "),
        ([1], "tools.0: "),
        ([{}], "tools.0.name: Field required"),
        ([{"name": 1}], "tools.0.name: "),
        ([{"name": "a", "input_schema": []}], "tools.0.input_schema: "),
        ([{"name": "a", "description": 1}], "tools.0.description: "),
    ],
)
def test_a_tool_that_cannot_be_read_is_refused_by_name(tools: Any, field: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_tools({"tools": tools})
    assert refused.value.message.startswith(field)


def test_tools_that_were_read_before_are_not_read_again() -> None:
    assert read_tools({"tools": [tool("a"), tool("b")]}) is read_tools({"tools": [tool("a"), tool("b")]})


def test_a_complaint_names_the_place_in_the_request_and_not_in_the_order() -> None:
    late = {**tool("late"), "defer_loading": True}
    with pytest.raises(RequestError, match=r"^tools\.1\.description: "):
        read_tools({"tools": [late, {"name": "a", "description": 1}]})


# --- the choice


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, {}),
        ({"type": "auto"}, {}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "Read"}, {"tool_choice": {"type": "function", "function": {"name": "Read"}}}),
        ({"type": "tool", "name": "Gone"}, {}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"parallel_tool_calls": False}),
        (
            {"type": "any", "disable_parallel_tool_use": True},
            {"tool_choice": "required", "parallel_tool_calls": False},
        ),
    ],
)
def test_the_choice_of_tools(choice: JSON | None, sent: JSON) -> None:
    body = translated(tool_choice=choice).body
    assert {key: body[key] for key in ("tool_choice", "parallel_tool_calls") if key in body} == sent


def test_a_choice_that_the_provider_refuses_is_weakened_and_said_in_words() -> None:
    choice = {"type": "tool", "name": "Read"}
    weaker = translated(tool_choice=choice, learned=Learned(dropped_params=frozenset({"tool_choice.function"})))
    assert weaker.body["tool_choice"] == "required"
    none = translated(tool_choice=choice, learned=Learned(dropped_params=frozenset({"tool_choice"})))
    assert "tool_choice" not in none.body
    assert none.body["messages"][0]["content"].endswith("Answer by calling the tool Read.")


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(RequestError, match=r"^tool_choice\.type: "):
        translated(tool_choice={"type": "all"})


# --- ids


def made_ids(form: ToolIds, *calls: tuple[str, str]) -> list[str]:
    forge = IdForge(form)
    return [forge.id_for(client_id, name) for client_id, name in calls]


def test_kimi_counts_all_calls_of_the_conversation() -> None:
    calls = [("toolu_1", "Bash"), ("call_0", "Read"), ("toolu_1", "Bash")]
    assert made_ids(ToolIds.KIMI, *calls) == ["functions.Bash:0", "functions.Read:1", "functions.Bash:2"]


def test_mistral_gets_nine_letters_or_digits() -> None:
    ids = made_ids(ToolIds.MISTRAL, ("toolu_1", "Bash"), ("toolu_2", "Bash"), ("toolu_1", "Bash"), ("ů" * 90, "Bash"))
    assert len(set(ids)) == 4
    assert all(len(tool_id) == 9 and tool_id.isalnum() and tool_id.isascii() for tool_id in ids)
    assert made_ids(ToolIds.MISTRAL, ("toolu_1", "Read")) == ids[:1], "the same call has the same id next time"


def test_other_families_get_ids_as_they_came_where_those_will_do() -> None:
    ids = made_ids(ToolIds.AS_THEY_CAME, ("toolu_1", "A"), ("functions.Bash:0", "B"), ("x" * 41, "C"), ("toolu_1", "D"))
    assert ids[0] == "toolu_1"
    assert len(set(ids)) == 4
    assert all(tool_id.startswith("call_") and len(tool_id) <= 40 for tool_id in ids[1:])
