//! Kernel changes and engine actions in, a real replica out: what a worker would find.

mod admission;
mod bed;
mod mapping;
mod native;
mod paths;
mod places;
mod trust;
