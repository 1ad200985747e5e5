"""An empty virtual environment, made by virtualenv once per interpreter and drawn from that picture afterwards.

virtualenv takes a third of a second; what it makes is four links and a few text files. The first environment of an
interpreter is made in a folder with a name that occurs nowhere else, and a `Template` is taken of it:

    <cache>/templates/<interpreter>.json   folders, links, and texts in which PLACE and NAME stand for the environment

Rendering writes it anywhere, and says in it that it lies at `final`, which is how an environment can be built beside
the place it will be found at. Where the cache cannot be written, the template is taken and used without being kept.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bootstrap import __version__
from bootstrap.environment.interpreter import Interpreter
from bootstrap.errors import BootstrapError
from bootstrap.wheels.disk import put

__all__ = ["create"]

FORMAT = 1
NAME = "torchstrap-template-name"
LARGEST = 4 * 1024 * 1024  # bytes; only where executables are copied (Windows) is there more
PLAIN = re.compile(r"[A-Za-z0-9/._+-]+")
OURS = re.compile(r"^(command|prompt|torchstrap) *=.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Template:
    """An environment as values: `texts` are rewritten, `binaries` (base64) are not; both map to mode and content.

    `place` is the path that it was made at, as it stands in the texts.
    """

    place: str
    folders: list[str]
    links: dict[str, str]
    texts: dict[str, tuple[int, str]]
    binaries: dict[str, tuple[int, str]]


def create(folder: Path, interpreter: Interpreter, final: Path, cache: Path | None = None) -> None:
    """Make an environment without packages in `folder` (new or empty) whose scripts and settings name `final`.

    Raises OSError where `folder` cannot be written, BootstrapError if virtualenv fails.
    """
    _render(_template(interpreter, cache), folder, final)


def _template(interpreter: Interpreter, cache: Path | None) -> Template:
    kept = cache / "templates" / f"{interpreter.key}-{FORMAT}.json" if cache else None
    if kept is not None:
        with suppress(OSError, ValueError, TypeError):
            return Template(**json.loads(kept.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory(prefix="torchstrap-") as scratch:
        # virtualenv writes real paths; a temporary folder may lie behind a link (macOS).
        template = _make(interpreter, Path(scratch).resolve())
    if kept is not None and sum(len(content) for _, content in template.binaries.values()) < LARGEST:
        with suppress(OSError):
            put(kept, json.dumps(asdict(template)).encode())
    return template


def _make(interpreter: Interpreter, scratch: Path) -> Template:
    # Heavy, and not needed once there is a template.
    import virtualenv  # noqa: PLC0415

    place = scratch / NAME
    # A person's own virtualenv settings are about the environments that the person makes, and PYTHONPATH is about the
    # Python that runs us: another one could not even start with it.
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("VIRTUALENV_", "PYTHON"))}
    environ["VIRTUALENV_CONFIG_FILE"] = str(scratch / "no-settings.ini")
    arguments = [str(place), "--python", str(interpreter.path), "--no-seed", "--app-data", str(scratch / "data")]
    try:
        virtualenv.cli_run([*arguments, "--no-periodic-update"], setup_logging=False, env=environ)
    except (RuntimeError, OSError, SystemExit) as error:
        raise BootstrapError(
            f"an environment for {interpreter.path} cannot be made (virtualenv: {error}); name another with --python."
        ) from error
    return _picture(place)


def _picture(place: Path) -> Template:
    template = Template(str(place), [], {}, {}, {})
    for folder, folders, files in os.walk(place):
        for name in sorted(folders):
            path = Path(folder, name)
            if path.is_symlink():
                template.links[str(path.relative_to(place))] = os.readlink(path)  # noqa: PTH115 - as it is
            else:
                template.folders.append(str(path.relative_to(place)))
        for name in sorted(files):
            _add_file(template, Path(folder, name), place)
    return template


def _add_file(template: Template, path: Path, place: Path) -> None:
    name = str(path.relative_to(place))
    if path.is_symlink():
        template.links[name] = os.readlink(path)  # noqa: PTH115 - as it is
        return
    mode, content = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    try:
        template.texts[name] = (mode, content.decode("utf-8"))
    except UnicodeDecodeError:
        template.binaries[name] = (mode, base64.b64encode(content).decode())


def _render(template: Template, folder: Path, final: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(template.folders):
        (folder / name).mkdir(exist_ok=True)
    quotes = _quotes(final)
    for name, (mode, text) in template.texts.items():
        quote = quotes.get(Path(name).suffix) if name != "pyvenv.cfg" else None
        written = _settings(text) if name == "pyvenv.cfg" else _readdressed(text, template.place, final, quote)
        _write(folder / name, written.encode("utf-8", "surrogateescape"), mode)
    for name, (mode, content) in template.binaries.items():
        _write(folder / name, base64.b64decode(content), mode)
    for name, where in template.links.items():
        _link(folder / name, where)


def _link(path: Path, where: str) -> None:
    """Without links an interpreter is copied, and a folder (`lib64`) has one name only."""
    try:
        path.symlink_to(where)
    except OSError:
        target = path.parent / where
        if not target.is_dir():
            shutil.copy(target, path)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def _settings(text: str) -> str:
    return f"{OURS.sub('', text).rstrip()}\ntorchstrap = {__version__}\n"


def _readdressed(text: str, place: str, final: Path, quote: Callable[[str], str] | None) -> str:
    """The text with `final` in place of where it was made. Odd characters have to be quoted as each shell does it."""
    pairs = ((place, str(final)), (NAME, final.name))
    if quote is not None:
        for old, new in pairs:
            text = text.replace(quote(old), quote(new))
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _quotes(final: Path) -> Mapping[str, Callable[[str], str]]:
    """How each kind of script quotes, by file suffix; nothing where the path needs none (then none is imported)."""
    if PLAIN.fullmatch(str(final)):
        return {}
    from virtualenv.activation.bash import BashActivator  # noqa: PLC0415
    from virtualenv.activation.batch import BatchActivator  # noqa: PLC0415
    from virtualenv.activation.cshell import CShellActivator  # noqa: PLC0415
    from virtualenv.activation.fish import FishActivator  # noqa: PLC0415
    from virtualenv.activation.nushell import NushellActivator  # noqa: PLC0415
    from virtualenv.activation.powershell import PowerShellActivator  # noqa: PLC0415
    from virtualenv.activation.python import PythonActivator  # noqa: PLC0415

    return {
        "": BashActivator.quote,
        ".bat": BatchActivator.quote,
        ".csh": CShellActivator.quote,
        ".fish": FishActivator.quote,
        ".nu": NushellActivator.quote,
        ".ps1": PowerShellActivator.quote,
        ".py": PythonActivator.quote,
        ".xsh": PythonActivator.quote,
    }
