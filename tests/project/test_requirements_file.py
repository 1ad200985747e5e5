"""Requirements files as pip reads them, or one error that names every mistake of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootstrap.errors import ConfigurationError, InputError
from bootstrap.project.model import Project, Source
from bootstrap.project.requirements_file import Options, read_requirements

DIGEST = "a" * 64


class Files:
    """A folder of requirements files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
        return path

    def read(self, content: str, environ: Mapping[str, str] | None = None) -> tuple[Project, Options]:
        path = self.write("requirements.txt", content)
        return read_requirements([path], environ=environ or {}, folder=self.folder)

    def refusal(self, content: str) -> str:
        with pytest.raises(InputError) as caught:
            self.read(content)
        return str(caught.value)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def wanted(project: Project) -> list[str]:
    return [str(each) for each in project.dependencies]


def test_reads_requirements_comments_and_joined_lines(files: Files) -> None:
    project, _ = files.read("# all\n\ntorch>=2 # the big one\nnumpy \\\n  <3\n\\\nrich\nnumpy<3\n")
    assert wanted(project) == ["torch>=2", "numpy<3", "rich"]
    assert project.files == (files.folder / "requirements.txt",)
    assert project.root == files.folder


def test_keeps_markers_and_extras_of_a_requirement(files: Files) -> None:
    project, _ = files.read("ray[default, tune]>=2 ; sys_platform == 'linux'\n")
    assert wanted(project) == ['ray[default,tune]>=2; sys_platform == "linux"']


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(b"\xff\xfe", "utf-16-le"), (b"\xef\xbb\xbf", "utf-8"), (b"", "utf-8")],
    ids=["utf16", "utf8-mark", "utf8"],
)
def test_reads_what_shells_write(files: Files, mark: bytes, encoding: str) -> None:
    path = files.folder / "frozen.txt"
    path.write_bytes(mark + "torch==2.5.1\r\nrich==14.0\r\n".encode(encoding))
    project, _ = read_requirements([path])
    assert wanted(project) == ["torch==2.5.1", "rich==14.0"]


def test_fills_in_variables_that_are_set(files: Files) -> None:
    project, options = files.read(
        "--index-url https://${USER_1}:${SECRET}@lab.example/simple\na @ https://x.example/${UNSET}.zip\n",
        {"USER_1": "me", "SECRET": "s"},
    )
    assert options.index_url == "https://me:s@lab.example/simple"
    assert wanted(project) == ["a @ https://x.example/${UNSET}.zip"]


def test_reads_other_files_relative_to_the_one_that_names_them(files: Files) -> None:
    files.write("sub/base.txt", "numpy\n-c limits.txt\n")
    files.write("sub/limits.txt", "numpy<3\n")
    project, _ = files.read("-r sub/base.txt\n--requirement=sub/base.txt\nrich\n")
    assert wanted(project) == ["numpy", "rich"]
    assert [str(each) for each in project.constraints] == ["numpy<3"]
    assert [path.name for path in project.files] == ["requirements.txt", "base.txt", "limits.txt"]


def test_reads_constraints_named_beside_the_files(files: Files) -> None:
    limits = files.write("limits.txt", "torch<2.6\n")
    project, _ = read_requirements([files.write("r.txt", "torch\n")], [limits])
    assert (wanted(project), [str(each) for each in project.constraints]) == (["torch"], ["torch<2.6"])


def test_collects_hashes_and_then_requires_them(files: Files) -> None:
    project, options = files.read(f"a==1 \\\n  --hash=sha256:{DIGEST.upper()} \\\n  --hash sha512:{'b' * 128}\nb==2\n")
    assert project.hashes == {"a==1": {f"sha256:{DIGEST}", f"sha512:{'b' * 128}"}}
    assert options.require_hashes


def test_reads_every_option_of_pip(files: Files) -> None:
    (files.folder / "wheels").mkdir()
    _, options = files.read(
        """-i https://one.example/simple
--extra-index-url https://two.example/simple
--extra-index-url=https://three.example/simple
-f wheels
--find-links https://links.example/page.html
--no-index
--pre
--prefer-binary
--require-hashes
--trusted-host lab.example
--no-binary :all:
--only-binary=torch,Num_Py
--use-feature fast-deps
"""
    )
    assert options.index_url == "https://one.example/simple"
    assert options.extra_index_urls == ("https://two.example/simple", "https://three.example/simple")
    assert options.find_links == ((files.folder / "wheels").as_uri(), "https://links.example/page.html")
    assert (options.no_index, options.prereleases, options.prefer_binary, options.require_hashes) == (True,) * 4
    assert options.trusted_hosts == ("lab.example",)
    assert options.binaries.no_binary == {":all:"}
    assert options.binaries.only_binary == {"torch", "num-py"}


def test_says_nothing_where_the_file_says_nothing(files: Files) -> None:
    assert files.read("torch\n")[1] == Options()


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("pyproject.toml", '[project]\nname = "My.Lib"\nversion = "1"\n'),
        ("setup.cfg", "[metadata]\nname = My.Lib\n"),
        ("setup.py", "import setuptools\nsetuptools.setup(version='1', name='My.Lib')\n"),
    ],
)
@pytest.mark.parametrize("option", ["-e ", "--editable=", ""], ids=["short", "long", "plain"])
def test_takes_the_name_of_a_folder_from_what_it_declares(
    files: Files, filename: str, content: str, option: str
) -> None:
    files.write(f"lib/{filename}", content)
    project, _ = files.read(f"{option}./lib[fast]\n")
    assert wanted(project) == ["my-lib[fast]"]
    assert project.sources == {"my-lib": (Source(path=files.folder / "lib", editable=bool(option)),)}


