"""Every way in which the program ends badly, with its exit code.

BootstrapError                 1   it could not be done as asked
├── NoSolutionError            1   no set of versions meets every requirement; carries the proof
├── NoCompatibleFileError      1   the version exists, but no file of it fits this platform
├── HashMismatchError          1   the bytes are not the ones that were promised
├── BadDistributionError       1   a wheel or source distribution that cannot be trusted or read
├── BuildError                 1   a build backend failed; carries its last lines
├── RepositoryError            1   a git repository has not what is asked of it, or there is no git to ask
├── VerificationError          1   the environment is not what was asked for; carries every issue
├── ChoiceError                1   no offer of the project runs on this machine; carries why not, for each
├── AccelerationError          1   `--require gpu` on a machine that would end on the CPU
├── UsageError                 2   the words of the command line do not fit together
├── InputError                65   a file that was given cannot be read as what it should be
├── UnreachableError          69   an index gave no usable answer
│   └── RefusedError          69   and asking again changes nothing
├── CannotWriteError          73   disk full, read-only, or a folder that is not ours
├── TryAgainError             75   somebody else holds it, or the network may recover
├── NotPermittedError         77   the operating system says no
└── ConfigurationError        78   settings that contradict each other or name nothing
    └── NewerError            78   or name what a newer torchstrap made, in a form that this one does not know

Errors carry data; `str()` makes the one sentence (or the few) that a person reads: it names the thing and the way out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "AccelerationError",
    "BadDistributionError",
    "BootstrapError",
    "BuildError",
    "CannotWriteError",
    "ChoiceError",
    "ConfigurationError",
    "HashMismatchError",
    "InputError",
    "NewerError",
    "NoCompatibleFileError",
    "NoSolutionError",
    "NotPermittedError",
    "Proposal",
    "RefusedError",
    "RepositoryError",
    "TryAgainError",
    "UnreachableError",
    "UsageError",
    "VerificationError",
]


class BootstrapError(Exception):
    """It could not be done as asked. Never raised directly."""

    exit_code: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Proposal:
    """A way that may lead around a contradiction: in words, and as a deed that can be tried.

    `asked` is the requirement that is changed, in the words of the proof; `instead` a requirement, or a Python.
    """

    words: str
    deed: Literal["relax", "drop", "replace", "add", "prereleases", "python", "untried"] = "untried"
    asked: str = ""
    instead: str = ""


class NoSolutionError(BootstrapError):
    """No set of versions meets every requirement; `proof` is numbered plain sentences, the culprit last.

    The very last sentence is what to do about it, all `proposals` in one.
    """

    def __init__(self, proof: Sequence[str], proposals: Sequence[Proposal] = ()) -> None:
        super().__init__("\n".join(proof))
        self.proof, self.proposals = tuple(proof), tuple(proposals)


class NoCompatibleFileError(BootstrapError):
    """A version that was chosen has no file for this platform; the sentence says for which there are."""


class HashMismatchError(BootstrapError):
    """The bytes are not the ones that were promised."""

    def __init__(self, file: str, expected: str, actual: str, algorithm: str = "sha256") -> None:
        super().__init__(
            f"{file}: the hash is {algorithm}:{actual}, but {algorithm}:{expected} was promised; nothing was kept. "
            f"Either the download was altered on its way or the index was changed after locking: "
            f"try again, and if it stays, `torchstrap lock --upgrade` after checking the source."
        )
        self.file, self.expected, self.actual = file, expected, actual


# What a wheel or a source distribution is called by its file name: NAME-VERSION-….whl, NAME-VERSION.tar.gz.
_RELEASE = re.compile(
    r"([A-Za-z0-9][\w.]*)-([\w.+!]+)-[\w.-]+\.whl|([A-Za-z0-9][\w.-]*)-(\d[\w.+!]*)(?:\.tar\.\w+|\.zip)"
)


class BadDistributionError(BootstrapError):
    """A wheel or source distribution that cannot be trusted or read.

    Without a `way_out` it is to do without that release, if the file's name says which it is.
    """

    def __init__(self, file: str, issues: Sequence[str], way_out: str = "") -> None:
        super().__init__(
            f"{file} is refused: {'; '.join(issues)}{_or_without(file) if not way_out else f'. {way_out}'}"
        )
        self.file, self.issues = file, tuple(issues)


def _or_without(file: str) -> str:
    found = _RELEASE.fullmatch(file)
    if found is None:
        return ""
    name, version = found[1] or found[3], found[2] or found[4]
    return f". The constraint `{name}!={version}` does without it; tell whoever publishes it"


class BuildError(BootstrapError):
    """A build backend failed; `output` holds its last lines."""

    def __init__(self, what: str, output: str) -> None:
        super().__init__(f"{what}\n{output}".rstrip())
        self.what, self.output = what, output


class RepositoryError(BootstrapError):
    """A git repository has not what is asked of it (a reference, a commit, a project), or there is no git to ask."""


class VerificationError(BootstrapError):
    """The environment is not what was asked for; every issue is one sentence."""

    def __init__(self, issues: Sequence[str]) -> None:
        super().__init__("\n".join(issues))
        self.issues = tuple(issues)


class ChoiceError(BootstrapError):
    """No offer of the project runs on this machine; the sentences say why not, for each."""


class AccelerationError(BootstrapError):
    """`--require gpu` on a machine that would end on the CPU."""


class UsageError(BootstrapError):
    """The words of the command line do not fit together."""

    exit_code = 2


class InputError(BootstrapError):
    """A file that was given cannot be read as what it should be; `line` counts from 1."""

    exit_code = 65

    def __init__(self, file: object, problem: str, line: int | None = None) -> None:
        super().__init__(f"{file}{f', line {line}' if line else ''}: {problem}")
        self.file, self.problem, self.line = str(file), problem, line


class UnreachableError(BootstrapError):
    """An index gave no usable answer."""

    exit_code = 69

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{url}: {problem}")
        self.url, self.problem = url, problem


class RefusedError(UnreachableError):
    """An answer, or a reason to get none, that asking again does not change."""


class CannotWriteError(BootstrapError):
    """Disk full, read-only, or a folder that is not ours."""

    exit_code = 73


class TryAgainError(BootstrapError):
    """Somebody else holds it, or the network may recover."""

    exit_code = 75


class NotPermittedError(BootstrapError):
    """The operating system says no."""

    exit_code = 77


class ConfigurationError(BootstrapError):
    """Settings that contradict each other or name nothing."""

    exit_code = 78


class NewerError(ConfigurationError):
    """Something on disk was made by a newer torchstrap, in a form that this one does not know."""

    def __init__(self, what: object, schema: object, known: int, instead: str) -> None:
        super().__init__(
            f"{what} was made by a newer torchstrap (schema {schema}, and this one knows {known}): "
            f"update torchstrap, or {instead}"
        )
