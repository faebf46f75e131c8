//! How control builds a locator-set's bucket table, and how the worker picks from it.
//!
//! A table says for each bucket which RLOC it belongs to; a flow belongs to the bucket that its hash
//! scales to. All functions are pure.

use crate::types::RlocId;
use std::collections::BTreeMap;

/// Most buckets of a table.
pub const MAX_BUCKETS: usize = 1024;

/// The locator of a flow: `hash` scaled to the number of buckets. `None`: the table is empty.
#[inline]
#[must_use]
pub fn pick(table: &[RlocId], hash: u32) -> Option<RlocId> {
    let bucket = (u64::from(hash) * table.len() as u64) >> 32;
    table.get(bucket as usize).copied()
}

/// Builds the bucket table of a locator-set from its usable locators of the best priority and their
/// weights (RFC 9300 section 9, R-078, R-079). An RLOC that is named twice gets both shares.
///
/// - Weights all zero: equal shares. Some zero: those locators get nothing.
/// - Shares are exact as long as the weights, divided by their greatest common divisor, sum up to no
///   more than [`MAX_BUCKETS`]; else they are within one bucket of [`MAX_BUCKETS`].
/// - With a `previous` table only what must move does: when a locator leaves, its buckets go
///   to the others in proportion to their weights; when it comes back to a table that was built
///   without history, it gets the same buckets again. If exact shares need so many more buckets that
///   the table does not hold them, flows at the seams between locators move as well.
/// - Equal arguments make equal tables, in whatever order the locators are named.
///
/// No locators make an empty table.
#[must_use]
pub fn build(weights: &[(RlocId, u8)], previous: Option<&[RlocId]>) -> Vec<RlocId> {
    let shares = Shares::new(weights);
    if shares.total == 0 {
        return Vec::new();
    }
    let previous = previous.filter(|table| !table.is_empty());
    let size = match previous {
        Some(table) if shares.fit(table.len()) => table.len(),
        // Each bucket split into equal parts: no flow moves for the sake of another table size.
        Some(table) if lcm(table.len(), shares.total) <= MAX_BUCKETS => lcm(table.len(), shares.total),
        _ => shares.size(),
    };
    let counts = shares.counts(size);
    let ideal: Vec<_> = counts.iter().flat_map(|(rloc, count)| std::iter::repeat_n(*rloc, *count)).collect();
    match previous {
        Some(previous) => carry_over(previous, &ideal, counts),
        None => ideal,
    }
}

/// Weights without common divisor, none of them zero.
struct Shares {
    weights: BTreeMap<RlocId, usize>,
    total: usize,
}

impl Shares {
    fn new(named: &[(RlocId, u8)]) -> Self {
        let all_zero = named.iter().all(|(_, weight)| *weight == 0);
        let mut weights = BTreeMap::new();
        for (rloc, weight) in named {
            let weight = if all_zero { 1 } else { usize::from(*weight) };
            if weight > 0 {
                *weights.entry(*rloc).or_default() += weight;
            }
        }
        let divisor = weights.values().copied().fold(0, gcd).max(1);
        weights.values_mut().for_each(|weight| *weight /= divisor);
        let total = weights.values().sum();
        Self { weights, total }
    }

    /// A table of this size can have exactly these shares, or it is as good as it gets.
    const fn fit(&self, size: usize) -> bool {
        if self.total > MAX_BUCKETS {
            return size == MAX_BUCKETS;
        }
        size <= MAX_BUCKETS && size.is_multiple_of(self.total)
    }

    /// Size of a table made without history: the smallest that stays exact when any one of the
    /// locators leaves, so that nothing else moves then. If that is too large, as fine as can be.
    fn size(&self) -> usize {
        if self.total >= MAX_BUCKETS {
            return MAX_BUCKETS;
        }
        let lasting = self.weights.keys().try_fold(self.total, |size, leaving| {
            let others =
                || self.weights.iter().filter(|(rloc, _)| *rloc != leaving).map(|(_, weight)| *weight);
            let rest = others().sum::<usize>() / others().fold(0, gcd).max(1);
            let size = size / gcd(size, rest).max(1) * rest.max(1);
            (size <= MAX_BUCKETS).then_some(size)
        });
        lasting.unwrap_or(MAX_BUCKETS / self.total * self.total)
    }

