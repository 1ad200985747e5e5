"""`torchstrap`, `python -m bootstrap`: the stamp first, and only if it does not answer the program itself.

When nothing has to be done this file, `stamp` and `environment.activation` are all that is imported, and no process
is started. Where a switch is all that has to be done, `cli_switch` does it. Keep it so.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run one command and return its exit code; `run` does not return, it becomes the command."""
    from bootstrap import stamp  # noqa: PLC0415 - nothing else may load before it has answered

    answer = stamp.answer(sys.argv[1:])
    if answer is not None:
        return answer

    if sys.argv[1:] and stamp.elsewhere(sys.argv[1:]):
        from bootstrap import cli_switch  # noqa: PLC0415

        answer = cli_switch.answer(sys.argv[1:])
        if answer is not None:
            return answer

    from bootstrap import checkout  # noqa: PLC0415

    problem = checkout.provide()
    if problem is not None:
        sys.stderr.write(f"torchstrap: {problem}\n")
        return 1

    from bootstrap import cli  # noqa: PLC0415

    code = cli.main(sys.argv[1:])

    import gc  # noqa: PLC0415

    # What is left goes with the process: taking it apart piece by piece would cost 20 ms.
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())
