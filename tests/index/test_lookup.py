from __future__ import annotations

import gzip
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest
from packaging.version import Version

from bootstrap.errors import BadDistributionError, UnreachableError
from bootstrap.index.cache import PageCache
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.index.files import Listing
from bootstrap.index.lookup import Catalogue
from bootstrap.project.model import Index
from tests.index.serving import Connect, Reply, Server, metadata_text, sha256, wheel, with_ranges

_ACCESS_DENIED = Reply(403, b"<Error><Code>AccessDenied</Code></Error>", {"content-type": "application/xml"})


def _catalogue(
    client: Client, server: Server, *tiers: str, cache: PageCache | None = None, links: str = ""
) -> Catalogue:
    """Each tier is the paths of its indexes, joined by spaces."""
    indexes = [[Index(server.url + path) for path in tier.split()] for tier in tiers]
    find_links = [Index(links, flat=True)] if links else []
    return Catalogue(client, cache or PageCache(None), indexes, find_links)


def _names(listing: Listing) -> list[str]:
    return [file.filename for files in listing.versions.values() for file in files]


class TestTiers:
    def test_are_asked_in_order_until_one_has_the_name(self, server: Server, client: Client) -> None:
        server.project("torch", "torch-1.zip", index="/first")
        server.project("torch", "torch-2.zip", index="/second")
        server.project("numpy", "numpy-2.zip", index="/second")
        catalogue = _catalogue(client, server, "/first", "/second")
        assert _names(catalogue.listing("Torch")) == ["torch-1.zip"]
        assert _names(catalogue.listing("numpy")) == ["numpy-2.zip"]
        assert server.paths == ["/first/torch/", "/first/numpy/", "/second/numpy/"]

    def test_merge_their_own_indexes(self, server: Server, client: Client) -> None:
        server.project("torch", "torch-1.zip", index="/first")
        server.project("torch", "torch-2.zip", index="/extra")
        listing = _catalogue(client, server, "/first /extra").listing("torch")
        assert _names(listing) == ["torch-2.zip", "torch-1.zip"]
        assert listing.indexes == (f"{server.url}/first", f"{server.url}/extra")

    def test_give_nothing_where_nobody_has_it(self, server: Server, client: Client) -> None:
        listing = _catalogue(client, server, "/first", "/second").listing("torch")
        assert (listing.name, dict(listing.versions), listing.indexes) == ("torch", {}, ())

    def test_take_a_bucket_that_denies_access_for_one_without_the_name(self, server: Server, client: Client) -> None:
        server.routes["/whl/numpy/"] = _ACCESS_DENIED
        server.project("numpy", "numpy-2.zip", index="/second")
        assert _names(_catalogue(client, server, "/whl /second").listing("numpy")) == ["numpy-2.zip"]

    def test_do_not_fall_through_an_index_that_forbids(self, server: Server, client: Client) -> None:
        server.routes["/first/numpy/"] = Reply(403, b"blocked by policy")
        server.project("numpy", "numpy-2.zip", index="/second")
        with pytest.raises(UnreachableError, match="asked about numpy, it answers 403"):
            _catalogue(client, server, "/first", "/second").listing("numpy")

    def test_do_not_fall_through_an_index_that_fails(self, server: Server, client: Client) -> None:
        server.routes["/first/numpy/"] = Reply(500)
        server.project("numpy", "numpy-2.zip", index="/second")
        with pytest.raises(UnreachableError, match=r"/first: no usable answer about numpy \(the server answers 500"):
            _catalogue(client, server, "/first", "/second").listing("numpy")

    def test_say_when_credentials_are_missing_or_refused(self, server: Server, client: Client) -> None:
        server.routes["/first/numpy/"] = Reply(401)
        with pytest.raises(UnreachableError, match="the credentials are missing"):
            _catalogue(client, server, "/first").listing("numpy")
        secret = Index(f"{server.url}/first".replace("//", "//me:secret@"))
        with pytest.raises(UnreachableError, match="the credentials were refused") as caught:
            Catalogue(client, PageCache(None), [[secret]]).listing("numpy")
        assert "secret" not in str(caught.value)

    def test_log_in_for_files_too_and_show_no_credentials(self, server: Server, client: Client) -> None:
        server.project("torch", "torch-2.9.0-py3-none-any.whl", index="/private")
        server.routes["/private/torch/torch-2.9.0-py3-none-any.whl"] = with_ranges(wheel("torch", "2.9.0"))
        index = Index(f"{server.url}/private".replace("//", "//me:secret@"))
        catalogue = Catalogue(client, PageCache(None), [[index]])
        listing = catalogue.listing("torch")
        (file,) = listing.versions[Version("2.9.0")]
        assert (file.index, listing.indexes) == (f"{server.url}/private", (f"{server.url}/private",))
        assert file.url == f"{server.url}/private/torch/torch-2.9.0-py3-none-any.whl"
        assert catalogue.metadata(file).name == "torch"
        assert {headers.get("authorization") for _, headers in server.asked} == {"Basic bWU6c2VjcmV0"}

    def test_say_when_something_else_answers(self, server: Server, client: Client) -> None:
        server.page("/first/numpy/", "<title>Sign in</title><form>")
        with pytest.raises(UnreachableError, match=r"no usable answer about numpy .*'Sign in'"):
            _catalogue(client, server, "/first").listing("numpy")

    def test_may_be_flat(self, server: Server, client: Client) -> None:
        server.page("/links.html", '<a href="torch-1.zip"></a><a href="numpy-1.zip"></a>')
        catalogue = Catalogue(client, PageCache(None), [[Index(f"{server.url}/links.html", flat=True)]])
        assert _names(catalogue.listing("torch")) == ["torch-1.zip"]
        assert _names(catalogue.listing("numpy")) == ["numpy-1.zip"]
        assert server.paths == ["/links.html"]

    def test_may_lie_on_disk(self, tmp_path: Path, connect: Connect) -> None:
        (tmp_path / "simple" / "torch").mkdir(parents=True)
        (tmp_path / "simple" / "torch" / "index.html").write_text('<a href="../../torch-1.zip">')
        index = Index((tmp_path / "simple").as_uri())
        catalogue = Catalogue(connect(NetworkSettings(offline=True)), PageCache(None), [[index]])
        (file,) = catalogue.listing("torch").versions[Version("1")]
        assert file.url == (tmp_path / "torch-1.zip").as_uri()
        assert _names(catalogue.listing("numpy")) == []


