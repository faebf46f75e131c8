//! Benches and traffic tools. See README.md.
//!
//! A bench is a function in `bench/` that returns metrics; `report` knows how they are summed up and
//! printed. `world`, `carousel` and `frames` are what the benches of the packet path share.

pub mod bench;
pub mod carousel;
pub mod frames;
pub mod report;
pub mod traffic;
pub mod world;
