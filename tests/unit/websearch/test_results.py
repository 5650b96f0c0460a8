"""What of a search's results is told, and how it comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.websearch.results import (
    MAX_EXCERPT_CHARS,
    MAX_RESULTS,
    MAX_TITLE_CHARS,
    MAX_URL_CHARS,
    Domains,
    is_public,
    worth_telling,
)
from neuroflow_proxy.wire.web_search import Found, as_words, error_block, results_block, words_of


@pytest.mark.parametrize(
    "url",
    [
        "https://muni.cz/",
        "http://www.example.org:8080/a?b=c#d",
        "https://xn--k-ora.example/",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]/",
        "https://4chan.example/",
        "https://xn--e1afmkfd.xn--p1ai/",
    ],
)
def test_the_public_web_is_public(url: str) -> None:
    assert is_public(url)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "muni.cz",
            "//muni.cz/",
            "ftp://muni.cz/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://",
            "http:/a",
        ),
        *("http://localhost/", "http://a.localhost/", "http://router/", "http://nas.local/", "http://db.internal."),
        *("http://printer.lan/", "http://:80/", "http://./"),
        *("http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/"),
        *(
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/",
            "http://0.0.0.0/",
        ),
        *(
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fd00::1]/",
            "http://[fe80::1%25eth0]/",
            "http://[::1",
        ),
        *("http://me@muni.cz/", "http://muni.cz:99999/"),
    ],
)
def test_whatever_is_not_is_not(url: str) -> None:
    assert not is_public(url)


@given(st.text(max_size=60))
def test_no_text_is_too_strange_to_be_judged(text: str) -> None:
    is_public(f"http://{text}")
    Domains((text,), (text,)).admit("https://muni.cz/a")


@pytest.mark.parametrize(
    ("entry", "url", "is_within"),
    [
        ("muni.cz", "https://muni.cz/", True),
        ("muni.cz", "https://is.MUNI.cz/auth", True),
        ("*.muni.cz", "https://is.muni.cz/", True),
        ("https://muni.cz", "http://muni.cz/", True),
        ("muni.cz", "https://notmuni.cz/", False),
        ("muni.cz", "https://muni.cz.evil.example/", False),
        ("muni.cz/en", "https://muni.cz/en/about", True),
        ("muni.cz/en", "https://muni.cz/enrolment", False),
        ("", "https://muni.cz/", False),
    ],
)
def test_a_domain_stands_for_its_subdomains_and_may_name_a_path(entry: str, url: str, is_within: bool) -> None:
    assert Domains(allowed=(entry,)).admit(url) is is_within
    assert Domains(blocked=(entry,)).admit(url) is not is_within


def test_one_of_the_allowed_domains_is_enough_and_one_of_the_blocked_too_much() -> None:
    assert Domains(allowed=("cuni.cz", "muni.cz")).admit("https://muni.cz/")
    assert not Domains(blocked=("cuni.cz", "muni.cz")).admit("https://muni.cz/")
    assert not Domains(allowed=("muni.cz",), blocked=("is.muni.cz",)).admit("https://is.muni.cz/")


def test_what_is_told_of_a_page_is_plain_and_short() -> None:
    def told(title: str, excerpt: str = "") -> tuple[str, str]:
        ((title, _, excerpt, _),) = worth_telling([Found(title, "https://a.example/", excerpt)], Domains())
        return title, excerpt

    assert told(" <b>Horses</b> &amp;\n cows ", "\ta<br>b\x00c ") == ("Horses & cows", "ab c")
    assert told("<i> </i>") == ("https://a.example/", "")
    assert told("x" * MAX_TITLE_CHARS)[0] == "x" * MAX_TITLE_CHARS
    assert told("x" * (MAX_TITLE_CHARS + 1))[0] == "x" * (MAX_TITLE_CHARS - 1) + "…"
    assert told("t", "say " * 1_000)[1] == ("say " * (MAX_EXCERPT_CHARS // 4)).rstrip()[: MAX_EXCERPT_CHARS - 1] + "…"


def test_only_the_first_pages_that_may_be_told_are() -> None:
    pages = [Found("t", f"https://a.example/{number}", "") for number in range(MAX_RESULTS + 5)]
    others = [Found("t", "http://router/", ""), Found("t", "https://b.example/" + "x" * MAX_URL_CHARS, "")]
    found = worth_telling([*others, *pages], Domains(allowed=("a.example", "router", "b.example")))
    assert found == pages[:MAX_RESULTS]


def test_an_address_is_told_once() -> None:
    pages = [Found("a", "https://a.example/", "1"), Found("b", "https://a.example/", "2")]
    assert worth_telling(pages, Domains()) == [Found("a", "https://a.example/", "1")]


@given(
    st.lists(st.builds(Found, st.text(), st.just("https://a.example/"), st.text(), st.just("2026-01-01")), min_size=1)
)
def test_the_model_reads_the_same_again_when_the_client_sends_the_results_back(pages: list[Found]) -> None:
    told = words_of(results_block("srvtoolu_1", pages))
    assert told == "\n\n".join(map(as_words, pages)).encode("utf-8", "replace").decode()


@pytest.mark.parametrize("content", [None, [], "x", 7, {}, [7], [{"url": 7}], {"error_code": "of tomorrow"}])
def test_results_of_any_shape_are_words(content: object) -> None:
    assert words_of({"content": content})


def test_each_error_has_words_of_its_own() -> None:
    codes = ("too_many_requests", "invalid_input", "max_uses_exceeded", "query_too_long", "unavailable")
    assert len({words_of(error_block("x", code)) for code in codes}) == len(codes)
