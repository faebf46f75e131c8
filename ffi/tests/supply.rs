//! Supplies: what is taken is there, is used again, and costs the one that takes it neither system calls nor page faults.

use dpdk_sys::{List, Lone, Run, Supply};
use nix::libc;
use std::sync::Arc;

/// Page faults of this thread so far.
fn faults() -> i64 {
    // SAFETY: all zeros are a value of it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: it writes the structure.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) }, 0);
    usage.ru_minflt
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Runs of all lengths come, grow and go; each keeps what was written to it, and at last all is one again.
#[test]
fn runs_keep_to_themselves_and_leave_nothing_behind() {
    let supply = Supply::default();
    let mut depot = supply.depot();
    assert!(depot.add(2 << 20) && depot.add(100_000));
    assert_eq!(supply.level().held, (2 << 20) + (128 << 10));
    let mut random = Random(7);
    let mut runs: Vec<(u32, Run<u32>)> = Vec::new();
    for turn in 0..60_000u32 {
        match random.below(5) {
            0..2 => {
                let len = if random.below(50) == 0 { 16_384 } else { 1 + random.below(700) };
                runs.push((turn, Run::filled(&supply, len, turn)));
            }
            2 if !runs.is_empty() => {
                let at = random.below(runs.len());
                let (mark, run) = &mut runs[at];
                run.grow(&supply, run.len() + 1 + random.below(100), *mark);
            }
            _ if !runs.is_empty() => {
                let (mark, run) = runs.swap_remove(random.below(runs.len()));
                assert!(run.iter().all(|word| *word == mark) && run.as_ptr().addr() % 64 == 0);
            }
            _ => {}
        }
        if runs.len() > 300 {
            runs.drain(..200);
        }
    }
    let used: usize = runs.iter().map(|(_, run)| run.memory_bytes()).sum();
    assert_eq!(supply.level().used, used);
    assert!(runs.iter().all(|(mark, run)| run.iter().all(|word| word == mark)));
    let copies = runs.clone();
    drop(runs);
    assert!(copies.iter().all(|(mark, run)| run.iter().all(|word| word == mark)));
    drop(copies);
    let level = supply.level();
    assert_eq!((level.used, level.misses), (0, 0));
    assert!(level.longest >= 3 << 19, "{level:?}");
}

#[test]
fn lists_and_single_values_drop_what_they_own() {
    let supply = Supply::default();
    let witness = Arc::new(());
    let mut list = List::default();
    for n in 0..1000 {
        list.push(&supply, (n, Arc::clone(&witness)));
    }
    assert_eq!((list.len(), list[999].0, Arc::strong_count(&witness)), (1000, 999, 1001));
    assert_eq!(list.pop().map(|(n, _)| n), Some(999));
    assert_eq!(list.swap_remove(0).map(|(n, _)| n), Some(0));
    assert_eq!((list[0].0, list.len(), list.swap_remove(998).is_none()), (998, 998, true));
    let copy = list.clone();
    assert_eq!(Arc::strong_count(&witness), 1 + 2 * 998);
    drop((copy, list));
    assert_eq!(Arc::strong_count(&witness), 1);
    let lone = Lone::new(&supply, Arc::clone(&witness));
    let array = Lone::<[Arc<()>; 40]>::array(&supply, |_| Arc::clone(&witness));
    assert_eq!(Arc::strong_count(&witness), 42);
    drop((lone.clone().into_inner(), lone, array));
    assert_eq!((Arc::strong_count(&witness), supply.level().used), (1, 0));
    let empty = Run::<u64>::from_fn(&supply, 0, |_| 0);
    assert_eq!((empty.clone().len(), List::<u8>::default().memory_bytes(), supply.level().used), (0, 0, 0));
}

/// What was taken outlives the supply, and goes back from whichever thread.
#[test]
fn pieces_keep_their_memory() {
    let supply = Supply::default();
    let depot = supply.depot();
    let runs: Vec<_> = (0..100u64).map(|n| Run::filled(&supply, 1000, n)).collect();
    drop(supply);
    assert!(depot.level().misses > 0, "nothing was prepared");
    drop(depot);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            assert!(runs.iter().zip(0..).all(|(run, n)| run.iter().all(|word| *word == n)));
        });
    });
}

/// The two ends on two threads: as long as the one keeps ahead, the other one has no page fault.
#[test]
fn what_is_prepared_costs_no_fault() {
    let supply = Supply::default();
    let mut depot = supply.depot();
    assert!(depot.add(2 << 20));
    let (ask, asked) = std::sync::mpsc::sync_channel(0);
    let (done, finished) = std::sync::mpsc::sync_channel(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(bytes) = asked.recv() {
                done.send(depot.add(bytes)).expect("the other end");
            }
        });
        let mut keep = List::with_capacity(&supply, 1000);
        for _ in 0..8 {
            ask.send(2 << 20).expect("the other end");
            assert_eq!(finished.recv(), Ok(true));
            let before = faults();
            for _ in 0..31 {
                keep.push(&supply, Run::filled(&supply, 1 << 13, 7u64));
            }
            assert_eq!(faults() - before, 0);
        }
        drop(ask);
        assert_eq!(supply.level().misses, 0);
        // Now nobody prepares anything.
        for _ in 0..100 {
            keep.push(&supply, Run::filled(&supply, 1 << 13, 7u64));
        }
        assert!(supply.level().misses > 0);
        assert!(keep.iter().all(|run| run.iter().all(|word| *word == 7)));
    });
}

#[test]
fn the_inbox_is_bounded() {
    let supply = Supply::default();
    let mut depot = supply.depot();
    let taken = (0..100).filter(|_| depot.add(1)).count();
    assert_eq!((taken, depot.level().held), (16, 16 * 4096));
    drop(Run::filled(&supply, 1000, 1u8));
    assert!(depot.add(1) && depot.level().misses == 0);
}
