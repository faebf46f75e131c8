#!/usr/bin/env bash
# The two-minute tour: installs what is missing, builds, brings the `interworking` lab up, shows
# hosts talking through the proxy, and cleans up. `--keep` leaves the lab running.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

KEEP=no
case "${1:-}" in
  "") ;;
  --keep) KEEP=yes ;;
  *) die "usage: scripts/demo.sh [--keep]" ;;
esac

need_packages "${BUILD_PACKAGES[@]}" "${LAB_PACKAGES[@]}"
need_rust
build_release
LAB="$ROOT/scripts/lab.sh"
if [ "$KEEP" = no ]; then
  trap '"$LAB" down interworking >/dev/null 2>&1 || true' EXIT
fi

"$LAB" down interworking >/dev/null 2>&1 || true
say "lab 'interworking': host (no LISP) -- pxtr -- IPv4 + IPv6 core -- xtr4 | xtr6 -- sites; ms = mapping system"
"$LAB" up interworking

say "a host without LISP reaches a LISP site behind IPv4-only and IPv6-only core links"
for destination in 10.4.0.10 2001:db8:e004::10 10.6.0.10 2001:db8:e006::10; do
  "$LAB" exec interworking host ping -n -c 3 -i 0.2 "$destination" | sed -n '1p;/bytes from/p;/loss/p'
done
say "and back: the site reaches the host through the proxy's PETR"
"$LAB" exec interworking site4 ping -n -c 3 -i 0.2 192.0.2.10 | sed -n '/bytes from/p;/loss/p'

for what in map-cache rlocs workers drops; do
  say "pxtr show $what"
  "$LAB" cli interworking pxtr show "$what"
done
say "pxtr show registrations (on the Map-Server)"
"$LAB" cli interworking ms show registrations

if [ "$KEEP" = yes ]; then
  cat <<EOT

The lab keeps running. Look around:
  scripts/lab.sh cli interworking pxtr show map-cache      (also: rlocs ports workers drops statistics; --json)
  scripts/lab.sh exec interworking host ping 10.4.0.10     (nodes: host pxtr core xtr4 xtr6 site4 site6 ms)
  scripts/lab.sh exec interworking core tcpdump -ni any udp port 4341 or udp port 4342
  scripts/lab.sh logs interworking pxtr
Stop it:
  scripts/lab.sh down interworking
EOT
else
  say "cleaning up"
  "$LAB" down interworking
  trap - EXIT
  say "demo done"
fi
