"""install.sh: what it writes and takes away again, whom it asks for what, and how it ends where it cannot go on."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.environment.standalone import shell_rows
from bootstrap.zipapp.release import filled, released
from tests.acceptance.running import Workplace, pyproject
from tests.install_script import (
    ROOT,
    SCRIPT,
    SHELLS,
    Person,
    Releases,
    person,
    platform,
    program,
    python_archive,
    shell,
    smallest_root,
    tool,
)
from tests.torture.mounts import kinds, mounted

as_root = pytest.mark.skipif("tmpfs" not in kinds(), reason="no file systems can be mounted here")


@pytest.fixture
def releases() -> Iterator[Releases]:
    with Releases().running() as running:
        yield running


@pytest.fixture(params=SHELLS)
def each(request: pytest.FixtureRequest, tmp_path: Path, releases: Releases) -> Person:
    """Somebody, once with each shell."""
    return person(tmp_path, shell(request.param)).with_variables(TORCHSTRAP_INSTALL_BASE_URL=releases.base)


@pytest.fixture
def someone(tmp_path: Path, releases: Releases) -> Person:
    return person(tmp_path, shell("dash")).with_variables(TORCHSTRAP_INSTALL_BASE_URL=releases.base)


def test_the_script_is_short_and_knows_the_table_of_pythons() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 300
    assert text == filled(text, "", "", shell_rows()), "run `python -m bootstrap.zipapp.release --rows`"


def test_shellcheck_finds_nothing(tmp_path: Path, releases: Releases) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    for script in (SCRIPT, releases.script(tmp_path)):
        done = subprocess.run(["shellcheck", "-s", "sh", script], capture_output=True, text=True, check=False)
        assert done.stdout == ""


def test_installs_and_hands_on_what_follows(each: Person, tmp_path: Path, releases: Releases) -> None:
    done = each.install(releases.script(tmp_path), "--yes", "--project", "a b", "--version")
    assert done.returncode == 5, done.stderr
    assert done.stdout == '["0.2.0", ["sync", "--project", "a b", "--version"], ""]\n'
    assert each.answer() == ["0.2.0", ["asked"], ""]
    assert "then  torchstrap sync --project a b --version" in done.stderr


@pytest.mark.parametrize(("arguments", "told"), [((), ""), (("--",), '["0.2.0", ["sync"], ""]\n')], ids=["none", "--"])
def test_syncs_only_where_something_follows(
    someone: Person, tmp_path: Path, releases: Releases, arguments: tuple[str, ...], told: str
) -> None:
    assert someone.install(releases.script(tmp_path), *arguments).stdout == told
    assert someone.answer()[0] == "0.2.0"


def test_comes_through_a_pipe(each: Person, tmp_path: Path, releases: Releases) -> None:
    script = releases.script(tmp_path).read_text()
    command = [*each.words, "-s", "--", "--yes", "--", "--frozen"]
    done = subprocess.run(command, env=each.variables(), input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (5, '["0.2.0", ["sync", "--frozen"], ""]\n')


def test_half_a_script_does_nothing(someone: Person, tmp_path: Path, releases: Releases) -> None:
    content = releases.script(tmp_path).read_bytes()
    ends = {*range(0, len(content), 997), *range(len(content) - 12, len(content) - 1)}
    for end in sorted(ends):
        (tmp_path / "half.sh").write_bytes(content[:end])
        done = someone.install(tmp_path / "half.sh", "--yes")
        assert done.stdout == ""
    assert someone.paths() == {}
    assert releases.requests == []


def test_a_dry_run_names_every_path_that_is_then_written(each: Person, tmp_path: Path, releases: Releases) -> None:
    (each.home / ".bashrc").write_text("alias l=ls\n")
    script = releases.script(tmp_path)
    dry = each.install(script, "--dry-run", "--project", ".")
    assert dry.returncode == 0
    assert list(each.paths()) == [str(each.home / ".bashrc")]
    assert releases.requests == []
    assert each.install(script).returncode == 0
    said = {line.rpartition("  ")[2] for line in dry.stdout.splitlines()}
    written = {path for path, content in each.paths().items() if content is not None}
    assert written - said == set()
    assert all(any(path in (named, *map(str, Path(named).parents)) for named in said) for path in each.paths())


def test_uninstalling_leaves_what_was_there_before(each: Person, tmp_path: Path, releases: Releases) -> None:
    (each.home / ".bashrc").write_text("alias l=ls\n")
    (each.home / ".local/bin").mkdir(parents=True)
    (each.home / ".local/share").mkdir()
    (each.home / ".cache/torchstrap").mkdir(parents=True)
    before = each.paths()
    script = releases.script(tmp_path)
    assert each.install(script).returncode == 0
    installed = each.paths()
    dry = each.install(script, "--uninstall", "--dry-run")
    assert each.paths() == installed
    done = each.install(script, "--uninstall")
    assert done.returncode == 0, done.stderr
    assert done.stdout == dry.stdout
    assert "kept  environments" in done.stdout
    assert str(each.home / ".cache/torchstrap") in done.stdout
    assert each.paths() == before
    assert each.install(script, "--uninstall").returncode == 0


def test_a_new_shell_finds_the_command(each: Person, tmp_path: Path, releases: Releases) -> None:
    (each.home / ".bashrc").write_text("alias l=ls")  # without a line break
    script = releases.script(tmp_path)
    each.install(script)
    each.install(script)
    assert (each.home / ".bashrc").read_text().count("torchstrap's install.sh") == 1
    for name in (".bashrc", ".profile"):
        found = subprocess.run(
            [*each.words, "-c", f'set -u; . "{each.home / name}"; . "{each.home / name}"; printf %s "$PATH"'],
            env=each.variables(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout == f"{each.home}/.local/bin:{each.tools}"


@pytest.mark.parametrize(
    ("files", "variables", "changed"),
    [
        ((), {}, {".profile"}),
        ((".bash_profile", ".profile", ".bashrc"), {}, {".bash_profile", ".bashrc"}),
        ((".profile",), {"SHELL": "/usr/bin/zsh"}, {".zshrc"}),
        ((".bashrc",), {"TORCHSTRAP_INSTALL_NO_MODIFY_PATH": "1"}, set()),
        ((".bashrc",), {"TORCHSTRAP_INSTALL_NO_MODIFY_PATH": "0"}, {".bashrc", ".profile"}),
    ],
    ids=["nothing there", "bash", "zsh", "not asked for", "said no to no"],
)
def test_changes_the_profile_that_the_shell_reads(
    *,
    someone: Person,
    tmp_path: Path,
    releases: Releases,
    files: tuple[str, ...],
    variables: dict[str, str],
    changed: set[str],
) -> None:
    for name in files:
        (someone.home / name).write_text("# mine\n")
    assert someone.with_variables(**variables).install(releases.script(tmp_path)).returncode == 0
    found = {path.name for path in someone.home.glob(".*") if path.is_file() and "install.sh" in path.read_text()}
    assert found == changed


def test_where_the_command_is_on_path_no_profile_is_touched(
    someone: Person, tmp_path: Path, releases: Releases
) -> None:
    on_path = someone.with_variables(PATH=f"{someone.tools}:{someone.home}/.local/bin")
    assert on_path.install(releases.script(tmp_path)).returncode == 0
    assert not (someone.home / ".profile").exists()


def test_a_profile_that_is_a_link_stays_one(someone: Person, tmp_path: Path, releases: Releases) -> None:
    (someone.home / "dotfiles").write_text("# mine\n")
    (someone.home / ".profile").symlink_to("dotfiles")
    script = releases.script(tmp_path)
    someone.install(script)
    assert "install.sh" in (someone.home / "dotfiles").read_text()
    someone.install(script, "--uninstall")
    assert (someone.home / ".profile").is_symlink()
    assert (someone.home / "dotfiles").read_text() == "# mine\n"


@pytest.mark.parametrize("prefix", ['-it\'s "here" $HOME `x` & <y> ünï  cödé'], ids=["odd"])
def test_any_name_will_do_for_the_prefix(each: Person, tmp_path: Path, releases: Releases, prefix: str) -> None:
    script = releases.script(tmp_path)
    assert each.install(script, f"--prefix={prefix}").returncode == 0
    place = tmp_path / "somewhere" / prefix
    told = subprocess.run([place / "bin/torchstrap"], capture_output=True, text=True, check=False, input="")
    assert told.stdout == '["0.2.0", [], ""]\n'
    # The line in the profile holds for this folder and no other.
    shown = f'. "{each.home}/.profile"; command -v torchstrap'
    found = subprocess.run(
        [*each.words, "-c", shown], env=each.variables(), capture_output=True, text=True, check=False
    )
    assert found.stdout == f"{place}/bin/torchstrap\n"
    assert each.install(script, "--uninstall", "--prefix", prefix).returncode == 0
    assert [path for path in place.rglob("*") if path.is_file()] == []
    assert not (each.home / ".profile").exists()


FAILURES: dict[str, tuple[tuple[str, ...], dict[str, str], int, str]] = {
    "no such release": (("--version", "9.9"), {}, 69, "404"),
    "nothing of that kind": (("instal",), {}, 2, "`instal` is no option"),
    "a value is missing": (("--prefix",), {}, 2, "--prefix needs a value"),
    "not encrypted": (("--base-url", "http://mirror.test"), {}, 2, "say --insecure"),
    "no address": (("--base-url", "ftp://mirror.test"), {}, 2, "neither an https address nor a folder"),
    "no home": ((), {"HOME": ""}, 78, "HOME is not set; name a folder with --prefix"),
    "a colon": (("--prefix", "a:b"), {}, 2, "colons"),
    "a line break": (("--prefix", "a\nb"), {}, 2, "line breaks"),
    "no version": (("--version", "1/../2"), {}, 2, "is no version"),
    "no such Python": (("--python", "python2"), {}, 1, "there is no such program"),
    "a bad Python": (("--python", "cat"), {}, 1, "cat does not start"),
    "a policy that is not there": ((), {"TORCHSTRAP_POLICY": "/nowhere"}, 78, "/nowhere, the policy"),
    "no network": ((), {"TORCHSTRAP_OFFLINE": "1"}, 77, "TORCHSTRAP_OFFLINE wants no network"),
}


@pytest.mark.parametrize(
    ("case", "name"),
    list(zip(FAILURES, itertools.cycle(SHELLS), strict=False)),
    ids=lambda word: word.replace(" ", "-"),
)
def test_says_in_a_sentence_what_is_wrong_and_leaves_nothing(
    tmp_path: Path, releases: Releases, case: str, name: str
) -> None:
    each = person(tmp_path, shell(name)).with_variables(TORCHSTRAP_INSTALL_BASE_URL=releases.base)
    arguments, variables, code, sentence = FAILURES[case]
    done = each.with_variables(**variables).install(releases.script(tmp_path), *arguments)
    assert done.returncode == code
    last = done.stderr.splitlines()[-1]
    assert last.startswith("torchstrap: ")
    assert sentence in done.stderr
    assert each.paths() == {}


def test_a_file_that_is_not_the_one_is_not_installed(each: Person, tmp_path: Path, releases: Releases) -> None:
    script = releases.script(tmp_path)
    releases.bodies["/v0.2.0/torchstrap.pyz"] = program("6.6.6")
    done = each.install(script)
    assert done.returncode == 1
    assert re.search(
        r"torchstrap.pyz is not what it should be \(its sha256 is [0-9a-f]{64}, not [0-9a-f]{64}\)", done.stderr
    )
    assert each.paths() == {}


@pytest.mark.parametrize("fetching", ["curl", ""], ids=["curl", "python"])
def test_a_file_that_ends_too_early_is_asked_for_again(tmp_path: Path, releases: Releases, fetching: str) -> None:
    someone = person(tmp_path, shell("dash"), fetching).with_variables(TORCHSTRAP_INSTALL_BASE_URL=releases.base)
    script = releases.script(tmp_path)
    releases.cut.add("/v0.2.0/torchstrap.pyz")
    done = someone.install(script)
    assert done.returncode == 69
    assert "could not be fetched (" in done.stderr
    assert len(releases.requests) == 3
    assert someone.paths() == {}


@pytest.mark.parametrize("fetching", ["wget", "busybox wget", ""], ids=["wget", "busybox", "python"])
def test_whatever_fetches_will_do(tmp_path: Path, releases: Releases, fetching: str) -> None:
    someone = person(tmp_path, shell("dash"), fetching.partition(" ")[0])
    if fetching == "busybox wget":
        tool(someone, "wget", 'exec busybox wget "$@"')
    script = releases.script(tmp_path)
    assert someone.install(script, "--base-url", releases.base).returncode == 0
    assert someone.answer()[0] == "0.2.0"
    missing = someone.install(script, "--base-url", releases.base, "--version", "9")
    assert missing.returncode == 69
    assert "404" in missing.stderr


def test_nothing_that_fetches_is_said(each: Person, tmp_path: Path, releases: Releases) -> None:
    (each.tools / "curl").unlink()
    tool(each, "python3", 'echo "no such library" >&2; exit 127')
    row = releases.python_row(python_archive(), platform())
    done = each.install(releases.script(tmp_path, pythons=row))
    assert done.returncode == 69
    assert "there is no curl, no wget and no Python" in done.stderr
    assert each.paths() == {}


@pytest.mark.parametrize("missing", ["sha256sum", "shasum", "openssl"])
def test_something_computes_the_hash(someone: Person, tmp_path: Path, releases: Releases, missing: str) -> None:
    (someone.tools / "sha256sum").unlink()
    found = {"sha256sum": None, "shasum": shutil.which("shasum"), "openssl": shutil.which("openssl")}[missing]
    if missing != "sha256sum":
        if found is None:
            pytest.skip(f"{missing} is not installed")
        (someone.tools / missing).symlink_to(found)
        tool(someone, "perl", 'exec /usr/bin/perl "$@"')
    assert someone.install(releases.script(tmp_path)).returncode == 0


def test_what_is_from_somebody_else_is_not_overwritten(each: Person, tmp_path: Path, releases: Releases) -> None:
    each.command.parent.mkdir(parents=True)
    each.command.symlink_to("nowhere")
    done = each.install(releases.script(tmp_path))
    assert done.returncode == 73
    assert f"{each.command} is not from this script" in done.stderr
    assert each.install(releases.script(tmp_path), "--uninstall").returncode == 73
    assert each.command.readlink() == Path("nowhere")


def test_a_prefix_that_is_a_file_cannot_be_written(each: Person, tmp_path: Path, releases: Releases) -> None:
    (each.home / ".local").write_text("")
    done = each.install(releases.script(tmp_path))
    assert done.returncode == 73
    assert "cannot be written (" in done.stderr
    assert list(each.paths()) == [str(each.home / ".local")]


@as_root
@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ("remount,ro", 73, "cannot be written (Read-only file system)"),
        ("remount,noexec", 77, "mounted noexec"),
        ("remount,rw", 73, "cannot be written (No space left on device)"),
    ],
    ids=["read-only", "noexec", "full"],
)
def test_a_place_that_takes_no_program_is_named(
    *, someone: Person, tmp_path: Path, releases: Releases, options: str, code: int, sentence: str
) -> None:
    script = releases.script(tmp_path, content=program("0.2.0", padding=3_000_000))
    with mounted(tmp_path, "tmpfs", 2) as place:
        subprocess.run(["mount", "-o", options, place], check=True)
        done = someone.install(script, "--prefix", str(place))
        assert done.returncode == code, done.stderr
        assert sentence in done.stderr
        assert list(place.iterdir()) == []


@as_root
def test_a_temporary_folder_is_not_needed(someone: Person, tmp_path: Path, releases: Releases) -> None:
    with mounted(tmp_path, "tmpfs", 1) as place:
        subprocess.run(["mount", "-o", "remount,ro,noexec", place], check=True)
        assert someone.with_variables(TMPDIR=str(place)).install(releases.script(tmp_path)).returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_run_leaves_nothing(
    each: Person, tmp_path: Path, releases: Releases, number: signal.Signals, code: int
) -> None:
    script = releases.script(tmp_path)
    releases.silent.add("/v0.2.0/torchstrap.pyz")
    command = [*each.words, str(script)]
    before = signal.signal(number, signal.SIG_DFL)  # what is ignored here (nohup) would be so there, whatever it traps
    try:
        running = subprocess.Popen(command, env=each.variables(), stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(number, before)
    with running:
        assert releases.asked.wait(30)
        running.send_signal(number)
        _, said = running.communicate(timeout=30)
    assert running.returncode == code
    assert said.splitlines()[-1] == "torchstrap: interrupted; nothing was installed"
    deadline = time.monotonic() + 10
    while each.paths() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert each.paths() == {}


def test_a_newer_one_replaces_an_older_one_and_not_the_other_way_round(
    each: Person, tmp_path: Path, releases: Releases
) -> None:
    older, newer = releases.script(tmp_path, "0.9.1"), releases.script(tmp_path, "0.10.0")
    assert each.install(older).returncode == 0
    assert "(now 0.9.1)" in each.install(newer).stderr
    assert each.answer()[0] == "0.10.0"
    releases.requests.clear()
    done = each.install(older, "--project", ".")
    assert "torchstrap 0.10.0 is there and newer" in done.stderr
    assert done.stdout.startswith('["0.10.0", ["sync"')
    assert each.install(newer).returncode == 0
    assert releases.requests == [], "what is there is not fetched again"
    assert each.install(newer, "--version", "v0.9.1").returncode == 0
    assert each.answer()[0] == "0.9.1"


def test_another_version_is_held_against_its_published_hash(
    someone: Person, tmp_path: Path, releases: Releases
) -> None:
    script = releases.script(tmp_path)
    releases.publish("0.1.5")
    releases.bodies["/v0.1.5/torchstrap.pyz"] = program("6.6.6")
    done = someone.install(script, "--version", "0.1.5")
    assert done.returncode == 1
    assert someone.paths() == {}


def test_a_program_that_says_it_is_another_is_not_installed(
    someone: Person, tmp_path: Path, releases: Releases
) -> None:
    done = someone.install(releases.script(tmp_path, content=program("6.6.6")))
    assert done.returncode == 1
    assert "is not torchstrap 0.2.0: torchstrap 6.6.6" in done.stderr
    assert someone.paths() == {}


def test_the_command_says_if_its_python_has_gone(someone: Person, tmp_path: Path, releases: Releases) -> None:
    assert someone.install(releases.script(tmp_path)).returncode == 0
    text = someone.command.read_text()
    someone.command.write_text(re.sub("(?m)^python=.*", "python='/gone/python3'", text))
    done = subprocess.run([someone.command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "torchstrap: its Python, /gone/python3, is gone; run install.sh again\n"


def decree(someone: Person, text: str) -> Person:
    path = someone.folder / "policy.toml"
    path.write_text(text)
    return someone.with_variables(TORCHSTRAP_POLICY=str(path), TORCHSTRAP_INSTALL_BASE_URL="")


@pytest.mark.parametrize(
    "text",
    [
        '[install]\nbase-url = "{base}"\n',
        "[ install ] # where\nbase-url='{base}' # \"there\"\n",
        'install.base-url = "{base}"\n',
        (
            '[defaults]\nmirrors = [\n  "https://a.test=https://b.test", # "no"\n'
            '  "https://github.com/torchstrap/torchstrap/releases/download={base}",\n]\noffline = false\n'
        ),
    ],
    ids=["plain", "spaced", "dotted", "mirror"],
)
def test_the_administrator_says_where_it_comes_from(
    someone: Person, tmp_path: Path, releases: Releases, text: str
) -> None:
    done = decree(someone, text.format(base=releases.base)).install(releases.script(tmp_path))
    assert done.returncode == 0, done.stderr
    assert releases.requests == ["/v0.2.0/torchstrap.pyz"]


def test_the_administrator_allows_no_network_but_a_folder(each: Person, tmp_path: Path, releases: Releases) -> None:
    script = releases.script(tmp_path)
    ruled = decree(each, "[enforced]\noffline = true\n").with_variables(TORCHSTRAP_OFFLINE="0")
    done = ruled.install(script, "--base-url", releases.base)
    assert done.returncode == 77
    assert f"{tmp_path}/policy.toml wants no network" in done.stderr
    assert (each.paths(), releases.requests) == ({}, [])
    (tmp_path / "stick/v0.2.0").mkdir(parents=True)
    (tmp_path / "stick/v0.2.0/torchstrap.pyz").write_bytes(program())
    assert ruled.install(script, "--base-url", str(tmp_path / "stick")).returncode == 0


def without_python(someone: Person) -> Person:
    tool(someone, "python3", 'echo "3.8.1 is not a 64-bit 3.10 to 3.14"; exit 1')
    return someone


def test_where_no_python_will_do_one_is_fetched(each: Person, tmp_path: Path, releases: Releases) -> None:
    script = releases.script(tmp_path, pythons=f"other 1 2 3\n{releases.python_row(python_archive(), platform())}")
    someone = without_python(each).with_variables(TORCHSTRAP_PYTHON_MIRROR=releases.base)
    dry = someone.install(script, "--dry-run")
    place = each.home / f".local/share/torchstrap/pythons/cpython-3.13.1-{platform()}"
    assert f"{place}/bin/python3 (3.13.1, to be fetched)" in dry.stdout
    done = someone.install(script)
    assert done.returncode == 0, done.stderr
    assert f"python='{place}/bin/python3'" in each.command.read_text()
    assert each.answer()[0] == "0.2.0"
    releases.requests.clear()
    each.command.unlink()
    assert someone.install(script).returncode == 0
    assert releases.requests == [], "it is there"
    assert someone.install(script, "--uninstall").returncode == 0
    assert (place / "bin/python3").exists(), "environments may run on it"


@pytest.mark.parametrize(
    ("says", "published", "variables", "code", "sentence"),
    [
        ("", b"another", {}, 1, "is not what it should be"),
        ("", None, {}, 69, "404"),
        ("GLIBC_2.99 not found", b"", {}, 1, "does not run here: GLIBC_2.99 not found"),
        ("", b"", {"TORCHSTRAP_PYTHON_DOWNLOADS": "no"}, 77, "TORCHSTRAP_PYTHON_DOWNLOADS wants no Python fetched"),
    ],
    ids=["another one", "not there", "does not run", "not wanted"],
)
def test_a_python_that_cannot_be_had_is_said(
    *,
    someone: Person,
    tmp_path: Path,
    releases: Releases,
    says: str,
    published: bytes | None,
    variables: dict[str, str],
    code: int,
    sentence: str,
) -> None:
    row = releases.python_row(python_archive(says), platform())
    path = f"/{row.rpartition(' ')[2]}"
    if published is None:
        del releases.bodies[path]
    elif published:
        releases.bodies[path] = published
    script = releases.script(tmp_path, pythons=row)
    done = without_python(someone).with_variables(**variables).install(script, "--python-mirror", releases.base)
    assert done.returncode == code
    assert sentence in done.stderr
    assert someone.paths() == {}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change the root")
@pytest.mark.parametrize("libc", ["gnu", "musl"])
def test_a_machine_with_next_to_nothing_has_a_policy_and_a_c_library(
    tmp_path: Path, releases: Releases, libc: str
) -> None:
    root = smallest_root(tmp_path / "root")
    if libc == "musl":  # its shell is linked to another loader, which is all that is looked at
        with (root / "bin/sh").open("ab") as file:
            file.write(b"/lib/ld-musl-x86_64.so.1")
    (root / "etc/torchstrap").mkdir(parents=True)
    (root / "etc/torchstrap/policy.toml").write_text("[enforced]\noffline = true\n")
    rows = releases.python_row(b"", f"linux-{os.uname().machine}-{libc}")
    shutil.copy(releases.script(tmp_path, pythons=rows), root)
    before = sorted(root.rglob("*"))
    chroot = shutil.which("chroot", path=f"{os.environ['PATH']}:/usr/sbin")
    if chroot is None:
        pytest.skip("chroot is not installed")
    command = [chroot, str(root), "/bin/sh", "/install.sh", "--base-url", "https://mirror.test"]
    environ = {"PATH": "/bin", "TORCHSTRAP_POLICY": "/nowhere"}
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 77, done.stderr
    assert (
        f"/usr/local/share/torchstrap/pythons/cpython-3.13.1-linux-{os.uname().machine}-{libc}/bin/python3"
        in done.stderr
    )
    assert "/etc/torchstrap/policy.toml wants no network" in done.stderr
    assert sorted(root.rglob("*")) == before


def test_where_there_is_none_to_fetch_either_every_python_is_named(
    each: Person, tmp_path: Path, releases: Releases
) -> None:
    tool(each, "uname", '[ "$1" = -s ] && echo Plan9 || echo mips')
    tool(without_python(each), "python3.12", "exit 127")
    done = each.install(releases.script(tmp_path, pythons=releases.python_row(b"", platform())))
    assert done.returncode == 1
    assert "none to fetch for Plan9-mips" in done.stderr
    assert "python3 3.8.1 is not a 64-bit 3.10 to 3.14, python3.12 does not start" in done.stderr


def test_asks_at_a_terminal_and_takes_no_for_an_answer(someone: Person, tmp_path: Path, releases: Releases) -> None:
    terminal = shutil.which("script")
    if terminal is None:
        pytest.skip("script, which makes a terminal, is not installed")
    words = f"{someone.words[0]} {releases.script(tmp_path)}"
    for answer, code in (("n\n", 1), ("\x04", 1), ("\n", 0)):
        done = subprocess.run(
            [terminal, "-qec", words, os.devnull],
            env={**someone.variables(), "SHELL": "/bin/sh", "TERM": "xterm"},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Go on? [Y/n]" in done.stdout
        assert "\x1b[1m" in done.stdout
        assert done.returncode == code, done.stdout
        assert someone.program.exists() is (code == 0)


def test_no_colours_where_nobody_wants_them(someone: Person, tmp_path: Path, releases: Releases) -> None:
    assert "\x1b" not in someone.install(releases.script(tmp_path)).stderr


def test_a_script_of_no_release_and_no_clone_says_so(each: Person, tmp_path: Path) -> None:
    (tmp_path / "alone.sh").write_text(SCRIPT.read_text())
    done = each.install(tmp_path / "alone.sh")
    assert done.returncode == 2
    assert "of no release and in no clone" in done.stderr


def test_a_clone_that_cannot_be_built_says_so(each: Person, tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    (clone / "bootstrap/zipapp").mkdir(parents=True)
    (clone / "bootstrap/__init__.py").write_text('__version__ = "0.3.0"\n')
    (clone / "bootstrap/zipapp/__main__.py").write_text("import sys\nsys.exit('pip has no network')\n")
    shutil.copy(SCRIPT, clone)
    done = each.install(clone / "install.sh")
    assert done.returncode == 1
    assert done.stderr.endswith("pip has no network\ntorchstrap: it was not built\n")
    assert each.paths() == {}


def test_the_real_program_is_released_installed_and_syncs(
    workplace: Workplace, someone: Person, pyz: Path, tmp_path: Path
) -> None:
    script = released(pyz, tmp_path / "release") / "install.sh"
    workplace.write(pyproject("typing-extensions"))
    variables = {
        name: value for name, value in workplace.variables().items() if name.startswith(("PIP_", "TORCHSTRAP_"))
    }
    done = someone.with_variables(**variables).install(
        script, "--base-url", str(tmp_path / "release"), "--project", str(workplace.folder), "--json"
    )
    assert done.returncode == 0, done.stderr
    assert '"changed": true' in done.stdout
    assert (workplace.folder / ".venv/bin/python").exists()
    shown = subprocess.run([someone.command, "verify", "--project", workplace.folder], check=False, capture_output=True)
    assert shown.returncode == 0, shown.stderr


def test_a_clone_installs_itself(someone: Person, pyz: Path) -> None:
    """Needs what pip needs; where the wheels are is known from building torchstrap.pyz before."""
    kept = {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_")) or name == "no_proxy"
    }
    variables = {**kept, "TORCHSTRAP_CACHE_DIR": str(pyz.parent / "torchstrap-cache")}
    done = someone.with_variables(**variables).install(ROOT / "install.sh", timeout=300)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run([someone.command, "--version"], env=someone.variables(), capture_output=True, check=False)
    assert shown.stdout.startswith(b"torchstrap ")
