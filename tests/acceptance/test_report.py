"""`report`: one page about a machine, a fleet or an environment, as a real browser shows it."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.acceptance.running import Workplace, pyproject, recorded
from tests.acceptance.test_labs import LAB
from tests.browser import MISSING, Seen, chromium, seen
from tests.machines.table import probed_file
from tests.machines.unpack import FOLDER
from tests.replica import Replica

in_a_browser = pytest.mark.skipif(chromium() is None, reason=MISSING)
RECORDED = (
    "linux-x86_64-2xh100-driver535-cu126",
    "linux-x86_64-gtx1080ti-driver580-cu126",
    "linux-x86_64-rtx5090-driver580-cu130",
    "linux-x86_64-rtx4090-driver595-cu130",
    "linux-x86_64-alpine-none",
    "linux-x86_64-v3-epyc-cpu",
    "linux-x86_64-rx7900xtx-rocm7.2",
    "macos-arm64-m4pro-macos26-cpu",
    "windows-x86_64-rtx4070-driver581-cu130",
)
MARK = "<b id=evil>\"'</b><script>document.title='evil'</script><img src=http://127.0.0.1:9/>\u202e\x1b[1m"


@lru_cache(maxsize=1)
def documents() -> tuple[str, ...]:
    """The recorded machines as `probe --json` writes them."""
    return tuple(json.dumps(probed_file(FOLDER / f"{name}.txt").to_json()) for name in RECORDED)


def fleet(folder: Path, number: int) -> Path:
    """A folder with so many machines of a lab."""
    folder.mkdir(parents=True)
    for place in range(number):
        (folder / f"desk-{place:03}.json").write_text(documents()[place % len(RECORDED)])
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cache: Path, replica: Replica) -> Workplace:
    folder = tmp_path_factory.mktemp("lab")
    found = Workplace(folder, cache, replica)
    found.write(pyproject(more=LAB))
    return found


@pytest.fixture(scope="module")
def pages(place: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The page of so many machines, made once."""
    folder = tmp_path_factory.mktemp("pages")

    def page(number: int) -> Path:
        made = folder / f"{number}.html"
        if not made.exists():
            machines = fleet(folder / str(number), number)
            done = place.run("report", "--python-version", "3.12", "--machine", str(machines), "-o", str(made))
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
        return made

    return page


def rows(dom: str) -> list[str]:
    """The names in the rows that are shown, in their order."""
    table = dom[dom.index('<table id="fleet"') :].partition("</table>")[0]
    found = re.findall(r'<tr( hidden="")?><th scope="row"><bdi>(.*?)</bdi>', table, re.DOTALL)
    return [unescape(name) for hidden, name in found if not hidden]


@in_a_browser
@pytest.mark.parametrize("number", [1, 40, 500])
def test_shows_every_machine_without_a_complaint(pages: Callable[[int], Path], tmp_path: Path, number: int) -> None:
    page = pages(number)
    assert page.stat().st_size < 5_000_000
    found = seen(page.as_uri(), tmp_path)
    assert found.console == ()
    if number == 1:
        assert "2 x NVIDIA H100" in found.dom
        assert 'id="fleet"' not in found.dom
    else:
        assert rows(found.dom) == [f"desk-{place:03}" for place in range(number)]
        assert f">{number} machines</output>" in found.dom


@in_a_browser
@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("filter=H100+computes%3Agpu+desk-01", [18]),
        ("filter=takes%3Acu130&sort=machine&order=descending", [39, 38, 35, 30, 29, 26, 21, 20, 17, 12, 11, 8, 3, 2]),
        ("filter=driver%3A5&sort=driver", [0, 9, 18, 27, 36, 1, 10, 19, 28, 37, 2, 11, 20, 29, 38, 8, 17, 26, 35, 3]),
        ("filter=no+such+machine", []),
    ],
    ids=["columns", "backwards", "by number", "nothing"],
)
def test_filters_and_sorts_as_its_address_says(
    pages: Callable[[int], Path], tmp_path: Path, address: str, shown: Sequence[int]
) -> None:
    found = seen(f"{pages(40).as_uri()}#{address}", tmp_path)
    assert found.console == ()
    assert rows(found.dom)[: len(shown) or None] == [f"desk-{number:03}" for number in shown]
    order = "descending" if "descending" in address else "ascending"
    main = found.dom[found.dom.index("<main") :].partition("</main>")[0]
    assert re.findall(r'aria-sort="(\w+)"', main) == ([order] if "sort=" in address else [])


