"""The tools that the leak corpus declares: as Claude Code's own and an MCP server's are, with every kind of type."""

from typing import Any


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_TEXT = {"type": "string"}

TOOLS: dict[str, dict[str, Any]] = {
    "Bash": _object("command", command=_TEXT, timeout={"type": "number"}, run_in_background={"type": "boolean"}),
    "Read": _object("file_path", file_path=_TEXT, offset={"type": "integer"}, limit={"type": "integer"}),
    "Grep": _object(
        "pattern", **{"pattern": _TEXT, "path": _TEXT, "-n": {"type": "boolean"}, "-A": {"type": "number"}}
    ),
    "Write": _object("file_path", "content", file_path=_TEXT, content=_TEXT),
    "TodoWrite": _object("todos", todos={"type": "array", "items": {"type": "object"}}),
    "ListTasks": _object(),
    "mcp__db__query": _object(
        "sql",
        sql=_TEXT,
        options={"type": "object"},
        tenant={"type": ["string", "null"]},
        rows={"anyOf": [{"type": "integer"}, {"type": "null"}]},
        mode={"enum": ["fast", "exact"]},
    ),
}
