"""`-r requirements.txt` as pip reads it: constraints, index options, hashes, and a lock of its own."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.acceptance.running import Workplace

UNREACHABLE = "http://127.0.0.1:9/simple"


@pytest.fixture
def workplace(workplace: Workplace) -> Workplace:
    """The same, without patience for what cannot be reached."""
    return workplace.with_variables(TORCHSTRAP_RETRIES="0")


def versions(outcome: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["version"] for each in outcome["packages"]}


def asks(workplace: Workplace, *lines: str, name: str = "requirements.txt") -> None:
    (workplace.folder / name).write_text("\n".join([*lines, ""]))


def test_files_and_constraints_together(workplace: Workplace) -> None:
    asks(workplace, "-c limits.txt", "-r more.txt", "jinja2  # a comment", 'six ; python_version < "3"')
    asks(workplace, "tqdm", name="more.txt")
    asks(workplace, "markupsafe>=1", "numpy==1.0", name="limits.txt")
    found = versions(workplace.sync("-r", "requirements.txt"))
    assert {"jinja2", "markupsafe", "tqdm"} <= found.keys()
    assert not {"numpy", "six"} & found.keys()
    assert (workplace.folder / "pylock.requirements.toml").is_file()
    assert not (workplace.folder / "pylock.toml").exists()


def test_a_constraint_on_the_command_line_holds(workplace: Workplace) -> None:
    for version in ("1", "2", "3"):
        workplace.replica.add_wheel("default", "stepwise", version)
    asks(workplace, "stepwise")
    asks(workplace, "stepwise<3", name="limits.txt")
    assert versions(workplace.sync("-r", "requirements.txt", "-c", "limits.txt"))["stepwise"] == "2"


def test_each_file_has_its_own_lock(workplace: Workplace) -> None:
    asks(workplace, "tqdm", name="dev.txt")
    asks(workplace, "typing-extensions")
    workplace.sync("-r", "dev.txt")
    workplace.sync("-r", "requirements.txt")
    assert {each.name for each in workplace.folder.glob("pylock.*")} == {"pylock.dev.toml", "pylock.requirements.toml"}


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="torch 2.6.0 has no wheel for it")
def test_a_torch_index_in_the_file_serves_the_build_that_the_file_names(workplace: Workplace) -> None:
    asks(workplace, "--extra-index-url https://download.pytorch.org/whl/cu124", "torch==2.6.0+cu124", "accelerate")
    outcome = workplace.sync("-r", "requirements.txt")
    (torch,) = (each for each in outcome["packages"] if each["name"] == "torch")
    assert (torch["version"], torch["index"]) == ("2.6.0+cu124", "https://download.pytorch.org/whl/cu124")
    assert outcome["choice"]["variant"] == "cu124"


def test_a_torch_index_in_the_file_settles_the_variant(workplace: Workplace) -> None:
    asks(workplace, "--extra-index-url https://download.pytorch.org/whl/cu126", "torch")
    assert versions(workplace.sync("-r", "requirements.txt"))["torch"].endswith("+cu126")


def test_an_index_in_the_file_replaces_the_default_one(workplace: Workplace) -> None:
    asks(workplace, f"--index-url {UNREACHABLE}", "typing-extensions")
    done = workplace.run("sync", "-r", "requirements.txt")
    assert done.returncode == 69
    assert UNREACHABLE in done.stderr
    asks(workplace, f"-i {workplace.replica.default_index}", "typing-extensions")
    outcome = workplace.sync("-r", "requirements.txt")
    assert outcome["packages"][0]["index"] == workplace.replica.default_index


def test_wheels_in_a_folder_beside_the_file(workplace: Workplace) -> None:
    url = workplace.replica.add_wheel("default", "housemade", "1.0")
    name = url.rsplit("/", 1)[-1]
    (workplace.folder / "wheels").mkdir()
    content = workplace.replica._files[f"/files/housemade/{name}"].file.content()
    (workplace.folder / "wheels" / name).write_bytes(content)
    asks(workplace, "--no-index", "--find-links wheels", "housemade")
    before = len(workplace.replica.requests)
    assert versions(workplace.sync("-r", "requirements.txt")) == {"housemade": "1.0"}
    assert len(workplace.replica.requests) == before


def hash_of(workplace: Workplace, name: str) -> str:
    asks(workplace, name, name="once.txt")
    (package,) = workplace.sync("-r", "once.txt", "--venv", "once")["packages"]
    return str(package["sha256"])


def test_a_right_hash_is_kept(workplace: Workplace) -> None:
    sha256 = hash_of(workplace, "typing-extensions")
    asks(workplace, "typing-extensions==4.15.0 \\", f"    --hash=sha256:{'0' * 64} \\", f"    --hash=sha256:{sha256}")
    assert workplace.sync("-r", "requirements.txt")["packages"][0]["sha256"] == sha256


def test_a_wrong_hash_is_refused(workplace: Workplace) -> None:
    asks(workplace, f"typing-extensions==4.15.0 --hash=sha256:{'0' * 64}")
    done = workplace.run("sync", "-r", "requirements.txt")
    assert done.returncode == 1
    assert "typing-extensions 4.15.0" in done.stderr
    assert "0" * 64 in done.stderr
    assert [each.name for each in workplace.folder.iterdir()] == ["requirements.txt"]


def test_a_changed_hash_is_refused_although_there_is_a_lock(workplace: Workplace) -> None:
    sha256 = hash_of(workplace, "typing-extensions")
    asks(workplace, f"typing-extensions==4.15.0 --hash=sha256:{sha256}")
    workplace.sync("-r", "requirements.txt")
    asks(workplace, f"typing-extensions==4.15.0 --hash=sha256:{'0' * 64}")
    assert workplace.run("sync", "-r", "requirements.txt").returncode == 1


def test_one_hash_asks_for_all(workplace: Workplace) -> None:
    asks(workplace, f"jinja2 --hash=sha256:{hash_of(workplace, 'typing-extensions')}", "typing-extensions")
    done = workplace.run("sync", "-r", "requirements.txt")
    assert done.returncode in (1, 2)
    assert "--hash" in done.stderr or "hash" in done.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-r missing.txt", "missing.txt"),
        ("this is no requirement", "line 1"),
        ("--no-such-option here", "--no-such-option"),
        ("torch==2.6.0 --hash=md5:0", "hash"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(workplace: Workplace, line: str, says: str) -> None:
    asks(workplace, line)
    done = workplace.run("sync", "-r", "requirements.txt")
    assert done.returncode == 65, done.stderr
    assert "requirements.txt" in done.stderr
    assert says in done.stderr


def test_a_missing_file_is_named(workplace: Workplace) -> None:
    done = workplace.run("sync", "-r", "nowhere.txt")
    assert done.returncode == 65
    assert "nowhere.txt" in done.stderr


# --- pip's configuration


def configured(workplace: Workplace, *lines: str) -> Workplace:
    file = workplace.folder / "pip.conf"
    file.write_text("\n".join(["[global]", *lines, ""]))
    asks(workplace, "typing-extensions")
    return workplace.with_variables(PIP_CONFIG_FILE=str(file), TORCHSTRAP_MIRRORS="")


def test_the_index_of_pips_configuration_counts(workplace: Workplace) -> None:
    place = configured(workplace, f"index-url = {workplace.replica.default_index}")
    (package,) = place.sync("-r", "requirements.txt")["packages"]
    assert package["index"] == workplace.replica.default_index


def test_an_extra_index_of_pips_configuration_counts(workplace: Workplace) -> None:
    workplace.replica.add_wheel("houseindex", "inhouse", "1")
    place = configured(
        workplace,
        f"index-url = {workplace.replica.default_index}",
        f"extra-index-url =\n    {workplace.replica.pytorch}/houseindex",
    )
    asks(place, "inhouse")
    (package,) = place.sync("-r", "requirements.txt")["packages"]
    assert package["index"] == f"{workplace.replica.pytorch}/houseindex"


def test_find_links_of_pips_configuration_count(workplace: Workplace) -> None:
    url = workplace.replica.add_wheel("default", "foldermade", "1")
    name = url.rsplit("/", 1)[-1]
    content = workplace.replica._files[f"/files/foldermade/{name}"].file.content()
    place = configured(workplace, "no-index = true", f"find-links = {workplace.folder}")
    (workplace.folder / name).write_bytes(content)
    asks(place, "foldermade")
    assert versions(place.sync("-r", "requirements.txt")) == {"foldermade": "1"}


def test_a_variable_of_pip_wins_over_its_file_and_ours_over_both(workplace: Workplace) -> None:
    place = configured(workplace, f"index-url = {UNREACHABLE}")
    pip = place.with_variables(PIP_INDEX_URL=workplace.replica.default_index)
    assert place.run("sync", "-r", "requirements.txt").returncode == 69
    assert pip.run("sync", "-r", "requirements.txt").returncode == 0
    ours = pip.with_variables(PIP_INDEX_URL=UNREACHABLE, TORCHSTRAP_INDEX_URL=workplace.replica.default_index)
    assert ours.run("sync", "-r", "requirements.txt").returncode == 0
    assert ours.run("sync", "-r", "requirements.txt", "--index-url", f"{UNREACHABLE}/x").returncode == 69


def test_a_password_in_an_index_is_never_shown_or_written(workplace: Workplace) -> None:
    address = workplace.replica.default_index.replace("http://", "http://user:s3cret@")
    place = configured(workplace, f"index-url = {address}")
    done = place.run("sync", "-r", "requirements.txt", "--json", "-v")
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert "s3cret" not in (workplace.folder / "pylock.requirements.toml").read_text()
    (workplace.folder / "pylock.requirements.toml").unlink()
    broken = place.with_variables(PIP_INDEX_URL="http://user:s3cret@127.0.0.1:9/simple")
    refused = broken.run("sync", "-r", "requirements.txt")
    assert refused.returncode == 69
    assert "s3cret" not in refused.stderr


def test_a_configuration_that_is_none_is_named(workplace: Workplace) -> None:
    place = configured(workplace)
    (workplace.folder / "pip.conf").write_text("index-url = nowhere\n")
    done = place.run("sync", "-r", "requirements.txt")
    assert done.returncode == 65
    assert "pip.conf" in done.stderr