@in_a_browser
def test_a_link_opens_the_answer_that_it_leads_to(pages: Callable[[int], Path], tmp_path: Path) -> None:
    dom = seen(f"{pages(40).as_uri()}#answer-2", tmp_path).dom
    assert re.findall(r'<details id="(answer-\d+)" open=""', dom) == ["answer-2"]


HAND = """<!doctype html><iframe src=page.html></iframe><ol></ol><p></p><script>
const frame = document.querySelector("iframe");
const pause = (time) => new Promise((done) => setTimeout(done, time));
frame.onload = async () => {
  const inside = frame.contentDocument;
  const box = inside.getElementById("filter");
  const driver = [...inside.querySelectorAll("#fleet th button")].find((each) => each.textContent.includes("driver"));
  driver.click();
  driver.click();
  box.value = "takes:cu126 desk-0";
  box.dispatchEvent(new Event("input"));
  await pause(300);
  for (const row of inside.querySelectorAll("#fleet tbody tr:not([hidden])")) {
    document.querySelector("ol").append(row.cells[0].textContent, " ");
  }
  document.querySelector("p").append(frame.contentWindow.location.hash);
};
</script>"""


@in_a_browser
def test_a_hand_sorts_and_filters_and_the_address_keeps_it(pages: Callable[[int], Path], tmp_path: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "page.html").write_bytes(pages(40).read_bytes())
    (folder / "hand.html").write_text(HAND)
    with served(folder) as (address, _):
        found = seen(f"{address}/hand.html", tmp_path / "profile")
    assert found.console == ()
    shown = re.search("<ol>(.*)</ol>", found.dom)
    assert shown is not None
    assert shown[1].split() == [f"desk-{place:03}" for place in (1, 10, 19, 28, 37, 0, 9, 18, 27, 36)]
    assert "<p>#sort=driver&amp;order=descending&amp;filter=takes%3Acu126+desk-0</p>" in found.dom


@in_a_browser
def test_is_a_plain_table_without_scripts(pages: Callable[[int], Path], tmp_path: Path) -> None:
    with served(pages(40).parent, policy="script-src 'none'") as (address, _):
        found = seen(f"{address}/40.html#filter=h100", tmp_path)
    assert len(found.console) == 1
    assert len(rows(found.dom)) == 40
    assert "<button" not in found.dom
    assert re.search(r'<div class="tools" hidden="">', found.dom)


@in_a_browser
def test_hostile_machines_stay_text_and_nobody_is_asked_for_anything(place: Workplace, tmp_path: Path) -> None:
    machines = fleet(tmp_path / "machines", 3)
    document = json.loads((machines / "desk-000.json").read_text(encoding="utf-8"))
    document["gpus"][0]["name"] = MARK
    document["gpus"][1]["name"] = "x" * 10_240
    document["driver"]["source"] = document["notes"] = MARK
    document["notes"] = [MARK]
    (machines / f"a{MARK.replace('/', '')}.json").write_text(json.dumps(document))
    page = tmp_path / "served" / "report.html"
    done = place.run("report", "--python-version", "3.12", "--machine", str(machines), "-o", str(page))
    assert done.returncode == 0, done.stderr
    with served(page.parent) as (address, asked):
        found = seen(f"{address}/report.html", tmp_path / "profile")
    assert asked == ["/report.html"]
    assert found.console == ()
    assert "<title>4 machines" in found.dom
    assert 'id="evil"' not in found.dom
    assert rows(found.dom)[0].startswith("a<b id=evil>")
    assert "\\u202e\\x1b[1m" in found.dom


