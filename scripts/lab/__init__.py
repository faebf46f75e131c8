"""Labs: pxtrd daemons and kernel hosts in network namespaces. See scripts/README.md."""
