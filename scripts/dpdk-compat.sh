#!/usr/bin/env bash
# Compiles the C shim against the headers of other DPDK releases than the installed one.
#   scripts/dpdk-compat.sh [SUITE...]     Debian suites to take libdpdk-dev from (default: trixie sid)
# Downloads and unpacks packages into a temporary folder; installs nothing. Not part of test.sh: it
# depends on what Debian serves today.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || set -- trixie sid
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2016  # apt expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | head -n 1)
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
for suite in "$@"; do
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $suite main"
done >"$work/sources.list"
apt=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
apt-get "${apt[@]}" -qq update
for suite in "$@"; do
  mkdir -p "$work/$suite"
  version=$(apt-cache "${apt[@]}" madison libdpdk-dev | awk -F' *\\| *' -v s="$suite/" 'index($3, s) {print $2; exit}')
  [ -n "$version" ] || die "$suite has no libdpdk-dev"
  (cd "$work/$suite" && apt-get "${apt[@]}" -qq download "libdpdk-dev=$version" && dpkg-deb -x ./*.deb .)
  headers=$work/$suite/usr/include
  for source in "$ROOT"/ffi/csrc/*.c; do
    gcc -std=gnu11 -O2 -Wall -Wextra -Werror -march=corei7 -include rte_config.h \
      -isystem "$headers/dpdk" -isystem "$headers/x86_64-linux-gnu/dpdk" -I "$ROOT/ffi/csrc" \
      -c "$source" -o "$work/$suite/$(basename "$source").o"
  done
  echo "ok: the shim compiles against DPDK $version ($suite)"
done
