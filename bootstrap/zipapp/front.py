"""The first file of torchstrap.pyz, there called __main__.py. Python 2.7 has to be able to read it."""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - this is the file that says so
    sys.stderr.write("torchstrap: this is Python " + sys.version.split()[0] + " (" + sys.executable + "), and ")
    sys.exit("torchstrap needs 3.10 or newer; start it with another python3")

if __name__ == "__main__":
    from bootstrap.zipapp import loader

    sys.exit(loader.main(__loader__))  # type: ignore[name-defined]  # what has read this file