class TestOneIndexByName:
    def test_serves_alone(self, server: Server, client: Client) -> None:
        server.project("torch", "torch-2.9.0%2Bcpu-py3-none-any.whl", index="/whl/cpu")
        server.project("torch", "torch-2.10.0-py3-none-any.whl", index="/simple")
        listing = _catalogue(client, server, "/simple").listing("torch", f"{server.url}/whl/cpu", "cpu")
        assert _names(listing) == ["torch-2.9.0+cpu-py3-none-any.whl"]
        assert listing.indexes == (f"{server.url}/whl/cpu",)

    @pytest.mark.parametrize("reply", [Reply(404), Reply(403), _ACCESS_DENIED], ids=["404", "403", "bucket"])
    def test_never_lets_another_answer_for_it(self, server: Server, client: Client, reply: Reply) -> None:
        server.routes["/whl/cpu/torch/"] = reply
        server.project("torch", "torch-2.10.0-py3-none-any.whl", index="/simple")
        assert _names(_catalogue(client, server, "/simple").listing("torch", f"{server.url}/whl/cpu")) == []

    def test_is_joined_by_find_links_of_the_variant(self, server: Server, client: Client, tmp_path: Path) -> None:
        for local in ("+cpu", "+cu128", ""):
            (tmp_path / f"torch-2.9.1{local}-py3-none-any.whl").write_bytes(b"")
        server.project("torch", "torch-2.9.0%2Bcpu-py3-none-any.whl", index="/whl/cpu")
        catalogue = _catalogue(client, server, links=str(tmp_path))
        index = f"{server.url}/whl/cpu"
        both = ["torch-2.9.1+cpu-py3-none-any.whl", "torch-2.9.0+cpu-py3-none-any.whl"]
        assert _names(catalogue.listing("torch", index, "cpu")) == both
        assert _names(catalogue.listing("torch", index)) == both[1:]
        assert catalogue.warnings == ()

    def test_is_replaced_by_find_links_when_it_is_down(self, server: Server, client: Client, tmp_path: Path) -> None:
        for name in ("torch", "torchvision"):
            (tmp_path / f"{name}-1.0+cpu-py3-none-any.whl").write_bytes(b"")
            server.routes[f"/whl/cpu/{name}/"] = Reply(500)
        catalogue = _catalogue(client, server, links=str(tmp_path))
        for name in ("torch", "torchvision"):
            assert _names(catalogue.listing(name, f"{server.url}/whl/cpu", "cpu")) == [
                f"{name}-1.0+cpu-py3-none-any.whl"
            ]
        (warning,) = catalogue.warnings
        assert f"{server.url}/whl/cpu" in warning
        server.routes["/whl/cu128/torch/"] = Reply(500)
        with pytest.raises(UnreachableError):
            catalogue.listing("torch", f"{server.url}/whl/cu128", "cu128")

    def test_is_asked_through_its_mirror(self, server: Server, connect: Connect) -> None:
        body = wheel("torch", "2.9.0", "sympy")
        server.project("torch", "torch-2.9.0-py3-none-any.whl", index="/lab/cpu")
        server.routes["/lab/cpu/torch/torch-2.9.0-py3-none-any.whl"] = with_ranges(body)
        client = connect(NetworkSettings(mirrors=(("https://download.pytorch.org/whl", f"{server.url}/lab"),)))
        catalogue = _catalogue(client, server)
        listing = catalogue.listing("torch", "https://download.pytorch.org/whl/cpu", "cpu")
        (file,) = listing.versions[Version("2.9.0")]
        assert file.url == "https://download.pytorch.org/whl/cpu/torch/torch-2.9.0-py3-none-any.whl"
        assert catalogue.metadata(file).requires_dist == ("sympy",)


