# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "httpx>=0.28",
#     "msgspec>=0.19",
#     "psutil>=6.0",
#     "questionary>=2.1",
#     "uvicorn>=0.30",
#     # The proxy that this starts runs with the same packages. For documents, searches, and speed:
#     "pypdf>=5.0",
#     "ddgs>=9.0",
#     "httptools>=0.6",
#     "uvloop>=0.21; sys_platform != 'win32'",
# ]
# ///
"""Sets up, starts, checks and stops the proxy: `uv run configure.py --help`."""

import sys

from neuroflow_proxy.cli import main

if __name__ == "__main__":
    sys.exit(main())
