//! Safe, owned types over DPDK. See README.md.
