from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from bootstrap.errors import BadDistributionError
from bootstrap.wheels.unpack import unpack
from tests.making import make_wheel, record_hash, write_wheel
from tests.wheels.recipes import FILENAME, INFORMATION, recorded, usual


def test_unpacks_a_good_wheel_with_the_facts_to_install_it(tmp_path: Path) -> None:
    archive = make_wheel(
        tmp_path,
        "tool",
        "1.0",
        files={
            "tool/__init__.py": "x = 1\n",
            "tool/run": "#!/bin/sh\n",
            "tool-1.0.data/scripts/tool": "#!python\nprint(1)\n",
        },
        entry_points="[console_scripts]\ntool2 = tool:main\n",
        executable=["tool/run"],
    )
    contents = unpack(archive, archive.name, tmp_path / "tree")
    assert (contents.name, contents.version, contents.information, contents.pure) == ("tool", "1.0", INFORMATION, True)
    assert {each.path: (each.size, each.executable) for each in contents.files if each.path.startswith("tool/")} == {
        "tool/__init__.py": (6, False),
        "tool/run": (10, True),
    }
    assert list(contents.directories) == ["tool", INFORMATION]
    assert [(each.scheme, each.path, each.source) for each in contents.data] == [
        ("scripts", "tool", "tool-1.0.data/scripts/tool")
    ]
    assert contents.entry_points == "[console_scripts]\ntool2 = tool:main\n"
    assert f"tool/__init__.py,{record_hash(b'x = 1' + bytes([10]))},6\n" in contents.record
    assert "scripts" not in contents.record, "data files get rows where they are installed"
    assert (tmp_path / "tree/tool/__init__.py").read_text() == "x = 1\n"
    assert (tmp_path / "tree/tool/run").stat().st_mode & 0o100
    assert not (tmp_path / "tree/tool/__init__.py").stat().st_mode & 0o100


def test_lets_a_wrong_hash_of_metadata_pass_with_a_note_and_keeps_the_true_row(tmp_path: Path) -> None:
    """As in the torch wheels 1.7 to 1.12."""
    archive = tmp_path / FILENAME
    truth = record_hash(usual()[f"{INFORMATION}/METADATA"])
    recorded(lambda text: text.replace(truth, record_hash(b"before it was edited")))(archive)
    contents = unpack(archive, FILENAME, tmp_path / "tree")
    assert list(contents.notes) == [f"'{INFORMATION}/METADATA' is not what RECORD says"]
    assert truth in contents.record


@pytest.mark.parametrize("extra", ["RECORD.jws", "RECORD.p7s"])
def test_needs_no_row_for_signatures(tmp_path: Path, extra: str) -> None:
    archive = tmp_path / FILENAME
    members = usual(**{f"{INFORMATION}/{extra}": b"signature"})
    recorded(lambda text: "".join(line for line in text.splitlines(True) if extra not in line), members)(archive)
    contents = unpack(archive, FILENAME, tmp_path / "tree")
    assert extra not in contents.record


def test_leaves_out_what_an_installer_writes_itself(tmp_path: Path) -> None:
    archive = make_wheel(
        tmp_path, "tool", "1.0", files={f"{INFORMATION}/INSTALLER": "somebody", f"{INFORMATION}/direct_url.json": "{}"}
    )
    contents = unpack(archive, archive.name, tmp_path / "tree")
    assert {each.path for each in contents.files} == {f"{INFORMATION}/METADATA", f"{INFORMATION}/WHEEL"}


def test_reports_all_issues_at_once(tmp_path: Path) -> None:
    archive = tmp_path / FILENAME
    write_wheel(archive, usual(**{"/a": b"", "../b": b""}), record=f"{INFORMATION}/RECORD")
    with pytest.raises(BadDistributionError) as caught:
        unpack(archive, FILENAME, tmp_path / "tree")
    assert len(caught.value.issues) == 2


def test_refuses_a_file_name_that_is_no_wheels(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    with pytest.raises(BadDistributionError, match="its file name is no wheel's name"):
        unpack(archive, "tool.whl", tmp_path / "tree")


def test_knows_a_file_by_its_sha256_whatever_the_wheel_promised(tmp_path: Path) -> None:
    archive = tmp_path / FILENAME
    strong = base64.urlsafe_b64encode(hashlib.sha512(b"x = 1\n").digest()).rstrip(b"=").decode()
    recorded(lambda text: text.replace(record_hash(b"x = 1\n"), f"sha512={strong}"))(archive)
    assert f"tool.py,{record_hash(b'x = 1' + bytes([10]))},6\n" in unpack(archive, FILENAME, tmp_path / "tree").record


def test_understands_a_hash_in_hex_digits(tmp_path: Path) -> None:
    """As in the wheels of gmsh."""
    archive = tmp_path / FILENAME
    true = hashlib.sha256(b"x = 1\n").hexdigest()
    recorded(lambda text: text.replace(record_hash(b"x = 1\n"), f"sha256={true}"))(archive)
    assert record_hash(b"x = 1\n") in unpack(archive, FILENAME, tmp_path / "tree").record
    recorded(lambda text: text.replace(record_hash(b"x = 1\n"), f"sha256={true[::-1]}"))(archive)
    with pytest.raises(BadDistributionError, match=r"'tool\.py' is not what RECORD says"):
        unpack(archive, FILENAME, tmp_path / "other")


def test_refuses_what_a_stronger_hash_does_not_fit(tmp_path: Path) -> None:
    archive = tmp_path / FILENAME
    recorded(lambda text: text.replace(record_hash(b"x = 1\n"), f"sha512={'A' * 86}"))(archive)
    with pytest.raises(BadDistributionError, match=r"'tool\.py' is not what RECORD says"):
        unpack(archive, FILENAME, tmp_path / "tree")
