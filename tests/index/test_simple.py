from __future__ import annotations

import json

import pytest

from bootstrap.errors import UnreachableError
from bootstrap.index.files import File
from bootstrap.index.simple import parse_html, parse_json, read_page

_INDEX = "https://index.example/simple"
_URL = f"{_INDEX}/torch/"
_DIGEST = "0123456789abcdef" * 4


def _only(html: str, url: str = _URL) -> File:
    (file,) = parse_html(html.encode(), url, _INDEX)
    return file


def test_reads_everything_that_a_link_says() -> None:
    file = _only(
        f'<a href="../../packages/torch-2.9.0-py3-none-any.whl#sha256={_DIGEST}" '
        f'data-requires-python="&gt;=3.10,&lt;4" data-dist-info-metadata="sha256={_DIGEST[::-1]}" '
        'data-yanked="broken &amp; gone" '
        'data-upload-time="2026-04-23T10:00:00Z">torch-2.9.0-py3-none-any.whl</a><br/>'
    )
    assert file == File(
        filename="torch-2.9.0-py3-none-any.whl",
        url="https://index.example/packages/torch-2.9.0-py3-none-any.whl",
        index=_INDEX,
        hashes={"sha256": _DIGEST},
        requires_python=">=3.10,<4",
        metadata={"sha256": _DIGEST[::-1]},
        yanked="broken & gone",
        upload_time="2026-04-23T10:00:00Z",
    )


@pytest.mark.parametrize(
    ("href", "url"),
    [
        pytest.param("https://other.example/a-1.zip", "https://other.example/a-1.zip", id="absolute"),
        pytest.param("/whl/cpu/a-1.zip", "https://index.example/whl/cpu/a-1.zip", id="host-relative"),
        pytest.param("a-1.zip", "https://index.example/simple/torch/a-1.zip", id="beside"),
        pytest.param("../a-1.zip", "https://index.example/simple/a-1.zip", id="above"),
        pytest.param("//other.example/a-1.zip", "https://other.example/a-1.zip", id="scheme-relative"),
        pytest.param("a-1.zip?token=x&amp;y=z", "https://index.example/simple/torch/a-1.zip?token=x&y=z", id="query"),
    ],
)
def test_resolves_links(href: str, url: str) -> None:
    file = _only(f'<a href="{href}">a-1.zip</a>')
    assert (file.filename, file.url) == ("a-1.zip", url)


def test_reads_a_page_of_the_pytorch_index() -> None:
    name = "torch-2.9.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl"
    page = f"""<!DOCTYPE html>
<html>
  <body>
    <h1>Links for torch</h1>
    <a href="https://download-r2.pytorch.org/whl/cpu/{name}#sha256={_DIGEST}" data-dist-info-metadata="sha256={_DIGEST}" data-core-metadata="sha256={_DIGEST}">torch-2.9.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl</a><br/>
    <a href="/whl/cpu/{name.replace("311", "312")}">torch-2.9.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl</a><br/>
  </body>
</html>
<!--TIMESTAMP 1777000000-->"""  # noqa: E501
    first, second = parse_html(page.encode(), "https://download.pytorch.org/whl/cpu/torch/", "https://d/whl/cpu")
    assert first.filename == "torch-2.9.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert first.url == f"https://download-r2.pytorch.org/whl/cpu/{name}"
    assert (first.hashes, first.metadata) == ({"sha256": _DIGEST}, {"sha256": _DIGEST})
    assert second.url == f"https://download.pytorch.org/whl/cpu/{name.replace('311', '312')}"
    assert (second.hashes, second.metadata, second.requires_python, second.yanked) == ({}, None, None, None)


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<A HREF='a-1.zip' DATA-YANKED=''>a</A>", id="upper-case-and-single-quotes"),
        pytest.param("<a\n  class=x\n\thref=a-1.zip data-yanked>a</a>", id="no-quotes-and-many-lines"),
        pytest.param('<a rel="internal" data-yanked="" href="a-1.zip">a</a>', id="other-order"),
        pytest.param('<a data-x=">" href="a-1.zip" data-yanked>a</a>', id="sharp-bracket-in-a-value"),
        pytest.param('<a href=" a-1.zip " data-yanked>a</a>', id="spaces-around"),
        pytest.param('<a href="&#97;-1.zip" data-yanked>a</a>', id="character-references"),
        pytest.param('<a name="x"></a><abbr>b</abbr><a href="a-1.zip" data-yanked>a</a>', id="other-anchors"),
        pytest.param('<!-- <a href="b-1.zip">b</a> --><a href="a-1.zip" data-yanked>a</a>', id="comments"),
        pytest.param('<a href="a-1.zip" data-yanked>a</a><!-- <a href="b-1.zip"> -->', id="comment-after"),
        pytest.param(
            '<a href="a-1.zip" data-yanked>a</a><a href="a-1.zip.asc">s</a><a href="a-1.exe">s</a>', id="others"
        ),
    ],
)
def test_reads_html_as_people_write_it(html: str) -> None:
    file = _only(html)
    assert (file.filename, file.url, file.yanked) == ("a-1.zip", f"{_URL}a-1.zip", "")