class TestFindLinks:
    def test_join_the_tier_that_answers(self, server: Server, client: Client, tmp_path: Path) -> None:
        (tmp_path / "numpy-3-py3-none-any.whl").write_bytes(b"")
        (tmp_path / "numpy-2-py3-none-any.whl").write_bytes(b"")
        server.project("numpy", "numpy-2-py3-none-any.whl")
        listing = _catalogue(client, server, "/simple", links=str(tmp_path)).listing("numpy")
        assert _names(listing) == ["numpy-3-py3-none-any.whl", "numpy-2-py3-none-any.whl"]
        assert listing.versions[Version("2")][0].url == (tmp_path / "numpy-2-py3-none-any.whl").as_uri()

    def test_may_be_a_page(self, server: Server, client: Client) -> None:
        server.page("/pytorch/torch_stable.html", '<a href="cpu/torch-1.0%2Bcpu-py3-none-any.whl">cpu/torch</a>')
        catalogue = _catalogue(client, server, "/simple", links=f"{server.url}/pytorch/torch_stable.html")
        (file,) = catalogue.listing("torch").versions[Version("1.0+cpu")]
        assert file.url == f"{server.url}/pytorch/cpu/torch-1.0%2Bcpu-py3-none-any.whl"

    @pytest.mark.parametrize("place", ["missing", "http"])
    def test_that_cannot_be_read_are_left_out_with_a_warning(
        self, server: Server, client: Client, tmp_path: Path, place: str
    ) -> None:
        server.project("numpy", "numpy-2.zip")
        links = str(tmp_path / "missing") if place == "missing" else f"{server.url}/gone.html"
        catalogue = _catalogue(client, server, "/simple", links=links)
        assert _names(catalogue.listing("numpy")) == _names(catalogue.listing("numpy")) == ["numpy-2.zip"]
        (warning,) = catalogue.warnings
        assert links in warning


