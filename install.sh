#!/bin/sh
# Installs torchstrap: the program in <prefix>/share/torchstrap, the command in <prefix>/bin; a Python beside the program
# where none will do, a line in the shell's profile where the command is not on PATH. All is made beside its place, then
# renamed; and a shell reads to the last brace before it does anything, so that half a script does nothing.
# shellcheck disable=SC2154 # a loop assigns the variables asked_*
{
# Filled in by `python -m bootstrap.zipapp.release`; without a version this is the script of a clone.
VERSION='' PROGRAM_SHA256=''
PYTHONS='linux-x86_64-gnu 3.13.17 f829adc9d888e76c8801b4799ed444188d35239fcae3a9808a99ec5cb0d8d92c 20261021/cpython-3.13.17%2B20261021-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz
linux-x86_64-musl 3.13.15 cec161969cbd60f306c366066701a7ab2d40b78718e7d372281cabe5743423e6 20260814/cpython-3.13.15%2B20260814-x86_64-unknown-linux-musl-install_only_stripped.tar.gz
linux-aarch64-gnu 3.13.17 c6857c65b996701a5da104cbb49b35249c0c026dc0664239b04f7156aa88326a 20261021/cpython-3.13.17%2B20261021-aarch64-unknown-linux-gnu-install_only_stripped.tar.gz
linux-aarch64-musl 3.13.15 6e0de96340a1096cac81c9b95226c410c71cdf81e3d4419c536ccad9b57ae1f7 20260814/cpython-3.13.15%2B20260814-aarch64-unknown-linux-musl-install_only_stripped.tar.gz
macos-arm64 3.13.17 8dc60610a82f1e73be7faf964383e02520f95f6e39592a5c37c3809f5a7b798e 20261021/cpython-3.13.17%2B20261021-aarch64-apple-darwin-install_only_stripped.tar.gz
macos-x86_64 3.13.17 ce9c748c8f7525c0052247edb2435fdb1cac89c77e687e0e199eaf2b827668c2 20261021/cpython-3.13.17%2B20261021-x86_64-apple-darwin-install_only_stripped.tar.gz'
# End of what is filled in.
BASE_URL=https://github.com/torchstrap/torchstrap/releases/download
PYTHON_MIRROR=https://github.com/astral-sh/python-build-standalone/releases/download
LOOK='try: import os, sys, ssl, zlib; [__import__(each) for each in sys.argv[1:]]; lacks = ""
except ImportError: lacks = str(sys.exc_info()[1])
if not (3, 10) <= sys.version_info[:2] <= (3, 14) or sys.maxsize < 2**32: lacks = "is not a 64-bit 3.10 to 3.14"
base = [getattr(sys, "_base_executable", None) or "", sys.executable]; base = base[not os.path.exists(base[0])]
print("%d.%d.%d %s" % (sys.version_info[:3] + (lacks or base,))); sys.exit(bool(lacks))'
FETCH='import ssl, sys, urllib.request; tls = ssl.create_default_context(); tls.minimum_version = ssl.TLSVersion.TLSv1_2
sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=30, context=tls).read())'
HASH='import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'

