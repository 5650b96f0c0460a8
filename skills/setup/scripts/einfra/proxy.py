# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "httpx>=0.28",
#     "uvicorn>=0.30",
#     # `uvicorn proxy:app` does without these: for documents, searches, and speed.
#     "pypdf>=5.0",
#     "ddgs>=9.0",
#     "httptools>=0.6",
#     "msgspec>=0.19",
#     "uvloop>=0.21; sys_platform != 'win32'",
# ]
# ///
"""The proxy as one file to start: `uv run proxy.py`, `python proxy.py`, or `uvicorn proxy:app`."""

import sys

from neuroflow_proxy.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))

# From here on for those who import it: `uvicorn proxy:app`.
from neuroflow_proxy.server.app import create_app
from neuroflow_proxy.settings import load_settings

app = create_app(load_settings())
