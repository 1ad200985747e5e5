"""The replica is honest: real installers accept it, and its pages and wheels are what the standards say."""

from __future__ import annotations

import csv
import hashlib
import http.client
import importlib.util
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import BytesParser
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from tests.replica import Replica, faults
from tests.replica.catalogue import DEFAULT, VARIANTS, Listed, catalogue
from tests.replica.wheels import Wheel

JSON = "application/vnd.pypi.simple.v1+json"
NOT_OURS = re.compile("(PIP|UV|PYTHON|VIRTUAL)_?|.*_proxy$", re.IGNORECASE)
QUIET = {name: value for name, value in os.environ.items() if not NOT_OURS.match(name)}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica() as replica:
        yield replica


def get(address: str, **headers: str) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(address, headers={key.replace("_", "-"): text for key, text in headers.items()})
    try:
        with DIRECT.open(request, timeout=10) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


class Links(HTMLParser):
    """Every link of a page: its text, its address and its other attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._attributes: dict[str, str] = {}
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._attributes = {name: value or "" for name, value in attrs}

    def handle_data(self, data: str) -> None:
        if self._attributes:
            self.found[data] = self._attributes
            self._attributes = {}


def links(address: str, **headers: str) -> dict[str, dict[str, str]]:
    status, received, page = get(address, **headers)
    assert (status, received.get_content_type()) == (200, "text/html")
    return Links(page).found


def wheels() -> list[Listed]:
    return [one for one in catalogue() if isinstance(one.file, Wheel)]


# What is in it


def test_every_wheel_is_valid() -> None:
    for one in {each.path: each for each in wheels()}.values():
        name, version, _, tags = parse_wheel_filename(one.file.filename)
        with zipfile.ZipFile(io.BytesIO(one.file.content())) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        [record] = [path for path in members if path.endswith(".dist-info/RECORD")]
        folder = record.removesuffix("/RECORD")
        rows = {path: (digest, size) for path, digest, size in csv.reader(members.pop(record).decode().splitlines())}
        metadata = BytesParser().parsebytes(members[f"{folder}/METADATA"])
        assert rows.pop(record) == ("", "")
        assert rows == {path: (record_hash(content), str(len(content))) for path, content in members.items()}
        assert (name, version) == (one.project, Version(one.version))
        assert (canonicalize_name(metadata["Name"]), metadata["Version"]) == (name, one.version)
        assert all(Requirement(line) for line in metadata.get_all("Requires-Dist", []))
        assert len(tags) == members[f"{folder}/WHEEL"].count(b"\nTag: ")


def record_hash(content: bytes) -> str:
    return "sha256=" + urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def test_a_wheel_has_the_same_bytes_on_every_machine() -> None:
    wheel = Wheel("Thing", "1.0", requires=("numpy",), scripts=(("thing", "thing:main"),), files=(("thing.py", b""),))
    assert (
        hashlib.sha256(wheel.content()).hexdigest()
        == "958a76e31fb60a735f8910600085cef7e0febe2fd3bd38f942173077fb310cb6"
    )


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_whatever_is_required_is_there_on_linux(python: str) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "sys_platform": "linux",
        "os_name": "posix",
        "extra": "",
    }
    code = f"cp{python.replace('.', '')}"
    usable: dict[str, set[Version]] = {}
    for one in catalogue():
        interpreters = {tag.interpreter for tag in parse_wheel_filename(one.file.filename)[3]}
        if re.search(r"any\.whl|x86_64", one.file.filename) and (
            {code, "py3", "cp39", "cp37", "cp36", "cp38"} & interpreters
        ):
            usable.setdefault(one.project, set()).add(Version(one.version))
    absent = set()
    for one in wheels():
        if Version(one.version) not in usable.get(one.project, set()) or not re.search("any|x86_64", one.file.filename):
            continue
        for line in BytesParser().parsebytes(one.file.metadata()).get_all("Requires-Dist", []):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                offered = usable.get(canonicalize_name(requirement.name), set())
                absent |= set() if any(requirement.specifier.filter(offered)) else {f"{one.file.filename}: {line}"}
    assert not absent


def test_torch_says_which_build_it_is(tmp_path: Path) -> None:
    product = "(torch.ones(2) @ torch.ones(2)).item()"
    code = f"import torch; print(torch.__version__, torch.version.cuda, {product}, torch.cuda.is_available())"
    said = {}
    for index, version in [(DEFAULT, "2.8.0"), ("cpu", "2.8.0+cpu"), ("cu126", "2.8.0+cu126")]:
        [one] = [
            one
            for one in wheels()
            if (one.index, one.project, one.version) == (index, "torch", version)
            and one.file.filename.endswith("cp311-manylinux_2_28_x86_64.whl")
        ]
        folder = tmp_path / index
        zipfile.ZipFile(io.BytesIO(one.file.content())).extractall(folder)
        said[index] = [
            subprocess.check_output([sys.executable, "-c", code], cwd=folder, env={**QUIET, **gpu}, text=True).split()
            for gpu in ({}, {"REPLICA_GPU": "H100"})
        ]
    assert said == {
        DEFAULT: [["2.8.0+cu128", "12.8", "2.0", "False"], ["2.8.0+cu128", "12.8", "2.0", "True"]],
        "cpu": [["2.8.0+cpu", "None", "2.0", "False"], ["2.8.0+cpu", "None", "2.0", "False"]],
        "cu126": [["2.8.0+cu126", "12.6", "2.0", "False"], ["2.8.0+cu126", "12.6", "2.0", "True"]],
    }


# Its pages


def test_a_page_of_pytorch_has_its_quirks(replica: Replica) -> None:
    status, headers, page = get(f"{replica.pytorch}/cpu/torch/", Accept=JSON)
    found = Links(page).found
    linux = found["torch-2.5.1+cpu-cp312-cp312-linux_x86_64.whl"]
    newer = found["torch-2.9.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl"]
    assert (status, headers.get_content_type()) == (200, "text/html")
    assert linux["href"].startswith(
        f"{replica.files_url}/whl/cpu/torch-2.5.1%2Bcpu-cp312-cp312-linux_x86_64.whl#sha256="
    )
    assert replica.files_url != replica.url
    assert "torch-2.5.1-cp312-none-macosx_11_0_arm64.whl" in found
    assert "data-core-metadata" not in linux
    assert newer["data-core-metadata"].startswith("sha256=")
    assert "#" not in found["torch-2.7.1+cpu-cp312-cp312-manylinux_2_28_x86_64.whl"]["href"]
    assert not any({"data-requires-python", "data-yanked"} & set(link) for link in found.values())
    assert re.search(rb"<!--TIMESTAMP \d+-->\s*$", page)


@pytest.mark.parametrize(
    "path", ["/cpu/nothing-here/", "/cpu/torch", "/cu92/torch/", "/cpu/torch/more/", "/cpu/polars/"]
)
def test_pytorch_answers_403_for_what_it_lacks(replica: Replica, path: str) -> None:
    status, _, body = get(replica.pytorch + path)
    assert (status, b"AccessDenied" in body) == (403, True)


def test_the_combined_layout_lists_every_variant(replica: Replica) -> None:
    versions = {name.split("-")[1] for name in links(f"{replica.pytorch}/torch/")}
    assert {"2.5.1", "2.5.1+cpu", "2.5.1+cu124", "2.9.0+cu130"} <= versions
    assert {"torch", "cpu", "cu130"} <= set(links(f"{replica.pytorch}/"))
    assert {"torch", "numpy", "triton", "nvidia-cublas-cu12"} <= set(links(f"{replica.pytorch}/cu128/"))
    assert "nvidia-cublas-cu12" not in links(f"{replica.pytorch}/cpu/")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", "/whl/cpu/"), ("https://download-r2.pytorch.org", "https://download-r2.pytorch.org/whl/cpu/")],
    ids=["without a host", "the real host"],
)
def test_links_can_be_written_otherwise(given: str, expected: str) -> None:
    with Replica(pytorch_links=given) as replica:
        found = links(f"{replica.pytorch}/cpu/torch/")
        copied = links(f"{replica.pytorch}/cpu/filelock/")
    assert all(link["href"].startswith(expected) for link in found.values())
    assert all(link["href"].startswith(replica.files_url) for link in copied.values())


def test_the_default_index_speaks_both_languages(replica: Replica) -> None:
    address = f"{replica.default_index}/torchmetrics/"
    page = json.loads(get(address, Accept=f"{JSON}, text/html;q=0.1")[2])
    plain = links(address)
    assert page["meta"] == {"api-version": "1.1"}
    assert {file["filename"] for file in page["files"]} == set(plain)
    for file in page["files"]:
        link = plain[file["filename"]]
        content = get(file["url"])[2]
        assert link["href"] == f"{file['url']}#sha256={file['hashes']['sha256']}"
        assert link["data-requires-python"] == file["requires-python"] == ">=3.9"
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["hashes"]["sha256"], file["size"])
        assert hashlib.sha256(get(file["url"] + ".metadata")[2]).hexdigest() == file["core-metadata"]["sha256"]
    assert get(f"{replica.default_index}/no-such-thing/")[0] == 404


def test_the_default_index_can_be_old_fashioned() -> None:
    with Replica(json=False, pep658=False, ranges=False) as replica:
        found = links(f"{replica.default_index}/six/", Accept=JSON)
        address = next(iter(found.values()))["href"].partition("#")[0]
        assert not any("data-core-metadata" in link for link in found.values())
        assert get(f"{address}.metadata")[0] == 404
        assert get(address, Range="bytes=0-9")[0] == 200


def test_a_name_is_led_to_its_normal_form(replica: Replica) -> None:
    assert "six-1.17.0-py2.py3-none-any.whl" in links(f"{replica.default_index}/SIX")
    assert [str(request) for request in replica.requests] == ["GET /simple/SIX", "GET /simple/six/"]


def test_a_page_that_did_not_change_is_not_sent_again(replica: Replica) -> None:
    address = f"{replica.pytorch}/cpu/torch/"
    tag = get(address)[1]["ETag"]
    assert get(address, If_None_Match=tag)[0] == 304
    replica.add_wheel("cpu", "torch", "9.9+cpu", tag="cp311-cp311-linux_x86_64")
    assert get(address, If_None_Match=tag)[0] == 200


# Its files


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"Range": "bytes=2-5"}, (206, slice(2, 6))),
        ({"Range": "bytes=-22"}, (206, slice(-22, None))),
        ({"Range": "bytes=7-"}, (206, slice(7, None))),
        ({"Range": "bytes=9999999-"}, (416, slice(0, 0))),
        ({"Range": "bytes=2-5", "If-Range": '"another"'}, (200, slice(None))),
        ({}, (200, slice(None))),
    ],
    ids=["from the middle", "the end", "from here on", "past the end", "of another file", "all"],
)
def test_parts_of_files_can_be_asked_for(
    replica: Replica, asked: Mapping[str, str], expected: tuple[int, slice]
) -> None:
    address = replica.add_wheel(DEFAULT, "thing", "1.0")
    whole = get(address)[2]
    status, headers, body = get(address, **{name.replace("-", "_"): value for name, value in asked.items()})
    assert (status, body) == (expected[0], whole[expected[1]])
    assert headers["Accept-Ranges"] == "bytes"


def test_a_connection_stays_open_for_many_requests(replica: Replica) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(replica.url).port, timeout=10)
    opened = None
    for name in ("six", "numpy", "no-such-thing", "torch"):
        connection.request("GET", f"/simple/{name}/")
        connection.getresponse().read()
        opened = opened or connection.sock
        assert connection.sock is opened
    connection.request("HEAD", "/simple/six/")
    assert connection.getresponse().read() == b""
    connection.close()


def test_what_a_test_adds_is_listed_and_served(replica: Replica) -> None:
    address = replica.add_wheel(
        "rocm6.4", "Torch", "3.0+rocm6.4", tag="cp311-cp311-linux_x86_64", requires=["numpy"], python=">=3.11"
    )
    replica.add_wheel(DEFAULT, "pulled", "1.0", yanked="broken")
    replica.add_file(DEFAULT, "sources", "1.0", "sources-1.0.tar.gz", b"not really")
    page = json.loads(get(f"{replica.default_index}/pulled/", Accept=JSON)[2])
    assert unquote(address) == f"{replica.files_url}/whl/rocm6.4/Torch-3.0+rocm6.4-cp311-cp311-linux_x86_64.whl"
    assert list(links(f"{replica.pytorch}/rocm6.4/torch/")) == ["Torch-3.0+rocm6.4-cp311-cp311-linux_x86_64.whl"]
    assert b"Requires-Dist: numpy" in get(f"{address}.metadata")[2]
    assert page["files"][0]["yanked"] == "broken"
    assert "data-core-metadata" not in links(f"{replica.default_index}/sources/")["sources-1.0.tar.gz"]
    assert get(f"{replica.files_url}/files/sources/sources-1.0.tar.gz")[2] == b"not really"
    assert replica.fetched(r"sources.*\.gz$") == ["GET /files/sources/sources-1.0.tar.gz"]


# Its faults


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.status(500), (500, b"status 500\n")),
        (faults.not_a_zip(), (200, b"<!DOCTYPE html>")),
        (faults.login("user:secret"), (401, b"log in\n")),
        (faults.redirect("/simple/six/"), (200, b"<!DOCTYPE html>")),
    ],
    ids=["status", "not a zip", "login", "redirect"],
)
def test_a_fault_answers_instead(fault: faults.Fault, expected: tuple[int, bytes]) -> None:
    with Replica(faults={r"/files/six/": fault}) as replica:
        address = replica.url + "/files/six/six-1.17.0-py2.py3-none-any.whl"
        status, _, body = get(address)
        assert (status, body[: len(expected[1])]) == expected
        assert get(f"{replica.default_index}/six/")[0] == 200


def test_a_fault_can_pass() -> None:
    with Replica(faults={r"/simple/six/": faults.times(2, faults.status(503))}) as replica:
        assert [get(f"{replica.default_index}/six/")[0] for _ in range(3)] == [503, 503, 200]


def test_credentials_open_what_login_closes() -> None:
    with Replica(faults={"": faults.login("user:secret")}) as replica:
        assert get(f"{replica.default_index}/six/", Authorization="Basic dXNlcjpzZWNyZXQ=")[0] == 200


def test_bytes_can_be_wrong() -> None:
    with Replica(faults={"/thing/": faults.wrong_bytes()}) as replica:
        content = get(replica.add_wheel(DEFAULT, "thing", "1.0"))[2]
    right = Wheel("thing", "1.0", files=(("thing/__init__.py", b'__version__ = "1.0"\n'),)).content()
    assert content[:-1] == right[:-1]
    assert content[-1] != right[-1]


def test_bytes_can_be_missing() -> None:
    with Replica(faults={"/thing/": faults.cut(50)}) as replica:
        address = replica.add_wheel(DEFAULT, "thing", "1.0")
        with pytest.raises(http.client.IncompleteRead) as caught:
            get(address)
    assert len(caught.value.partial) == 50


@pytest.mark.parametrize("name", ["500", "hang", "close", "wrong-bytes", "not-a-zip"])
def test_plain_faults_have_names(name: str) -> None:
    right = faults.Answer(200, b"right")
    assert faults.named(name)(faults.Request("GET", "/"), right) != right


def test_a_fault_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError, match="sulk"):
        Replica(faults={"six": "sulk"})


def asking_for_six(replica: Replica) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", urlsplit(replica.url).port or 0), timeout=10)
    client.sendall(b"GET /simple/six/ HTTP/1.1\r\nHost: replica\r\n\r\n")
    return client


def test_a_connection_can_be_closed_without_an_answer() -> None:
    with Replica(faults={"six": faults.close()}) as replica, asking_for_six(replica) as client:
        assert client.recv(1) == b""


def test_a_client_can_be_left_waiting_until_the_replica_ends() -> None:
    with Replica(faults={"six": faults.hang()}) as replica:
        client = asking_for_six(replica)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
    with client:
        client.settimeout(10)
        assert client.recv(1) == b""


# Real installers


def pip(*arguments: str | Path) -> str:
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not here: its view of the replica was not tested")
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--no-cache-dir", "--disable-pip-version-check"]
    done = subprocess.run(
        command, env={**QUIET, "PIP_CONFIG_FILE": os.devnull}, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pip_installs_a_variant_from_its_index(replica: Replica, tmp_path: Path) -> None:
    pip("install", "--index-url", f"{replica.pytorch}/cpu", "--target", tmp_path, "torch==2.5.1+cpu")
    found = {path.name for path in tmp_path.glob("*.dist-info")}
    assert "torch-2.5.1+cpu.dist-info" in found
    assert "sympy-1.13.1.dist-info" in found
    assert not [name for name in found if re.match("nvidia|triton", name)]


def test_pip_installs_accelerate_from_the_default_index(replica: Replica, tmp_path: Path) -> None:
    pip("install", "--index-url", replica.default_index, "--target", tmp_path, "accelerate==0.26.1", "torch<2.6")
    code = "import accelerate, torch; print(accelerate.__version__, torch.__version__)"
    said = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=QUIET, text=True)
    assert said.split() == ["0.26.1", "2.5.1+cu124" if sys.platform == "linux" else torch_elsewhere()]
    assert (tmp_path / "bin").is_dir() or (tmp_path / "Scripts").is_dir()


def torch_elsewhere() -> str:
    return "2.5.1" if sys.platform == "darwin" else "2.5.1+cpu"


def test_pip_builds_a_project_with_the_setuptools_of_the_default_index(replica: Replica, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    text = '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'
    (project / "pyproject.toml").write_text(text + '[project]\nname = "seed"\nversion = "0.1.0"\n', encoding="utf-8")
    pip("wheel", "--index-url", replica.default_index, "--no-deps", "-w", tmp_path, project)
    assert (tmp_path / "seed-0.1.0-py3-none-any.whl").is_file()


def uv_program() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        pytest.skip("uv is not here: its view of the replica was not tested")
    return found


CONFLICTING = """
[project]
name = "seed"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["torchmetrics"]
[project.optional-dependencies]
cpu = ["torch>=2.5.1"]
cu124 = ["torch>=2.5.1"]
[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "cu124" }]]
[tool.uv.sources]
torch = [{ index = "pytorch-cpu", extra = "cpu" }, { index = "pytorch-cu124", extra = "cu124" }]
[[tool.uv.index]]
name = "pytorch-cpu"
url = "{whl}/cpu"
explicit = true
[[tool.uv.index]]
name = "pytorch-cu124"
url = "{whl}/cu124"
explicit = true
"""


def test_uv_locks_conflicting_extras(replica: Replica, tmp_path: Path) -> None:
    text = CONFLICTING.replace("{whl}", replica.pytorch)
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    options = ["--no-cache", "--no-config", "--python", sys.executable, "--project", str(tmp_path)]
    command = [uv_program(), "lock", "--default-index", replica.default_index, *options]
    done = subprocess.run(command, env=QUIET, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    locked = (tmp_path / "uv.lock").read_text(encoding="utf-8")
    assert {"2.6.0+cu124", "2.9.0+cpu"} <= set(re.findall(r'name = "torch"\nversion = "([^"]+)"', locked))
    assert 'name = "torchmetrics"\nversion = "1.8.2"' in locked
    assert set(re.findall(r'(https?://[^/"]+)/[^"]+\.whl"', locked)) == {replica.files_url}


def test_variants_and_catalogue_agree() -> None:
    assert {one.index for one in catalogue()} == {DEFAULT, *VARIANTS}
