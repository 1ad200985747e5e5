# Beside prolog and task-prolog on every compute node: what they read, in sh. All of it may be left out.

# The program. Prologs have no PATH but the system's.
torchstrap=/usr/local/bin/torchstrap

# Prolog: folders with pyproject.toml and pylock.toml whose wheels every node of this kind should have. They are read as
# root, and what has to be built is built as root: name the site's own, never a user's.
projects="/shared/torchstrap/vision /shared/torchstrap/speech"
# Where it keeps an environment of each, how many seconds a job waits for it at most, and what it writes down.
warm=/var/lib/torchstrap/warm
limit=120
log=/var/log/torchstrap-prolog.log

# TaskProlog: on each node's own disk, best on that of the store, so that environments are links; writable by everybody
# (mode 1777). Each user gets a folder there.
environments=/local

# The store of the node. Make it once with `install -d -m 2775 -g GROUP /local/torchstrap`, for the group that may use
# it, or set `cache-dir` in /etc/torchstrap/policy.toml instead.
TORCHSTRAP_CACHE_DIR=/local/torchstrap
export TORCHSTRAP_CACHE_DIR
