"""What must not break an environment, done to it on purpose, and to uv's beside it on the same wheels.

    python -m tests.torture.kills           SIGKILL at random moments and at each step, first build and switch
    python -m tests.torture.full_disk       a file system that has room for a part of the work only
    python -m tests.torture.at_once         32 processes on one project, on 32 projects, in 32 containers
    python -m tests.torture.power_cut       what was not asked to be on the disk is lost; a store on another file system

Each prints rows of a Markdown table. `--uv COMMAND` names the real uv, which is found on PATH otherwise; without one
there is one column less. What a machine cannot do (no strace, no right to mount) is said and left out.
"""