def test_reads_plus_signs_as_mirrors_write_them() -> None:
    file = _only('<a href="torch-2.9.0&#43;cpu-py3-none-any.whl">torch</a>')
    assert file.filename == "torch-2.9.0+cpu-py3-none-any.whl"


def test_follows_the_base_of_a_page() -> None:
    html = '<html><head><base href="https://other.example/files/"></head><a href="a-1.zip">a</a>'
    assert _only(html).url == "https://other.example/files/a-1.zip"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param("", None, id="none"),
        pytest.param('data-core-metadata="true"', {}, id="without-hash"),
        pytest.param('data-core-metadata="false"', None, id="denied"),
        pytest.param(f'data-dist-info-metadata="sha256={_DIGEST}"', {"sha256": _DIGEST}, id="old-name"),
        pytest.param(
            f'data-dist-info-metadata="true" data-core-metadata="sha256={_DIGEST}"', {"sha256": _DIGEST}, id="both"
        ),
    ],
)
def test_reads_the_offer_of_metadata(attributes: str, expected: object) -> None:
    assert _only(f'<a href="a-1.zip" {attributes}>a</a>').metadata == expected


def test_shows_no_credentials() -> None:
    (file,) = parse_html(
        b'<a href="a-1.zip">', "https://me:word@index.example/simple/a/", "https://me:word@index.example/"
    )
    assert (file.url, file.index) == ("https://index.example/simple/a/a-1.zip", "https://index.example/")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<!DOCTYPE html><title>Links for torch</title><h1>Links for torch</h1>", id="no-releases"),
        pytest.param(b'<a href="../">..</a>', id="only-a-way-up"),
    ],
)
def test_takes_an_empty_project_for_what_it_is(body: bytes) -> None:
    assert parse_html(body, _URL, _INDEX) == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(
            b'<html><title>Sign in</title><form><a href="/forgot">?</a><input name=password></form>',
            "'Sign in'",
            id="login",
        ),
        pytest.param(b"<html><title>Bad gateway</title>", "'Bad gateway'", id="error-page"),
        pytest.param(b"", "0 characters", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00", "characters of something else", id="picture"),
        pytest.param(
            b'<meta name="pypi:repository-version" content="2.0"><a href="a-1.zip">', "version 2", id="future"
        ),
    ],
)
def test_refuses_other_pages_and_says_what_they_are(body: bytes, said: str) -> None:
    with pytest.raises(UnreachableError, match=said) as caught:
        read_page(body, "text/html", _URL, _INDEX)
    assert _URL in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<a " * 100_000, id="never-closed"),
        pytest.param(b'<a href="' * 100_000, id="never-unquoted"),
        pytest.param(b'<a "' * 100_000, id="quotes-only"),
        pytest.param(b"<a " + b"x=" * 100_000, id="attributes-without-values"),
        pytest.param(b"<a " + b"x " * 100_000, id="attributes-without-end"),
        pytest.param(b"<a " + b"/ " * 100_000, id="slashes"),
        pytest.param(b"<A>" + b"<!--" * 100_000, id="comments-without-end"),
        pytest.param(b"<base " * 100_000 + b"<a>", id="bases-without-end"),
        pytest.param(b"<base" + b" href" * 100_000 + b"<a>", id="bases-without-values"),
        pytest.param(b'<a href="x.whl"' + b' a="' * 100_000, id="one-endless-tag"),
    ],
)
def test_survives_hostile_pages(body: bytes) -> None:
    try:
        names = {file.filename for file in parse_html(body, _URL, _INDEX)}
    except UnreachableError as error:
        assert "something else" in str(error)  # noqa: PT017  (either is fine, an endless search is not)
    else:
        assert names <= {"x.whl"}


