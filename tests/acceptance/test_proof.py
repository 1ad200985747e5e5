"""An environment whose torch does not work is not switched to, and who is to blame is named."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.acceptance.running import Workplace, pyproject
from tests.environment.test_proof import NO_IMAGE, torch
from tests.replica import Replica


def test_a_device_that_does_not_work_keeps_the_old_environment(tmp_path: Path) -> None:
    with Replica() as replica:
        for version, behave in (("2.6.1", "pass"), ("2.6.2", NO_IMAGE)):
            source = torch(behave, cuda=2)["torch/__init__.py"].replace("2.9.0+cu128", f"{version}+cpu")
            files = {"torch/__init__.py": source.encode()}
            replica.add_wheel("cpu", "torch", f"{version}+cpu", files=files)
        folder = tmp_path / "project"
        folder.mkdir()
        place = Workplace(folder, tmp_path / "cache", replica)
        place.write(pyproject("torch==2.6.1"))
        place.sync("--variant", "cpu")
        before = (folder / ".venv").resolve()
        place.write(pyproject("torch==2.6.2"))
        done = place.run("sync", "--variant", "cpu")
        assert done.returncode == 1
        assert "cuda:1 (Card 1) does not work" in done.stderr
        assert "cuda:0" not in done.stderr
        assert (folder / ".venv").resolve() == before
        assert not list((folder / ".venv.generations").glob("*.building-*"))
        assert place.run("sync", "--no-verify", "--variant", "cpu").returncode == 0
        show = "import torch; print(torch.__version__)"
        seen = subprocess.run([place.python, "-I", "-c", show], capture_output=True, text=True, check=True).stdout
        assert seen == "2.6.2+cpu\n"
        verified = place.run("verify")
        assert verified.returncode == 1
        assert "cuda:1 (Card 1)" in verified.stderr
