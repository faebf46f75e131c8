#!/usr/bin/env bash
# Prepares a machine for DPDK on real NICs.
#   scripts/nic.sh status
#   scripts/nic.sh hugepages COUNT       reserve COUNT pages of 2 MiB on each NUMA node, mount /dev/hugepages
#   scripts/nic.sh bind PCI...           give NICs to vfio-pci (needs an IOMMU, or says how to do without)
#   scripts/nic.sh unbind PCI...         give them back to their kernel driver
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SYS=${PXTR_SYSFS:-/sys}

usage() { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

pci_path() {
  [[ $1 =~ ^[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]$ ]] ||
    die "$1 is no PCI address such as 0000:3b:00.0 (see: lspci -D)"
  [ -d "$SYS/bus/pci/devices/$1" ] || die "there is no PCI device $1 (see: lspci -D)"
  echo "$SYS/bus/pci/devices/$1"
}

driver_of() { [ -e "$1/driver" ] && basename "$(readlink "$1/driver")" || echo none; }

status() {
  grep -H . "$SYS"/devices/system/node/node*/hugepages/hugepages-2048kB/nr_hugepages 2>/dev/null ||
    echo "no 2 MiB hugepages on this kernel"
  local dev
  for dev in "$SYS"/bus/pci/devices/*; do
    [ -e "$dev/class" ] && [[ $(cat "$dev/class") == 0x02* ]] &&
      echo "$(basename "$dev") driver $(driver_of "$dev") NUMA node $(cat "$dev/numa_node")"
  done
  return 0
}

hugepages() {
  [[ ${1:-} =~ ^[0-9]+$ ]] || die "how many pages of 2 MiB? e.g. scripts/nic.sh hugepages 1024"
  local node got
  for node in "$SYS"/devices/system/node/node[0-9]*; do
    echo "$1" >"$node/hugepages/hugepages-2048kB/nr_hugepages"
    got=$(cat "$node/hugepages/hugepages-2048kB/nr_hugepages")
    [ "$got" -ge "$1" ] || die "$(basename "$node") has memory for $got pages only; reserve them at boot with hugepages=$1"
  done
  mountpoint -q /dev/hugepages || { mkdir -p /dev/hugepages && mount -t hugetlbfs none /dev/hugepages; }
  echo "$1 pages of 2 MiB per NUMA node, /dev/hugepages mounted"
}

bind() {
  local address dev
  modprobe vfio-pci || die "this kernel has no vfio-pci"
  if [ -z "$(ls "$SYS/kernel/iommu_groups" 2>/dev/null)" ]; then
    die "no IOMMU: boot with intel_iommu=on or amd_iommu=on; without one, and at your own risk:
  echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
  fi
  for address in "$@"; do
    dev=$(pci_path "$address")
    [ -z "$(ls "$dev/net" 2>/dev/null)" ] || ip link set dev "$(ls "$dev/net")" down
    echo vfio-pci >"$dev/driver_override"
    [ ! -e "$dev/driver" ] || echo "$address" >"$dev/driver/unbind"
    echo "$address" >"$SYS/bus/pci/drivers_probe"
    [ "$(driver_of "$dev")" = vfio-pci ] || die "$address did not bind; see dmesg"
    echo "$address now belongs to vfio-pci"
  done
}

unbind() {
  local address dev
  for address in "$@"; do
    dev=$(pci_path "$address")
    echo >"$dev/driver_override"
    [ ! -e "$dev/driver" ] || echo "$address" >"$dev/driver/unbind"
    echo "$address" >"$SYS/bus/pci/drivers_probe"
    echo "$address now belongs to $(driver_of "$dev")"
  done
}

case "${1:-}" in
  status) status ;;
  hugepages) hugepages "${2:-}" ;;
  bind | unbind)
    verb=$1
    shift
    [ $# -gt 0 ] || die "which NIC? e.g. scripts/nic.sh $verb 0000:3b:00.0"
    "$verb" "$@"
    ;;
  *)
    usage
    exit 2
    ;;
esac
