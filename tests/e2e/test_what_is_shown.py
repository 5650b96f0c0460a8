"""Pictures and notebooks that the model is shown: pasted, and read."""

import json
from base64 import b64encode

import pytest

from tests.e2e.claude import CURRENT
from tests.e2e.conftest import Session
from tests.e2e.material import png
from tests.e2e.tui import at_a_terminal
from tests.e2e.upstream import images_of, words_of

pytestmark = pytest.mark.e2e

only_current = pytest.mark.parametrize("session", [CURRENT], indirect=True)
BEGIN_PASTE, END_PASTE = "\x1b[200~", "\x1b[201~"


@only_current
def test_a_picture_that_is_pasted_at_the_terminal_reaches_the_model(session: Session) -> None:
    """Terminals paste a file that is dropped on them as its path."""
    picture = session.project / "picture.png"
    picture.write_bytes(png())
    with at_a_terminal(session) as terminal:
        terminal.type(BEGIN_PASTE + str(picture) + END_PASTE)
        terminal.see("[Image #1]")
        terminal.type(" What is that?\r")
        terminal.see("You said:")
    asked = session.bodies[0]["messages"][-1]
    assert images_of(asked) == [png()]
    assert "What is that?" in words_of(asked)


def test_a_notebook_is_read_with_its_pictures_and_edited(session: Session) -> None:
    notebook = session.project / "notebook.ipynb"
    picture = {"output_type": "display_data", "metadata": {}, "data": {"image/png": b64encode(png()).decode()}}
    printed = {"output_type": "stream", "name": "stdout", "text": ["forty-two\n"]}
    cell = {"cell_type": "code", "id": "one", "execution_count": 1, "metadata": {}, "source": ["print(answer)"]}
    cells = [{**cell, "outputs": [printed, picture]}]
    kernel = {"language_info": {"name": "python"}}
    notebook.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    change = {"notebook_path": str(notebook), "cell_id": "one", "new_source": "print(43)"}
    session.claude(f"read {notebook.name}, use NotebookEdit with `{json.dumps(change)}`", tools="Read,NotebookEdit")
    assert json.loads(notebook.read_text("utf-8"))["cells"][0]["source"] == "print(43)"
    read, shown = session.bodies[1]["messages"][-2:]
    assert "print(answer)" in words_of(read)
    assert "forty-two" in words_of(read)
    assert images_of(shown) == [png()]
