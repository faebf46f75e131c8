//! Memory for one thread that another one prepares.
//!
//! The one that works with it has a [`Supply`] and takes [`Run`]s, [`List`]s and [`Lone`]s from it: no system call, no page
//! fault, a bounded number of steps. The other one has the [`Depot`], sees how much is left, and adds *regions*: up
//! to 2 MiB, in hugepages if there are some, touched before they are handed over. When a supply has run out it fetches
//! a small region from the kernel by itself and counts that as a miss: it never fails as long as the machine has memory.
//!
//! What is taken is given back when it is dropped, and used again. Regions go back to the kernel when the supply, its
//! depot and all that was taken are gone.
//!
//! Everything that is taken knows its region by its address: regions begin at multiples of 2 MiB and their headers say
//! whose they are. So a run is a pointer and a length, no more than a boxed slice.

mod heap;
mod list;
mod lone;
mod region;
mod run;
mod shared;

pub use list::List;
pub use lone::Lone;
pub use run::Run;
pub use shared::{Depot, Level, Supply};
