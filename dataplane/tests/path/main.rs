//! Packet tests: a frame goes in, tables stand as described, a fate and a frame come out.
//!
//! Everything runs on the heap twin of DPDK; etherparse builds what goes in and takes apart what
//! comes out, so that our own parsers are not their own judges. After every step two things must
//! hold: the fates sum up to the packets received, and no buffer is lost.

mod admission;
mod core_errors;
mod crypt;
mod decapsulation;
mod echo;
mod encapsulation;
mod express;
mod for_us;
mod fragments;
mod gpe;
mod hostile;
mod icmp;
mod lab;
mod marks;
mod mobility;
mod mss;
mod nat;
mod native;
mod outer_fragments;
mod packets;
mod police;
mod reassembly;
mod sources;
mod spread;
mod trust;
mod vlan;
mod waiting;
mod watch;
mod xtr;