class TestAskingOnce:
    def test_holds_for_many_threads(self, server: Server, client: Client) -> None:
        def slowly(_: Mapping[str, str]) -> Reply:
            sleep(0.1)
            return Reply(200, b'<a href="torch-1.zip">', {"content-type": "text/html"})

        server.routes["/simple/torch/"] = slowly
        catalogue = _catalogue(client, server, "/simple")
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(catalogue.listing, ["torch", "Torch"] * 8))
        assert len({id(listing) for listing in found}) == 1
        assert len(server.asked) == 1

    def test_holds_for_failures(self, server: Server, client: Client) -> None:
        server.routes["/simple/torch/"] = Reply(400)
        catalogue = _catalogue(client, server, "/simple")
        for _ in range(3):
            with pytest.raises(UnreachableError):
                catalogue.listing("torch")
        assert len(server.asked) == 1

    def test_prefers_json(self, server: Server, client: Client) -> None:
        _catalogue(client, server, "/simple").listing("torch")
        assert server.asked[0][1]["accept"].startswith("application/vnd.pypi.simple.v1+json, ")


class TestCache:
    def test_answers_while_a_page_is_fresh(self, server: Server, client: Client, tmp_path: Path) -> None:
        server.project("torch", "torch-1.zip")
        for _ in range(2):
            assert _names(_catalogue(client, server, "/simple", cache=PageCache(tmp_path)).listing("torch"))
        assert len(server.asked) == 1

    def test_asks_only_whether_an_old_page_has_changed(self, server: Server, client: Client, tmp_path: Path) -> None:
        def answer(headers: Mapping[str, str]) -> Reply:
            said = {"etag": '"one"', "cache-control": "max-age=0", "content-type": "text/html"}
            if headers.get("if-none-match") == '"one"':
                return Reply(304, headers=said)
            return Reply(200, b'<a href="torch-1.zip">', said)

        server.routes["/simple/torch/"] = answer
        for _ in range(3):
            catalogue = _catalogue(client, server, "/simple", cache=PageCache(tmp_path))
            assert _names(catalogue.listing("torch")) == ["torch-1.zip"]
        assert ["if-none-match" in headers for _, headers in server.asked] == [False, True, True]

    def test_serves_everything_that_was_asked_before_when_offline(
        self, server: Server, client: Client, connect: Connect, tmp_path: Path
    ) -> None:
        server.page("/simple/torch/", '<a href="torch-1.zip">', cache_control="no-cache")
        server.routes["/whl/torch/"] = _ACCESS_DENIED
        cache = PageCache(tmp_path)
        _catalogue(client, server, "/gone", "/whl", "/simple", cache=cache).listing("torch")
        offline = connect(NetworkSettings(offline=True))
        catalogue = _catalogue(offline, server, "/gone", "/whl", "/simple", cache=cache)
        assert _names(catalogue.listing("torch")) == ["torch-1.zip"]
        with pytest.raises(UnreachableError, match="offline"):
            catalogue.listing("numpy")
        assert len(server.asked) == 3