@in_a_browser
def test_the_browser_would_tell_of_what_is_forbidden(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    page.write_text(f"<!doctype html>{policy}<script>1</script><img src=http://127.0.0.1:9/>")
    assert len(seen(page.as_uri(), tmp_path / "profile").console) == 2


@contextlib.contextmanager
def served(folder: Path, policy: str = "img-src * data:") -> Iterator[tuple[str, list[str]]]:
    """A folder on 127.0.0.1, and the paths that it was asked for. `policy` is one more than the page's own."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", policy)
            super().end_headers()

        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_file_that_is_no_machine_is_a_row_and_the_others_are_there(place: Workplace, tmp_path: Path) -> None:
    machines = fleet(tmp_path / "machines", 2)
    (machines / "desk-002.json").write_text("[]")
    missing = tmp_path / "missing.json"
    page = tmp_path / "report.html"
    words = ("--machine", str(machines), "--machine", str(missing))
    done = place.run("report", "--python-version", "3.12", *words, "-o", str(page))
    assert done.returncode == 65
    assert "2 files of 4 are no machine: " in done.stderr
    assert str(missing) in done.stderr
    text = page.read_text(encoding="utf-8")
    assert rows(text) == ["desk-000", "desk-001", "desk-002", "missing"]
    assert text.count("is no machine as ") >= 2


def test_machines_of_which_nothing_is_known_are_rows(place: Workplace, tmp_path: Path) -> None:
    machines = fleet(tmp_path / "machines", 1)
    unknown = {"unknown": "nobody looked"}
    document = json.loads((machines / "desk-000.json").read_text(encoding="utf-8"))
    document |= {"libc": unknown, "cpu": unknown, "driver": unknown, "gpus": [], "limits": unknown, "storage": unknown}
    document["system"] |= {"architecture": unknown, "version": unknown, "kernel": unknown}
    (machines / "desk-001.json").write_text(json.dumps(document))
    page = tmp_path / "report.html"
    done = place.run("report", "--python-version", "3.12", "--machine", str(machines), "-o", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert rows(text) == ["desk-000", "desk-001"]
    assert "the architecture is not known: nobody looked" in text


@pytest.mark.parametrize("words", [(), ("-o", "-")], ids=["a pipe", "said"])
def test_goes_to_standard_output(place: Workplace, tmp_path: Path, words: Sequence[str]) -> None:
    machine = recorded(RECORDED[0], tmp_path)
    done = place.run("report", "--python-version", "3.12", "--machine", str(machine), *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<!doctype html>\n")
    assert done.stdout.endswith("</html>\n")


def test_a_folder_without_machines_is_named(place: Workplace, tmp_path: Path) -> None:
    done = place.run("report", "--machine", str(tmp_path), "-o", str(tmp_path / "report.html"))
    assert done.returncode == 65
    assert f"{tmp_path}: holds no .json" in done.stderr
    assert not (tmp_path / "report.html").exists()


def test_a_page_that_cannot_be_written_is_named(place: Workplace, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    machine = recorded(RECORDED[0], tmp_path)
    done = place.run("report", "--machine", str(machine), "-o", str(tmp_path / "file" / "report.html"))
    assert done.returncode == 73
    assert "report.html" in done.stderr


def test_choose_takes_a_folder_of_machines_too(place: Workplace, tmp_path: Path) -> None:
    machines = fleet(tmp_path / "machines", 5)
    done = place.run("choose", "--json", "--python-version", "3.12", "--machine", str(machines))
    document = json.loads(done.stdout)
    assert [each["machine"] for each in document["machines"]] == [f"desk-{number:03}" for number in range(5)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, replica: Replica) -> Workplace:
    """An environment with torch for which all was fetched, and a machine to look at."""
    cache = tmp_path_factory.mktemp("cache")
    folder = tmp_path_factory.mktemp("project")
    machine = recorded(RECORDED[0], tmp_path_factory.mktemp("machine"))
    place = Workplace(folder, cache, replica, {"TORCHSTRAP_MACHINE": str(machine)})
    place.write(pyproject("accelerate", "torch==2.6.0"))
    phases = place.sync("--variant", "cpu")["phases"]
    assert {"probe", "resolve", "fetch", "link", "verify"} <= phases.keys()
    return place


def look(place: Workplace, profile: Path) -> Seen:
    page = place.folder / "report.html"
    done = place.run("report", "-o", str(page))
    assert done.returncode == 0, done.stderr
    return seen(page.as_uri(), profile)


@in_a_browser
def test_tells_of_the_environment(environment: Workplace, tmp_path: Path) -> None:
    found = look(environment, tmp_path)
    assert found.console == ()
    for words in (
        "as built",
        "2.6.0+cpu",
        "cpu; what would be chosen for this machine is cu126",
        "verify and try torch",
    ):
        assert words in found.dom
    tree = found.dom[found.dom.index('<ul class="tree">') :]
    assert re.search(r"<bdi>accelerate</bdi>.*<bdi>torch</bdi> <span class=\"chip family\">", tree)
    (size,) = re.findall(
        r"<bdi>torch</bdi>.{0,200}2\.6\.0\+cpu</bdi></td><td class=\"number\" data-value=\"(\d+)\">", found.dom
    )
    (record,) = (environment.folder / ".venv").glob("lib/python*/site-packages/torch-*.dist-info/RECORD")
    assert int(size) == sum(int(line.rpartition(",")[2] or 0) for line in record.read_text().splitlines())


def test_keeps_the_phases_of_the_sync_that_built_it(environment: Workplace) -> None:
    file = environment.folder / ".venv" / "torchstrap.json"
    before = json.loads(file.read_bytes())["phases"]
    (environment.folder / "pyproject.toml").touch()
    again = environment.sync("--variant", "cpu")
    assert again["changed"] is False
    assert again["phases"] == json.loads(file.read_bytes())["phases"] == before


@in_a_browser
def test_tells_what_a_hand_has_done(environment: Workplace, tmp_path: Path) -> None:
    (site,) = (environment.folder / ".venv").glob("lib/python*/site-packages")
    added = site / "stowaway-1.dist-info"
    added.mkdir()
    (added / "METADATA").write_text(f"Metadata-Version: 2.1\nName: stowaway\nVersion: 1\nSummary: {MARK}\n")
    (added / "RECORD").write_text("stowaway-1.dist-info/METADATA,,7\n")
    found = look(environment, tmp_path)
    assert "changed by hand" in found.dom
    assert "added stowaway 1" in found.dom
    assert found.console == ()


def test_a_project_without_an_environment(place: Workplace, tmp_path: Path) -> None:
    machine = recorded(RECORDED[2], tmp_path)
    done = place.with_variables(TORCHSTRAP_MACHINE=str(machine)).run("report")
    assert done.returncode == 0, done.stderr
    assert "not there" in done.stdout
    assert "NVIDIA GeForce RTX 5090" in done.stdout


def test_from_the_one_folder_of_an_archive(place: Workplace, tmp_path: Path) -> None:
    """The style and the script are read from inside of a zip as well."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from bootstrap.report.markup import asset; asset('script.js')"
    archive = tmp_path / "program.zip"
    pack = "import shutil, sys; shutil.make_archive(sys.argv[1], 'zip', sys.argv[2], 'bootstrap')"
    root = place.variables()["PYTHONPATH"]
    subprocess.run([place.program[0], "-c", pack, str(archive.with_suffix("")), root], check=True, timeout=60)
    subprocess.run([place.program[0], "-I", "-c", code, str(archive)], check=True, timeout=60, cwd=tmp_path)