    /// Buckets of each locator, by largest remainder where they do not come out even.
    fn counts(&self, size: usize) -> BTreeMap<RlocId, usize> {
        let floor = |weight: usize| weight * size / self.total;
        let mut left = size - self.weights.values().map(|weight| floor(*weight)).sum::<usize>();
        let mut by_remainder: Vec<_> = self.weights.iter().collect();
        by_remainder.sort_by_key(|(rloc, weight)| (std::cmp::Reverse(**weight * size % self.total), **rloc));
        let count = |(rloc, weight): (&RlocId, &usize)| {
            let extra = usize::from(left > 0);
            left -= extra;
            (*rloc, floor(*weight) + extra)
        };
        by_remainder.into_iter().map(count).collect()
    }
}

const fn gcd(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

const fn lcm(a: usize, b: usize) -> usize {
    a / gcd(a, b) * b
}

/// The table of the size of `ideal` that has `counts` and moves least. Where there is a choice, a
/// bucket goes to whom it belongs in `ideal`, the table without history: that is what brings a
/// returning locator's flows back.
fn carry_over(previous: &[RlocId], ideal: &[RlocId], counts: BTreeMap<RlocId, usize>) -> Vec<RlocId> {
    let centre = |bucket: usize| (2 * bucket + 1) * previous.len() / (2 * ideal.len());
    let mut table: Vec<_> =
        (0..ideal.len()).filter_map(|bucket| previous.get(centre(bucket)).copied()).collect();
    let mut wanting = counts;
    let mut surplus = BTreeMap::<RlocId, usize>::new();
    for owner in &table {
        match wanting.get_mut(owner) {
            Some(count) if *count > 0 => *count -= 1,
            _ => *surplus.entry(*owner).or_default() += 1,
        }
    }
    wanting.retain(|_, count| *count > 0);
    for by_ideal in [true, false] {
        for (owner, ideal) in table.iter_mut().zip(ideal) {
            let Some(spare) = surplus.get_mut(owner).filter(|spare| **spare > 0) else { continue };
            let taker = if by_ideal { Some(*ideal) } else { wanting.keys().next().copied() };
            let Some(taker) = taker else { break };
            let Some(count) = wanting.get_mut(&taker) else { continue };
            *count -= 1;
            if *count == 0 {
                wanting.remove(&taker);
            }
            *spare -= 1;
            *owner = taker;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weights(list: &[u8]) -> Vec<(RlocId, u8)> {
        (10..).map(RlocId).zip(list.iter().copied()).collect()
    }

    fn count(table: &[RlocId], rloc: RlocId) -> usize {
        table.iter().filter(|owner| **owner == rloc).count()
    }

    /// Buckets of equal tables' size that changed hands, without those of `leaving`.
    fn moved(from: &[RlocId], to: &[RlocId], leaving: Option<RlocId>) -> usize {
        assert_eq!(from.len(), to.len());
        from.iter().zip(to).filter(|(a, b)| a != b && Some(**a) != leaving).count()
    }

    fn without(weights: &[(RlocId, u8)], leaving: RlocId) -> Vec<(RlocId, u8)> {
        weights.iter().copied().filter(|(rloc, _)| *rloc != leaving).collect()
    }

    #[test]
    fn usual_sets_are_small_and_exact() {
        for (list, size) in [
            (vec![1], 1),
            (vec![50, 50], 2),
            (vec![75, 25], 4),
            (vec![0, 0, 0], 6),
            (vec![1, 0, 3], 4),
            (vec![1; 4], 12),
            (vec![1; 8], 56),
            (vec![255, 1], 256),
            (vec![255; 32], 992),
        ] {
            assert_eq!(build(&weights(&list), None).len(), size, "{list:?}");
        }
        assert!(build(&[], None).is_empty());
        assert!(build(&[], Some(&[RlocId(1)])).is_empty());
    }

    #[test]
    fn a_locator_leaves_and_returns() {
        let full = weights(&[1, 1, 2]);
        let before = build(&full, None);
        for (leaving, _) in &full {
            let rest = without(&full, *leaving);
            let after = build(&rest, Some(&before));
            assert_eq!(moved(&before, &after, Some(*leaving)), 0);
            assert_eq!(count(&after, *leaving), 0);
            assert_eq!(build(&full, Some(&after)), before);
        }
    }

    #[test]
    fn picks_cover_the_table() {
        let table: Vec<_> = (0..7).map(RlocId).collect();
        assert_eq!(pick(&table, 0), Some(RlocId(0)));
        assert_eq!(pick(&table, u32::MAX), Some(RlocId(6)));
        assert_eq!(pick(&[], 5), None);
    }

    fn any_weights() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(0..5u8, 1..12),
            prop::collection::vec(any::<u8>(), 1..6),
            prop::collection::vec(any::<u8>(), 1..40),
        ]
    }

    proptest! {
        // R-079, with and without history.
        #[test]
        fn shares_are_exact(list in any_weights(), before in any_weights()) {
            let set = weights(&list);
            let history = build(&weights(&before), None);
            for table in [build(&set, None), build(&set, Some(&history))] {
                prop_assert!(!table.is_empty() && table.len() <= MAX_BUCKETS);
                let zero = list.iter().all(|weight| *weight == 0);
                let of = |weight: u8| if zero { 1 } else { usize::from(weight) };
                let total: usize = list.iter().map(|weight| of(*weight)).sum();
                let divisor = list.iter().map(|weight| of(*weight)).fold(0, gcd);
                for (rloc, weight) in &set {
                    let (got, due) = (count(&table, *rloc) * total, of(*weight) * table.len());
                    if total / divisor <= MAX_BUCKETS {
                        prop_assert_eq!(got, due);
                    } else {
                        prop_assert!(got.abs_diff(due) < total, "within a bucket");
                    }
                }
            }
        }

        #[test]
        fn the_order_of_locators_means_nothing(list in any_weights(), turn in 0..40usize) {
            let set = weights(&list);
            let mut turned = set.clone();
            turned.rotate_left(turn % list.len());
            let table = build(&set, None);
            prop_assert_eq!(&build(&turned, None), &table);
            prop_assert_eq!(build(&turned, Some(&table)), table, "no change, no move");
        }

        // R-082, where the size of the table can stay.
        #[test]
        fn only_what_must_move_moves(from in any_weights(), to in any_weights()) {
            let before = build(&weights(&from), None);
            let after = build(&weights(&to), Some(&before));
            if before.len() == after.len() {
                let set: BTreeMap<_, usize> = after.iter().fold(BTreeMap::new(), |mut set, rloc| {
                    *set.entry(*rloc).or_default() += 1;
                    set
                });
                let least: usize = set.iter().map(|(rloc, n)| n.saturating_sub(count(&before, *rloc))).sum();
                prop_assert_eq!(moved(&before, &after, None), least);
            }
        }

        #[test]
        fn leaving_moves_no_other_flow_and_returning_undoes_it(
            list in prop::collection::vec(1..4u8, 2..6), which in any::<prop::sample::Index>(),
        ) {
            let full = weights(&list);
            let leaving = which.get(&full).0;
            let before = build(&full, None);
            let after = build(&without(&full, leaving), Some(&before));
            if before.len() == after.len() {
                prop_assert_eq!(moved(&before, &after, Some(leaving)), 0);
                prop_assert_eq!(build(&full, Some(&after)), before);
            }
        }

        // Where the size has to change, only flows at seams move besides.
        #[test]
        fn a_new_size_moves_little(list in prop::collection::vec(any::<u8>(), 2..8)) {
            let full = weights(&list);
            let leaving = full[0].0;
            let before = build(&full, None);
            prop_assume!(before.len() > 512 && list[0] > 0 && list[1..].iter().any(|weight| *weight > 0));
            let after = build(&without(&full, leaving), Some(&before));
            let hashes = (0..8192u32).map(|n| n << 19 | 1 << 18);
            let stray = hashes.filter(|hash| {
                let (from, to) = (pick(&before, *hash), pick(&after, *hash));
                from != to && from != Some(leaving)
            });
            prop_assert!(stray.count() <= 8192 * 2 * list.len() / before.len().min(after.len()) + 1);
        }
    }
}