@pytest.mark.parametrize("name", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"])
@pytest.mark.parametrize("prefix", ["", "./", "file://"])
def test_takes_the_name_of_a_file_from_its_file_name(files: Files, name: str, prefix: str) -> None:
    path = files.write(name, "")
    project, _ = files.read(f"{prefix}{path if prefix == 'file://' else name} ; python_version > '3'\n")
    assert wanted(project) == ['demo; python_version > "3"']
    assert project.sources == {"demo": (Source(path=path),)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("https://x.example/demo-1.0-py3-none-any.whl", "demo @ https://x.example/demo-1.0-py3-none-any.whl"),
        ("https://x.example/main.zip#egg=demo[a]", "demo[a] @ https://x.example/main.zip#egg=demo"),
        ("git+https://x.example/d.git@v1#egg=demo", "demo @ git+https://x.example/d.git@v1#egg=demo"),
        ("demo @ git+https://x.example/d.git", "demo @ git+https://x.example/d.git"),
    ],
    ids=["wheel", "archive", "git", "named"],
)
def test_reads_addresses(files: Files, line: str, expected: str) -> None:
    assert wanted(files.read(line + "\n")[0]) == [expected]


def test_reads_an_editable_repository(files: Files) -> None:
    project, _ = files.read("-e git+https://x.example/d.git@v1#egg=demo&subdirectory=py\n")
    source = Source(git="https://x.example/d.git", reference="v1", subdirectory="py", editable=True)
    assert (wanted(project), project.sources) == (["demo"], {"demo": (source,)})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--no-such-thing", ["unknown option `--no-such-thing`"]),
        ("--indx-url https://a", ["did you mean `--index-url`?"]),
        ("--index-url", ["lacks its value"]),
        ("--pre=yes", ["takes no value"]),
        ("--index-url lab.example/simple", ['write "https://lab.example/simple"']),
        ("torch>>2", ['"torch>>2" is not a requirement', "write it like"]),
        ("torch --pre", ["--pre cannot follow a requirement"]),
        (f"--hash=sha256:{DIGEST}", ["--hash stands alone"]),
        ("a==1 --hash=md5:abc", ["sha256:DIGEST"]),
        ("a==1 --hash=sha256:abc", ["64 hexadecimal digits"]),
        ("-r other.txt", ["other.txt, which does not exist"]),
        ("-r https://x.example/r.txt", ["is an address", "download"]),
        ("-e ./nothing", ["neither a file nor the folder of a project"]),
        ("https://x.example/main.zip", ["does not tell its name", "name @ https://x.example/main.zip"]),
        ("-e https://x.example/demo-1.0.tar.gz", ["leave out -e"]),
        ("--find-links 'a", ["quotes"]),
        ("a @ ", ["is not a requirement"]),
    ],
)
def test_refuses_a_mistake_with_line_and_way_out(files: Files, line: str, words: list[str]) -> None:
    message = files.refusal(f"numpy\n\n{line}\n")
    assert f"{files.folder / 'requirements.txt'}, line 3: " in message
    assert [word for word in words if word not in message] == []


def test_names_every_mistake_of_a_file_at_once(files: Files) -> None:
    message = files.refusal("?\nnumpy\n--nothing\n")
    assert "2 things are wrong" in message
    assert "line 1:" in message
    assert "line 3:" in message


def test_refuses_files_that_include_each_other_naming_both(files: Files) -> None:
    files.write("b.txt", "-r requirements.txt\n")
    message = files.refusal("-r b.txt\n")
    assert "requirements.txt -> " in message
    assert "b.txt, line 1: " in message


def test_refuses_a_project_from_two_places(files: Files) -> None:
    for name in ("one", "two"):
        files.write(f"{name}/setup.cfg", "[metadata]\nname = demo\n")
    assert "`demo` was wanted from another place" in files.refusal("./one\n./two\n")


def test_refuses_editables_among_constraints(files: Files) -> None:
    path = files.write("c.txt", "-e .\n")
    with pytest.raises(InputError, match="constraints cannot be editable"):
        read_requirements([], [path], folder=files.folder)


def test_refuses_a_file_that_is_missing_or_no_text(files: Files) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_requirements([files.folder / "none.txt"])
    (files.folder / "bytes.txt").write_bytes(b"\x80\x81")
    with pytest.raises(InputError, match="is not utf-8 text"):
        read_requirements([files.folder / "bytes.txt"])


LINES = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.text(alphabet="-rce[];@:=./\\#$ {}'\"abtorch1<>+", max_size=24),
        st.sampled_from(
            [
                "-e .",
                "--hash",
                "-r .",
                "torch @ file:x",
                "./",
                "git+x",
                "https://[",
                "file://[",
                "a.whl",
                "~x/y",
                "a\0/b",
            ]
        ),
    ),
    max_size=4,
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES)
def test_any_lines_are_requirements_or_a_sentence(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    try:
        project, _ = read_requirements([path], environ={}, folder=tmp_path)
        subject = str(project.files[0])
    except (InputError, ConfigurationError) as error:
        subject = str(error)
    assert str(tmp_path) in subject
