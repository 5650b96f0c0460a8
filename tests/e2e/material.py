"""What a session is given to look at, made on the spot: an image, a PDF, an MCP server."""

import struct
import zlib

MCP_SERVER = '''\
"""An MCP server on standard input and output. Writes down what it is called with."""
import json, sys

LONG = "a_rather_long_tool_name_that_goes_on_and_on_for_no_good_reason"
SCHEMA = {
    "type": "object",
    "properties": {
        "words": {"type": "array", "uniqueItems": True, "items": {"type": "string", "format": "iri"}},
        "map": {"type": "object", "patternProperties": {"^x": {"type": "string"}}},
        "any": {},
    },
}
TOOLS = [
    {"name": LONG, "description": "Joins words.", "inputSchema": SCHEMA},
    {"name": "picture", "description": "Shows a picture.", "inputSchema": {"type": "object"}},
]

def run(name, arguments):
    with open(sys.argv[1], "a") as log:
        log.write(json.dumps([name, arguments]) + "\\n")
    if name == LONG:
        return [{"type": "text", "text": "joined: "}, {"type": "text", "text": "-".join(arguments["words"])}]
    image = {"type": "image", "data": sys.argv[2], "mimeType": "image/png"}
    return [{"type": "text", "text": "a picture"}, image]

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    params = message.get("params", {})
    result = {}
    if message["method"] == "initialize":
        server = {"name": "test", "version": "1"}
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": server}
    elif message["method"] == "tools/list":
        result = {"tools": TOOLS}
    elif message["method"] == "tools/call":
        result = {"content": run(params["name"], params["arguments"])}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
'''

MANY_TOOLS = '''\
"""An MCP server on standard input and output, with as many tools as it is told to have."""
import json, sys

SCHEMA = {
    "type": "object",
    "properties": {
        name: {"type": "string", "description": f"The {name} of the thing, as the remote system knows it."}
        for name in ("project", "item", "state", "comment")
    },
}
WORDS = "Does a thing in the remote system, with all the care that one can take. "
TOOLS = [
    {"name": f"tool_{number}", "description": WORDS * 6, "inputSchema": SCHEMA} for number in range(int(sys.argv[1]))
]

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    params = message.get("params", {})
    result = {}
    if message["method"] == "initialize":
        server = {"name": "many", "version": "1"}
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": server}
    elif message["method"] == "tools/list":
        result = {"tools": TOOLS}
    elif message["method"] == "tools/call":
        result = {"content": [{"type": "text", "text": "It is done."}]}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
'''


def png() -> bytes:
    """A red square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\xff\0\0" * 16) * 16
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pdf(words: str) -> bytes:
    """One page with one line of text."""
    shown = f"BT /F1 12 Tf 20 100 Td ({words}) Tj ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown),
    ]
    file = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return file + (
        b"xref\n0 5\n0000000000 65535 f \n%strailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (table, len(file))
    )