class TestMetadata:
    _FILE = "torch-2.9.0-py3-none-any.whl"

    def _serve(self, server: Server, attribute: str, beside: Reply) -> bytes:
        body = wheel("torch", "2.9.0", "from-the-wheel")
        server.page("/simple/torch/", f'<a href="{self._FILE}#sha256={sha256(body)}" {attribute}>torch</a>')
        server.routes[f"/simple/torch/{self._FILE}"] = with_ranges(body)
        server.routes[f"/simple/torch/{self._FILE}.metadata"] = beside
        return body

    def _requires(self, client: Client, server: Server, cache: PageCache | None = None) -> tuple[str, ...]:
        catalogue = _catalogue(client, server, "/simple", cache=cache)
        (file,) = catalogue.listing("torch").versions[Version("2.9.0")]
        assert catalogue.metadata(file) is catalogue.metadata(file)
        return catalogue.metadata(file).requires_dist

    _BESIDE = metadata_text("torch", "2.9.0", "from-beside").encode()

    @pytest.mark.parametrize("digest", [f"sha256={sha256(_BESIDE)}", "true", "whirlpool=" + "0" * 64])
    def test_comes_from_beside_the_wheel(self, server: Server, client: Client, digest: str) -> None:
        self._serve(server, f'data-core-metadata="{digest}"', Reply(200, self._BESIDE))
        assert self._requires(client, server) == ("from-beside",)
        assert server.paths == ["/simple/torch/", f"/simple/torch/{self._FILE}.metadata"]

    @pytest.mark.parametrize(
        "beside", [Reply(200, _BESIDE), Reply(404), Reply(500)], ids=["altered", "missing", "down"]
    )
    def test_comes_from_the_wheel_where_the_offer_does_not_hold(
        self, server: Server, client: Client, beside: Reply
    ) -> None:
        self._serve(server, f'data-core-metadata="sha256={"0" * 64}"', beside)
        assert self._requires(client, server) == ("from-the-wheel",)

    def test_comes_from_the_wheel_where_nothing_is_offered(self, server: Server, client: Client) -> None:
        self._serve(server, "", Reply(200, self._BESIDE))
        assert self._requires(client, server) == ("from-the-wheel",)

    def test_is_kept_for_the_next_run(self, server: Server, client: Client, tmp_path: Path) -> None:
        self._serve(server, "", Reply(404))
        for _ in range(2):
            assert self._requires(client, server, PageCache(tmp_path)) == ("from-the-wheel",)
        assert len(server.asked) == 2

    def test_of_a_file_on_disk_is_read_there(self, client: Client, server: Server, tmp_path: Path) -> None:
        (tmp_path / self._FILE).write_bytes(wheel("torch", "2.9.0", "from-disk"))
        catalogue = _catalogue(client, server, links=str(tmp_path), cache=PageCache(tmp_path / "cache"))
        (file,) = catalogue.listing("torch").versions[Version("2.9.0")]
        assert catalogue.metadata(file).requires_dist == ("from-disk",)
        assert not (tmp_path / "cache" / "metadata").exists()

    def test_of_a_source_distribution_is_not_answered(self, client: Client, server: Server) -> None:
        server.project("torch", "torch-1.tar.gz")
        catalogue = _catalogue(client, server, "/simple")
        (file,) = catalogue.listing("torch").versions[Version("1")]
        with pytest.raises(BadDistributionError, match=r"torch-1\.tar\.gz is refused"):
            catalogue.metadata(file)

    def test_without_a_name_is_refused_by_the_name_of_its_file(self, server: Server, client: Client) -> None:
        self._serve(server, 'data-core-metadata="true"', Reply(200, b"Version: 1"))
        with pytest.raises(
            BadDistributionError, match=r"torch-2\.9\.0-py3-none-any\.whl is refused: it states no name"
        ):
            self._requires(client, server)


def test_a_page_with_ten_thousand_files_is_read_once_whole_and_then_only_confirmed(
    server: Server, client: Client, tmp_path: Path
) -> None:
    names = [f"torch-{number // 100}.{number % 100}-py3-none-any.whl" for number in range(10_000)]
    links = "".join(f'<a href="/files/{name}#sha256={number:064x}">{name}</a>\n' for number, name in enumerate(names))
    packed = Reply(200, gzip.compress(links.encode()), {"content-type": "text/html", "content-encoding": "gzip"})
    tagged = Reply(200, packed.body, {**packed.headers, "etag": '"one"', "cache-control": "no-cache"})
    server.routes["/simple/torch/"] = lambda asked: Reply(304) if asked.get("if-none-match") == '"one"' else tagged
    for _ in range(2):
        listing = _catalogue(client, server, "/simple", cache=PageCache(tmp_path)).listing("torch")
        found = {file.filename: file.hashes["sha256"] for files in listing.versions.values() for file in files}
        assert found == {name: f"{number:064x}" for number, name in enumerate(names)}
    assert [asked.get("if-none-match") for _, asked in server.asked] == [None, '"one"']
