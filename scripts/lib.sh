# shellcheck shell=bash disable=SC2034,SC1091
# What the other scripts share: where we are, what must be installed. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export ROOT

RUST_MIN=1.95

# What the build needs, what labs and tests need, what the checks need.
BUILD_PACKAGES=(build-essential pkg-config clang libclang-dev libdpdk-dev ca-certificates curl git)
LAB_PACKAGES=(iproute2 iputils-ping procps traceroute tcpdump tshark ethtool nftables python3)
CHECK_PACKAGES=(shellcheck valgrind)

say() { printf '\n== %s\n' "$*"; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this step needs root: run it as root or install sudo"
  fi
}

# Installs the Debian packages of the list that are missing; asks nothing.
need_packages() {
  local missing=() p
  for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null' sh "${missing[@]}"
}

# True when version $1 is at least $2 (dotted numbers).
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# A cargo that is new enough; where there is none, rustup installs one for this user.
need_rust() {
  [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
  local have
  have=$(rustc --version 2>/dev/null | cut -d' ' -f2)
  if [ -n "$have" ] && at_least "$have" "$RUST_MIN"; then
    return
  fi
  say "installing Rust with rustup (found: ${have:-none}, needed: $RUST_MIN)"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy -c rustfmt
  . "$HOME/.cargo/env"
}

need_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return
  say "installing cargo-nextest (one process per test: DPDK's EAL starts once per process)"
  cargo install --locked cargo-nextest
}

# Release binaries of the daemon and its client.
build_release() {
  say "building pxtrd and pxtr"
  (cd "$ROOT" && cargo build --release --locked -p pxtr-control)
}
