"""Documents: as text where they can be read, and in words where they cannot."""

import base64
from collections.abc import Sequence
from typing import Any

import pytest

from neuroflow_proxy.errors import RequestError
from neuroflow_proxy.models.profiles import GENERIC
from neuroflow_proxy.translate.documents import MAX_TEXT, PdfReader, UnreadablePdf, no_pdf_reader
from neuroflow_proxy.translate.request import to_chat_request
from tests.conversations import JSON, assistant, image, pdf, request, text, tool_result, tool_use, user


def pages(*texts: str) -> PdfReader:
    return lambda data: texts


def shown(document: JSON, read_pdf: PdfReader = no_pdf_reader) -> Any:
    made = to_chat_request(request(user(document)), model="m", profile=GENERIC, read_pdf=read_pdf, directive=False)
    return made.body["messages"][-1]["content"]


def document(source: JSON, **more: Any) -> JSON:
    return {"type": "document", "source": source, **more}


def test_a_pdf_is_shown_page_by_page() -> None:
    assert shown(pdf(), pages("One\n", "", "Three")) == "[page 1]\nOne\n\n[page 2]\n(no text)\n\n[page 3]\nThree"


def test_the_reader_gets_the_document_itself() -> None:
    def read(data: bytes) -> Sequence[str]:
        assert data == b"%PDF-1.7 \xff"
        return ["read"]

    assert shown(pdf(base64.b64encode(b"%PDF-1.7 \xff").decode()), read) == "[page 1]\nread"


def test_a_pdf_in_a_result_is_part_of_the_result() -> None:
    reply = user(tool_result("toolu_1", [text("PDF read: a.pdf"), pdf()]))
    body = request(user("hi"), assistant(tool_use("toolu_1", "Read")), reply)
    made = to_chat_request(body, model="m", profile=GENERIC, read_pdf=pages("One"))
    assert made.body["messages"][-1]["content"] == "PDF read: a.pdf\n\n[page 1]\nOne"


def test_a_pdf_that_cannot_be_read_says_why() -> None:
    def broken(data: bytes) -> Sequence[str]:
        raise UnreadablePdf("it is encrypted")

    assert "it is encrypted" in shown(pdf(), broken)
    assert "no PDF reader" in shown(pdf())


def test_a_pdf_of_pictures_says_that_it_has_no_text() -> None:
    assert shown(pdf(), pages("", " \n")) == "[PDF of 2 pages without any text: probably scanned images]"


def test_what_is_too_long_is_cut_and_says_so() -> None:
    made = shown(document({"type": "text", "media_type": "text/plain", "data": "x" * (MAX_TEXT + 5)}))
    assert made == "x" * MAX_TEXT + "\n[cut here: 5 of 400,005 characters are not shown]"
    whole = "x" * MAX_TEXT
    assert shown(document({"type": "text", "media_type": "text/plain", "data": whole})) == whole


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"type": "text", "media_type": "text/plain", "data": "plain"}, "plain"),
        ({"type": "base64", "media_type": "text/csv", "data": "YTvFrw=="}, "a;ů"),
        ({"type": "base64", "media_type": "text/csv", "data": "YTvh"}, "a;\ufffd"),
        (
            {"type": "base64", "media_type": "application/zip", "data": "AAAA"},
            "[document not shown: files of type application/zip cannot be read here]",
        ),
        (
            {"type": "url", "url": "https://a.b/c.pdf"},
            "[document not loaded: https://a.b/c.pdf can be read with a tool that fetches pages]",
        ),
        (
            {"type": "file", "file_id": "file_1"},
            "[document not loaded: a source of type file cannot be reached from here]",
        ),
        ({"type": "content", "content": "plain"}, "plain"),
        ({"type": "content", "content": [text("a"), text("b")]}, "a\n\nb"),
    ],
)
def test_every_source_is_shown_or_named(source: JSON, words: str) -> None:
    assert shown(document(source)) == words


@pytest.mark.parametrize("data", ["A", "ů"])
def test_broken_data_does_not_lock_the_session(data: str) -> None:
    assert shown(pdf(data), pages("One")) == "[document not shown: its data is not valid base64]"


def test_a_title_stands_above_the_document() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "plain"}
    assert shown(document(source, title="T", context="from the web")) == "Document: T\nContext: from the web\nplain"
    assert shown(document({"type": "content", "content": "plain"}, title="T")) == "Document: T\n\nplain"


def test_images_in_a_document_stay_images() -> None:
    made = shown(document({"type": "content", "content": [text("a"), image()]}))
    assert [part["type"] for part in made] == ["text", "image_url"]


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (None, "messages.0.content.0.source: Field required"),
        ({}, "messages.0.content.0.source: Field required"),
        ({"type": 1}, "messages.0.content.0.source.type: "),
        ({"type": "text", "data": 1}, "messages.0.content.0.source.data: "),
        ({"type": "url"}, "messages.0.content.0.source.url: "),
        ({"type": "base64", "data": "AAAA"}, "messages.0.content.0.source.media_type: Field required"),
        ({"type": "base64", "media_type": "application/pdf", "data": 1}, "messages.0.content.0.source.data: "),
    ],
)
def test_a_document_that_is_not_one_is_refused_by_name(source: Any, field: str) -> None:
    with pytest.raises(RequestError) as refused:
        shown(document(source))
    assert refused.value.message.startswith(field)