help() {
  cat <<HELP
usage: sh install.sh [OPTION]... [WORDS FOR torchstrap sync]
Installs torchstrap ${VERSION:-of this clone} for you, as root for everybody. What follows the options, from the first
that is none of these or behind \`--\`, goes to \`torchstrap sync\`; where nothing follows, nothing is synced.

  --prefix DIR          install there (default: ~/.local, as root /usr/local)
  --version V           this version, even an older one; its hash is the one published beside it
  --base-url URL        the https address or folder that has v<VERSION>/torchstrap.pyz
  --python PYTHON       run with this one, of 3.10 to 3.14 (default: the first on PATH that will do)
  --python-mirror URL   where to fetch one (python-build-standalone), should there be none
  --no-modify-path      leave the shell's profile alone
  --insecure            allow http:// beyond this machine
  --yes                 ask nothing
  --dry-run             say which paths would be written, and write none
  --uninstall           remove what this script wrote; Pythons, environments and the cache stay
TORCHSTRAP_INSTALL_PREFIX=DIR, TORCHSTRAP_INSTALL_YES=1 and so on say the same. Of /etc/torchstrap/policy.toml,
[install] base-url and insecure, and the settings offline, mirrors, python-mirror and python-downloads count.
Exit codes: 1 it could not be done, 2 usage, 69 unreachable, 73 cannot write, 77 not permitted, 78 configuration.
HELP
}
main() {
  set -u && umask 022
  made='' work='' child='' kept='' fetches_python='' any_python='' seen='' syncs='' profiles='' bold='' plain=''
  [ ! -t 2 ] || [ -n "${NO_COLOR:-}" ] || { bold=$(printf '\033[1m') plain=$(printf '\033[0m'); }
  for name in PREFIX VERSION BASE_URL PYTHON PYTHON_MIRROR NO_MODIFY_PATH INSECURE YES DRY_RUN UNINSTALL; do
    eval "asked_$name=\${TORCHSTRAP_INSTALL_$name:-}"
  done
  while [ $# -gt 0 ] && [ -z "$syncs" ]; do
    case $1 in
      --prefix=?* | --version=?* | --base-url=?* | --python=?* | --python-mirror=?*) ask "${1%%=*}" "${1#*=}" ;;
      --prefix | --version | --base-url | --python | --python-mirror)
        [ -n "${2:-}" ] || fail 2 "$1 needs a value; \`sh install.sh --help\` lists the options"
        ask "$1" "$2" && shift ;;
      --no-modify-path | --insecure | --yes | --dry-run | --uninstall) ask "$1" 1 ;;
      --help | -h) help && exit 0 ;;
      --) syncs=1 ;;
      -*) syncs=1 && break ;;
      *) fail 2 "\`$1\` is no option, neither here nor of \`torchstrap sync\`; \`sh install.sh --help\` lists them" ;;
    esac
    shift
  done
  trap clean EXIT && stopped='interrupted; nothing was installed'
  trap 'fail 129 "$stopped"' HUP && trap 'fail 130 "$stopped"' INT && trap 'fail 143 "$stopped"' TERM
  read_policy && find_places
  ! is_on "$asked_UNINSTALL" || { uninstall && exit 0; }
  find_version
  [ -n "$kept" ] || { find_python && find_profiles; }
  ! is_on "$asked_DRY_RUN" || { plan "$@" && exit 0; }
  plan "$@" >&2
  if ! is_on "$asked_YES" && [ -t 2 ] && (: </dev/tty) 2>/dev/null && printf 'Go on? [Y/n] ' >&2; then
    read -r answer </dev/tty || answer=n
    case $answer in n* | N*) fail 1 "nothing was done" ;; esac
  fi
  [ -n "$kept" ] || install
  [ -z "$syncs" ] || { clean && exec "$command" sync "$@"; }
}

ask() { eval "asked_$(printf %s "${1#--}" | tr a-z- A-Z_)=\$2"; } # OPTION VALUE
is_on() { case $1 in '' | 0 | no | off | false) return 1 ;; esac; }
row() { printf '%s%9s%s  %s\n' "$bold" "$1" "$plain" "$2"; } # LABEL TEXT
fail() { printf '%storchstrap:%s %s\n' "$bold" "$plain" "$2" >&2 && exit "$1"; } # EXIT-CODE SENTENCE
put() { said=$("$@" 2>&1) || fail 73 "$prefix cannot be written (${said##*: }); mend that, or name another --prefix"; }
quoted() { printf '%s\n' "$1" | sed "s/'/'\\\\''/g; s/^/'/; s/\$/'/"; }
policy() { printf '%s\n' "$rules" | sed -n "s/^\.*$1 //p"; } # SECTION.KEY
setting() { printf '%s\n' "$(policy "enforced.$1")" "$2" "$(policy "defaults.$1")" | sed '/./!d; q'; } # KEY ASKED
clean() {
  [ -z "$child" ] || kill "$child" 2>/dev/null
  [ -z "$work" ] || rm -rf "$work" "$launcher"
  printf %s "$made" | sort -r | while IFS= read -r folder; do rmdir "$folder" 2>/dev/null; done; work='' made=''
}

read_policy() { # into lines `section.key value`, one for each value of a list
  rules='' policy_file=/etc/torchstrap/policy.toml
  [ -e "$policy_file" ] || [ -L "$policy_file" ] || policy_file=${TORCHSTRAP_POLICY:-}
  [ -z "$policy_file" ] || rules=$(awk '
    !is_list && /^[ \t]*\[/ { section = $0; sub(/#.*/, "", section); gsub(/[][ \t\r"]/, "", section); next }
    { text = $0; rest = "" } !is_list { key = $0; sub(/=.*/, "", key); gsub(/[ \t]/, "", key); sub(/[^=]*=/, "", text) }
    {
      while (match(text, /"[^"]*"|\047[^\047]*\047|#.*/)) {
        if (substr(text, RSTART, 1) != "#") print section "." key " " substr(text, RSTART + 1, RLENGTH - 2)
        rest = rest substr(text, 1, RSTART - 1); text = substr(text, RSTART + RLENGTH)
      }
      rest = rest text; gsub(/[ \t\r]/, "", rest); if (rest ~ /^[a-z0-9]+$/) print section "." key " " rest
      is_list = (is_list || rest ~ /\[/) && rest !~ /\]/
    }' "$policy_file" 2>/dev/null) || fail 78 "$policy_file, the policy of this machine, cannot be read"
}
find_places() {
  prefix=$asked_PREFIX newline=$(printf '\nx') newline=${newline%x}
  [ -n "$prefix" ] || [ "$(id -u)" != 0 ] || prefix=/usr/local
  [ -n "${prefix:=${HOME:+$HOME/.local}}" ] || fail 78 "HOME is not set; name a folder with --prefix"
  case $prefix in
    *:* | *"$newline"*) fail 2 "--prefix must have neither colons nor line breaks, as PATH cannot have them" ;;
    [!/]*) prefix=$PWD/$prefix ;;
  esac
  prefix=${prefix%/} && bin=$prefix/bin share=$prefix/share/torchstrap && pythons=$share/pythons
  command=$bin/torchstrap launcher=$bin/.torchstrap-$$ program=$share/torchstrap.pyz
  home=${HOME:-} cache=$(setting cache-dir "${TORCHSTRAP_CACHE_DIR:-}")
  cache=${cache:-${XDG_CACHE_HOME:-$home/.cache}/torchstrap}
  checkout=${TORCHSTRAP_TOOL_DIR:-${XDG_DATA_HOME:-$home/.local/share}}/torchstrap/checkout
  now="export PATH=$(quoted "$bin"):\"\$PATH\""
  on_path="case \":\$PATH:\" in *:$(quoted "$bin"):*) ;; *) $now ;; esac # by torchstrap's install.sh"
  installed=$(sed -n 's/^# torchstrap \([^ ]*\) by install.sh.*/\1/p' "$command" 2>/dev/null)
  [ -n "$installed" ] || { [ ! -e "$command" ] && [ ! -L "$command" ]; } ||
    fail 73 "$command is not from this script and stays as it is; move it away, or name another --prefix"
}
find_version() { # what to install, and from where; `kept` if something newer is there
  version=${asked_VERSION#v} clone='' sha256='' folder=$(printf '%s\n' "./$0" | sed 's,^\.//,/,; s,[^/]*$,,')
  if [ -n "$version" ] && [ "$version" != "$VERSION" ]; then :
  elif [ -n "$VERSION" ]; then version=$VERSION sha256=$PROGRAM_SHA256
  elif [ -f "$0" ] && [ -d "$folder/bootstrap/zipapp" ]; then
    clone=$folder version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$folder/bootstrap/__init__.py")
  else fail 2 "this install.sh is of no release and in no clone; name a release with --version, or take its script"; fi
  case $version in *[!0-9A-Za-z.+]*) fail 2 "\`$version\` is no version" ;; esac
  address=${asked_BASE_URL:-$(policy install.base-url)}
  address=${address:-$BASE_URL} && address=${address%/}/v$version/torchstrap.pyz
  is_on "$asked_INSECURE" || asked_INSECURE=$(policy install.insecure)
  newest=$(printf '%s~\n' "$version" "$installed" | LC_ALL=C sort -t . -k 1,1n -k 2,2n -k 3,3n | tail -n 1)
  [ -n "$asked_VERSION" ] || [ -z "$installed" ] || [ "$newest" = "$version~" ] || kept=$installed
}
find_python() { # one that will do, or else the one to fetch for this machine
  platform=$(uname -s)-$(uname -m) && libc=gnu && ! grep -qs ld-musl /bin/sh || libc=musl
  case $platform in Linux-*) platform=linux-${platform#*-}-$libc ;; Darwin-*) platform=macos-${platform#*-} ;; esac
  build=$(printf '%s\n' "$PYTHONS" | sed -n "s/^$platform //p")
  build_version=${build%% *} build_path=${build##* } build_sha256=${build#* } && build_sha256=${build_sha256% *}
  build=$pythons/cpython-$build_version-$platform
  set -- python3 python3.14 python3.13 python3.12 python3.11 python3.10 "$build/bin/python3"
  [ -z "$asked_PYTHON" ] || set -- "$asked_PYTHON"
  for name in "$@"; do
    builder=$(command -v "$name") || continue
    # Without developer tools this one of macOS does nothing but offer them in a window.
    case $platform:$builder in macos*:/usr/bin/python3) xcode-select -p >/dev/null 2>&1 || continue ;; esac
    if said=$("$builder" -c "$LOOK" ${clone:+pip} 2>/dev/null </dev/null); then
      any_python=$builder python_version=${said%% *} python=${said#* } && return
    fi
    [ -z "$said" ] || any_python=$builder
    seen="$seen${seen:+, }$name ${said:-does not start}"
  done
  [ -z "$asked_PYTHON" ] || fail 1 "$asked_PYTHON will not do: ${seen:-there is no such program}"
  [ -n "$build_path" ] || fail 1 "torchstrap needs a Python of 3.10 to 3.14, there is none to fetch for $platform, and \
here is ${seen:-none}; install one, or name one with --python"
  fetches_python=1 python=$build/bin/python3 python_version=$build_version builder=$python
}
find_profiles() { # what has to put the command on PATH: the file of a login shell, and .bashrc if there is one
  case :$PATH: in *:"$bin":*) return ;; esac
  ! is_on "$asked_NO_MODIFY_PATH" && [ -n "${HOME:-}" ] || return 0
  for file in "$HOME/.bash_profile" "$HOME/.bash_login" "$HOME/.profile"; do [ ! -e "$file" ] || break; done
  case ${SHELL:-} in */zsh) file=${ZDOTDIR:-$HOME}/.zshrc ;; esac
  for file in "$file" "$HOME/.bashrc"; do
    case $file in */.bashrc) [ -e "$file" ] || continue ;; esac
    grep -qsxF "$on_path" "$file" || profiles=$profiles$file$newline
  done
}

plan() { # WORDS FOR SYNC
  printf '%storchstrap %s%s%s\n' "$bold" "$version" "$plain" "${clone:+ from this clone}"
  if [ -n "$kept" ]; then row kept "torchstrap $kept is there and newer; \`--version $version\` would replace it"
  else
    row Python "$python ($python_version${fetches_python:+, to be fetched})"
    row program "$program${installed:+ (now $installed)}"
    row command "$command"
    printf %s "$profiles" | while IFS= read -r file; do row PATH "$file"; done
    ! is_on "$asked_DRY_RUN" || for folder in "$share/.installing-$$" "$launcher" ${clone:+"$checkout" "$cache"}; do
      row writes "$folder"; done
  fi
  [ -z "$syncs" ] || row 'then' "torchstrap sync $*"
}

install() {
  make_folder "$share" && make_folder "$bin" && work=$share/.installing-$$ && put mkdir "$work"
  echo '#!/bin/sh' | put tee "$launcher" || exit
  { put chmod 755 "$launcher" && "$launcher" 2>/dev/null; } ||
    fail 77 "nothing can be started from $bin (is it mounted noexec?); name another --prefix"
  [ -z "$fetches_python" ] || fetch_python
  get_program
  said=$(TORCHSTRAP_CACHE_DIR=$work/cache "$python" "$work/torchstrap.pyz" --version 2>&1) && said=${said##*"$newline"}
  [ "$said" = "torchstrap $version" ] || fail 1 "${clone:-$address} is not torchstrap $version: ${said##*"$newline"}"
  put tee "$launcher" <<LAUNCHER
#!/bin/sh
# torchstrap $version by install.sh, whose --uninstall removes it
python=$(quoted "$python")
[ -x "\$python" ] || { printf 'torchstrap: its Python, %s, is gone; run install.sh again\n' "\$python" >&2; exit 78; }
exec "\$python" $(quoted "$program") "\$@"
LAUNCHER
  trap '' HUP INT TERM # what follows takes no time, and is done or not
  put chmod 755 "$work/torchstrap.pyz" && put mv -f "$work/torchstrap.pyz" "$program"
  put mv -f "$launcher" "$command" && made=''
  printf %s "$profiles" | while IFS= read -r file; do
    last=$(tail -c 1 "$file" 2>/dev/null)
    (printf "${last:+\\n}%s\n" "$on_path" >>"$file") 2>/dev/null || row PATH "$file cannot be written" >&2
  done
  trap - HUP INT TERM
  case :$PATH: in *:"$bin":*) now='torchstrap --help says what it does' ;; esac
  row installed "${profiles:+new shells find it, and this one after: }$now" >&2
  row undo "sh install.sh --uninstall${asked_PREFIX:+ --prefix $(quoted "$prefix")}" >&2
}
make_folder() { # and those above it, noting which are new
  folder=$1 && until [ -d "$folder" ] || [ -z "$folder" ]; do made=$made$folder$newline folder=${folder%/*}; done
  put mkdir -p "$1"
}
fetch_python() {
  downloads=$(setting python-downloads "${TORCHSTRAP_PYTHON_DOWNLOADS:-}")
  is_on "${downloads:-yes}" || fail 77 "${policy_file:-TORCHSTRAP_PYTHON_DOWNLOADS} wants no Python fetched"
  mirror=$(setting python-mirror "${asked_PYTHON_MIRROR:-${TORCHSTRAP_PYTHON_MIRROR:-}}")
  fetch "${mirror:-$PYTHON_MIRROR}/$build_path" "$work/python.tar.gz" "$build_sha256" --python-mirror
  put tar -xozf "$work/python.tar.gz" -C "$work"
  seen=$("$work/python/bin/python3" -c "$LOOK" 2>&1) || fail 1 "the Python for $platform does not run here: $seen"
  make_folder "$pythons" && put rm -rf "$build" && put mv "$work/python" "$build"
}
get_program() {
  if [ -n "$clone" ]; then
    ! is_on "$(setting offline "${TORCHSTRAP_OFFLINE:-}")" || export PIP_NO_INDEX=1
    (cd "$clone" && "$builder" -m bootstrap.zipapp -o "$work/torchstrap.pyz" >/dev/null) || fail 1 "it was not built"
    return; fi
  [ -n "$sha256" ] || fetch "$address.sha256" "$work/sha256" '' --base-url
  sha256=${sha256:-$(sed 's/ .*//; q' "$work/sha256")}
  if [ "$(sha256_of "$program")" = "${sha256:=none}" ]; then put cp "$program" "$work"
  else fetch "$address" "$work/torchstrap.pyz" "$sha256" --base-url; fi
}
sha256_of() { # FILE
  { sha256sum || shasum -a 256 || openssl dgst -sha256 -r || "$any_python" -c "$HASH"; } 2>/dev/null <"$1" | cut -c-64
}

fetch() { # ADDRESS FILE SHA256 OPTION-FOR-ANOTHER-PLACE; no hash for what is not known before
  from=$1
  for rule in $(policy enforced.mirrors) ${TORCHSTRAP_MIRRORS:-} $(policy defaults.mirrors); do
    case $1 in "${rule%%=*}"*) from=${rule#*=}${1#"${rule%%=*}"} && break ;; esac
  done
  offline=$(setting offline "${TORCHSTRAP_OFFLINE:-}")
  case $from in
    /*) offline='' ;;
    https://* | http://localhost[:/]* | http://127.0.0.1[:/]*) ;;
    http://*) is_on "$asked_INSECURE" || fail 2 "$from is not https; name another place with $4, or say --insecure" ;;
    *) fail 2 "$from is neither an https address nor a folder; name another place with $4" ;;
  esac
  ! is_on "$offline" || fail 77 "$from is not fetched: ${policy_file:-TORCHSTRAP_OFFLINE} wants no network (offline)"
  row fetching "$from" >&2
  for pause in 1 2 0; do
    transfer "$from" "$3" >"$2" 2>"$work/said" &
    child=$! && wait "$child" && child='' && break
    child='' reason=$(sed '/^$/d' "$work/said" | tail -n 1)
    echo room | put tee "$work/room" || exit # it may be the disk that is to blame
    case $pause$reason in 0* | *' 4'[0-9][0-9]* | *'no curl'*)
      fail 69 "$from could not be fetched (${reason:-no answer}); try again, or name another place with $4" ;; esac
    sleep "$pause"
  done
  found=$(sha256_of "$2")
  [ "${3:-$found}" = "$found" ] || fail 1 "$from is not what it should be (its sha256 is ${found:-unknown}, not $3); \
try again, or name another place with $4"
}
transfer() { # ADDRESS SHA256, to standard output; who does not check certificates needs a hash
  case $1 in /*) exec cat "$1" ;; esac
  ! command -v curl >/dev/null || exec curl -fsSL --proto "=${1%%:*}" --tlsv1.2 --connect-timeout 20 -y 30 -Y 1 "$1"
  ! wget --version 2>/dev/null | grep -q ^GNU || exec wget -nv --no-hsts -t 1 -T 30 --secure-protocol=TLSv1_2 -O - "$1"
  [ -z "$any_python" ] || exec "$any_python" -c "$FETCH" "$1"
  [ -z "$2" ] || ! command -v wget >/dev/null || exec wget -q -T 30 -O - "$1"
  echo "there is no curl, no wget and no Python" >&2 && exit 1
}

uninstall() {
  away=put && ! is_on "$asked_DRY_RUN" || away=:
  for file in "$command" "$program" "$share"/.installing-* "$bin"/.torchstrap-*; do
    [ ! -e "$file" ] || { row removed "$file" && $away rm -rf "$file"; }
  done
  for file in "${ZDOTDIR:-$home}/.zshrc" "$home/.bash_profile" "$home/.bash_login" "$home/.profile" "$home/.bashrc"; do
    grep -qsxF "$on_path" "$file" || continue
    row removed "a line of $file" && if [ "$away" = : ]; then continue; fi
    put cp -p "$file" "$file.old" # it stays should what follows fail
    { grep -vxF "$on_path" "$file.old" || [ $? = 1 ]; } >"$file" && rm "$file.old"; [ -s "$file" ] || rm "$file"
  done
  [ "$away" = : ] || rmdir "$share" 2>/dev/null
  row kept environments && for each in "$cache" "$pythons" "$checkout"; do [ ! -d "$each" ] || row kept "$each"; done
}
main "$@"; }
