"""The versions that we choose beside those that uv chooses, for real requirements and the same index.

    python tests/benchmarks/versions_beside_uv.py [REQUIREMENT …]

Both take wheels only, for the Python that runs this. Without arguments it tries thirty requirements of all kinds.
It prints a row for each: how many packages, and where they differ.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent.parent
UV = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))

# Requirements that belong together are one line.
REQUIREMENTS = (
    "requests",
    "flask",
    "django>=4.2,<5",
    "fastapi[standard]",
    "pandas[excel,plot]",
    "scikit-learn",
    "jupyterlab",
    "boto3 s3fs",
    "boto3 awscli aiobotocore",
    "apache-airflow[celery,postgres,amazon]",
    "dask[complete]",
    "ray[default]",
    "transformers",
    "datasets",
    "langchain langchain-openai",
    "mlflow",
    "streamlit",
    "gradio",
    "black ruff mypy pytest",
    "sphinx furo",
    "poetry",
    "ansible-core ansible-lint",
    "jax[cpu]",
    "opencv-python albumentations",
    "spacy",
    "celery[redis]",
    "sqlalchemy[asyncio] alembic asyncpg",
    "httpx[http2] pydantic-settings",
    "great-expectations",
    "kedro dvc",
)


def main(requirements: Sequence[str]) -> int:
    """Print the table; 0 where every row is the same or both find nothing."""
    different = 0
    for row in requirements or REQUIREMENTS:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "requirements.txt")
            file.write_text("\n".join(row.split(" ")) + "\n", encoding="utf-8")
            differences = list(compared(ours(file), of_uv(file)))
        different += bool(differences[1:])
        print(f"{row:45} {differences[0]}", *differences[1:], sep="\n    ", flush=True)
    print(f"{different} of {len(requirements or REQUIREMENTS)} rows differ")
    return 1 if different else 0


def compared(mine: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    """How many packages there are, and every difference."""
    yield f"{len(mine)} packages" if mine else "nothing" if not theirs else "NOTHING"
    for name in sorted(mine.keys() | theirs.keys()):
        if mine.get(name) != theirs.get(name):
            yield f"{name}: {mine.get(name, 'none')} here, {theirs.get(name, 'none')} with uv"


def ours(file: Path) -> Mapping[str, str]:
    lock = file.with_name("pylock.toml")
    arguments = ("-m", "bootstrap", "lock", "-r", str(file), "--only-binary", ":all:", "-o", str(lock), "-q")
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment(), capture_output=True, check=False)
    if done.returncode:
        print(done.stderr.decode(), file=sys.stderr)
        return {}
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {package["name"]: package["version"] for package in packages}


def of_uv(file: Path) -> Mapping[str, str]:
    index = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    ).stdout.strip()
    arguments = ["--python", sys.executable, "--only-binary", ":all:", "--no-header", "--no-annotate", "--quiet"]
    arguments += ["--index-url", index] if index else []
    command = [UV, "pip", "compile", str(file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    lines = (line.split(" ")[0] for line in done.stdout.splitlines() if "==" in line)
    return dict(line.split("==", 1) for line in lines)


def environment() -> Mapping[str, str]:
    """That of this process, but for what pip knows of further places with files, which uv does not look at."""
    return {name: value for name, value in os.environ.items() if name not in {"PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"}}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