def _document(**file: object) -> bytes:
    return json.dumps(
        {"meta": {"api-version": "1.1"}, "name": "a", "files": [{"filename": "a-1.zip", "url": "a-1.zip"} | file]}
    ).encode()


def test_reads_json() -> None:
    body = _document(
        **{
            "hashes": {"sha256": _DIGEST},
            "requires-python": ">=3.9",
            "core-metadata": {"sha256": _DIGEST},
            "yanked": "gone",
            "size": 12,
            "upload-time": "2026-04-23T10:00:00Z",
        }
    )
    assert parse_json(body, _URL, _INDEX) == (
        File(
            "a-1.zip",
            f"{_URL}a-1.zip",
            _INDEX,
            {"sha256": _DIGEST},
            ">=3.9",
            {"sha256": _DIGEST},
            "gone",
            12,
            "2026-04-23T10:00:00Z",
        ),
    )


@pytest.mark.parametrize(
    ("said", "yanked", "metadata"),
    [
        pytest.param({"yanked": False, "core-metadata": False}, None, None, id="false"),
        pytest.param({"yanked": True, "core-metadata": True}, "", {}, id="true"),
        pytest.param({"dist-info-metadata": {"sha256": _DIGEST}}, None, {"sha256": _DIGEST}, id="old-name"),
        pytest.param({"requires-python": None, "size": "big", "hashes": []}, None, None, id="wrong-kinds"),
    ],
)
def test_reads_what_json_may_say(said: dict[str, object], yanked: str | None, metadata: object) -> None:
    (file,) = parse_json(_document(**said), _URL, _INDEX)
    assert (file.yanked, file.metadata, file.requires_python, file.size, file.hashes) == (
        yanked,
        metadata,
        None,
        None,
        {},
    )


def test_tells_json_from_html() -> None:
    kinds = ("application/vnd.pypi.simple.v1+json", "application/json", "text/plain")
    assert [read_page(_document(), kind, _URL, _INDEX).files()[0].filename for kind in kinds] == ["a-1.zip"] * 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"{", "not the JSON they claim", id="cut-off"),
        pytest.param(b"[" * 100_000, "not the JSON they claim", id="hostile"),
        pytest.param(b'{"message": "no"}', "lists no files", id="something-else"),
        pytest.param(b"[]", "lists no files", id="list"),
        pytest.param(b'{"meta": {"api-version": "2.0"}, "files": []}', "version 2", id="future"),
    ],
)
def test_refuses_other_json(body: bytes, said: str) -> None:
    with pytest.raises(UnreachableError, match=said):
        read_page(body, "application/json", _URL, _INDEX)


def test_passes_over_entries_that_are_no_files() -> None:
    body = json.dumps({"files": [1, {}, {"filename": "a-1.zip"}, {"filename": "a.exe", "url": "x"}]}).encode()
    assert parse_json(body, _URL, _INDEX) == ()


_HEAD = "<!DOCTYPE html>\n<html><head><title>Links for a</title></head><body>\n"
_ROW = (
    '<a href="https://f.example/a/a-{}.zip#sha256='
    + _DIGEST
    + '" data-requires-python="&gt;=3.{}">a-{}.zip</a><br />\n'
)
_ROWS = [_ROW.format(number, number, number) for number in range(1, 6)]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param("", id="none"),
        pytest.param('<a href="a-9.zip">a</a><br />\n', id="without-hash"),
        pytest.param('<a href="a-9.zip">a</a>', id="without-the-same-end"),
        pytest.param("<A HREF='a-9.zip'>a</A><br />\n", id="upper-case"),
        pytest.param('<a rel="x" href="a-9.zip">a</a><br />\n', id="other-order"),
        pytest.param('<a\nhref="a-9.zip">a</a><br />\n', id="other-space"),
        pytest.param('<a href="a-9.zip" data-requires-python="<4">a</a><br />\n', id="sharp-bracket"),
        pytest.param('<a href="a-9.zip" data-x="b/c#d">a</a><br />\n', id="mark-in-another-attribute"),
        pytest.param('<a href="b/a%2D9.zip">a</a><br />\n', id="quoted"),
        pytest.param('<a href="b/c/?f=/a-9.zip">a</a><br />\n', id="query"),
        pytest.param('<a href="b/ä-9.zip" data-yanked="schön">ä</a><br />\n', id="letters"),
        pytest.param('<a name="top"></a><br />\n', id="no-link"),
        pytest.param('<!-- <a href="b-9.zip">b</a><br />\n -->', id="comment"),
        pytest.param('<abbr title="b">b</abbr>', id="other-tag"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 3, 5], ids=["first", "second", "among", "last"])
def test_one_odd_link_changes_nothing_about_the_others(odd: str, place: int) -> None:
    rows = [*_ROWS[:place], odd, *_ROWS[place:]]
    page = f"{_HEAD}{''.join(rows)}</body></html>\n<!--TIMESTAMP 1777000000-->"
    found = parse_html(page.encode(), _URL, _INDEX)
    # An anchor in capitals at the end is never read in the quick way.
    assert found == parse_html(f"{page}<A NAME=x></A>".encode(), _URL, _INDEX)
    usual = [file for file in found if "-9" not in file.filename]
    assert [file.filename for file in usual] == [f"a-{number}.zip" for number in range(1, 6)]
    assert [file.requires_python for file in usual] == [f">=3.{number}" for number in range(1, 6)]
    assert {file.url for file in usual} == {f"https://f.example/a/a-{number}.zip" for number in range(1, 6)}
    assert [file.yanked for file in found if file.filename == "ä-9.zip"] == (["schön"] if "schön" in odd else [])


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["dense", "spaced"])
@pytest.mark.parametrize("place", [0, 2, 5], ids=["first", "among", "last"])
@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"filename": "a-9.zip", "url": "a-9.zip"}, id="none"),
        pytest.param({"filename": "a-9.zip", "url": "a-9.zip", "yanked": "x},{y}, {z"}, id="brackets-in-a-reason"),
        pytest.param({"filename": "a-9.zip", "url": "a-9.zip", "yanked": '"filename":"b"},{"url":"'}, id="quotes"),
        pytest.param({"filename": "a-9.zip", "url": "a-9.zip", "yanked": "]"}, id="end-of-a-list"),
        pytest.param({"filename": 'ä"-9.zip', "url": "a-9.zip"}, id="letters"),
        pytest.param({"filename": "a-9.zip", "url": 9}, id="no-address"),
        pytest.param({"filename": "a-9.zip", "x": [{"filename": "b", "url": "c"}, {"y": 1}], "url": "d"}, id="nested"),
        pytest.param({"filename": 9, "url": "a-9.zip"}, id="no-name"),
        pytest.param({"filename": "a-9.exe", "url": "a-9.exe"}, id="other-file"),
        pytest.param({}, id="nothing"),
        pytest.param(9, id="no-object"),
    ],
)
def test_json_means_the_same_however_it_is_written(odd: object, place: int, separators: tuple[str, str]) -> None:
    usual = [
        {
            "filename": f"a-{number}.zip",
            "url": f"https://f.example/a-{number}.zip",
            "hashes": {"sha256": _DIGEST},
            "core-metadata": {"sha256": _DIGEST},
            "requires-python": f">=3.{number}",
        }
        for number in range(1, 6)
    ]
    document = {"meta": {"api-version": "1.1"}, "files": [*usual[:place], odd, *usual[place:]], "name": "a"}
    found = parse_json(json.dumps(document, separators=separators).encode(), _URL, _INDEX)
    # What is written on many lines is never read in the quick way.
    assert found == parse_json(json.dumps(document, indent=1).encode(), _URL, _INDEX)
    assert [file.requires_python for file in found if "-9" not in file.filename] == [f">=3.{n}" for n in range(1, 6)]


def test_a_file_whose_json_is_broken_is_refused_when_it_is_looked_at() -> None:
    body = b'{"files":[{"filename":"a-1.zip","url":"a-1.zip"},{"filename":"a-2.zip","url":"a-2.zip",},{"filename":"a-3.zip","url":"a-3.zip"}]}'  # noqa: E501
    with pytest.raises(UnreachableError, match=r"about a-2\.zip that is not the JSON"):
        read_page(body, "application/json", _URL, _INDEX).files()
