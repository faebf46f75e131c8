//! From a seed to a scenario.

use super::scenario::{Attack, Net, Op, Scenario, Shape, Timed};
use crate::engine::Rng;

/// The engine's own generator, for small numbers.
struct Dice(Rng);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn byte(&mut self, bound: u8) -> u8 {
        u8::try_from(self.below(u64::from(bound))).unwrap_or(0)
    }

    fn number(&mut self, from: u32, to: u32) -> u32 {
        from + u32::try_from(self.below(u64::from(to - from + 1))).unwrap_or(0)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of.get(at).copied()
    }

    fn pick_number(&mut self, of: &[u32]) -> u32 {
        self.pick(of).unwrap_or(0)
    }
}

/// 32 bytes for a generator out of a seed and a purpose.
pub(super) fn stream(seed: u64, purpose: u64) -> Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&purpose.to_le_bytes());
    Rng::new(bytes)
}

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn generate(seed: u64) -> Self {
        let dice = &mut Dice(stream(seed, 0));
        let calm = dice.one_in(4);
        let chaos_ms = u64::from(dice.number(60, 240)) * 1000;
        let shape = shape(dice);
        let net = net(dice, calm);
        let mut ops: Vec<Timed> = Vec::new();
        for _ in 0..dice.number(3, 10) {
            ops.push(Timed { at: dice.below(chaos_ms), op: flow(dice, &shape, chaos_ms) });
        }
        for _ in 0..dice.number(1, 4) {
            ops.push(Timed { at: dice.below(chaos_ms), op: change(dice) });
        }
        if !calm {
            for _ in 0..dice.number(1, 12) {
                ops.push(Timed { at: dice.below(chaos_ms), op: trouble(dice) });
            }
        }
        ops.sort_by_key(|timed| timed.at);
        Self { seed, shape, net, chaos_ms, ops }
    }
}

fn shape(dice: &mut Dice) -> Shape {
    let sites = 2 + dice.byte(2);
    Shape {
        proxies: 1 + dice.byte(2),
        resolvers: 1 + dice.byte(2),
        servers: 1 + dice.byte(2),
        sites,
        prefixes: sites + dice.byte(3),
        ttl_minutes: 1 + dice.byte(2),
        proxy_reply: dice.one_in(2),
        xtr_id: dice.one_in(2),
        ipv6: dice.one_in(3),
        probe_interval_ms: dice.pick_number(&[0, 0, 10_000, 20_000, 60_000]),
        map_cache_entries: dice.pick_number(&[16, 1000]),
        pending_requests: dice.pick_number(&[4, 1000]),
        map_requests_per_second: dice.pick_number(&[20, 5000]),
        idle_timeout_s: dice.pick_number(&[30, 3600]),
    }
}

fn net(dice: &mut Dice, calm: bool) -> Net {
    let delay_min_ms = dice.number(0, 20);
    Net {
        loss_percent: if calm || dice.one_in(3) { 0 } else { dice.byte(40) },
        duplicate_percent: if dice.one_in(2) { 0 } else { dice.byte(30) },
        delay_min_ms,
        delay_max_ms: delay_min_ms + if calm { dice.number(0, 30) } else { dice.number(0, 400) },
    }
}

fn flow(dice: &mut Dice, shape: &Shape, chaos_ms: u64) -> Op {
    let longest = u32::try_from(chaos_ms / 1000).unwrap_or(1);
    let seconds = u16::try_from(dice.number(1, longest)).unwrap_or(1);
    // Now and then an EID that no site has.
    Op::Flow { itr: dice.byte(8), prefix: dice.byte(shape.prefixes + 1), seconds }
}

fn change(dice: &mut Dice) -> Op {
    if dice.one_in(2) {
        Op::Move { prefix: dice.byte(8), site: dice.byte(4) }
    } else {
        Op::Relocate { site: dice.byte(4), choice: dice.byte(4) }
    }
}

fn trouble(dice: &mut Dice) -> Op {
    match dice.below(12) {
        0 => Op::Restart { node: dice.byte(16), keeps_data_plane: dice.one_in(2) },
        1 => Op::Crash { node: dice.byte(16), ms: dice.number(100, 60_000) },
        2 => Op::Partition { a: dice.byte(16), b: dice.byte(16), ms: dice.number(100, 60_000) },
        3 => Op::ClockJump { node: dice.byte(16), ms: i64::from(dice.number(0, 400_000)) - 4_000 },
        4 => Op::Underlay {
            itr: dice.byte(8),
            site: dice.byte(4),
            second: dice.one_in(2),
            ms: dice.number(100, 30_000),
        },
        5 => Op::Icmp { itr: dice.byte(8), site: dice.byte(4) },
        6 => Op::Clear { itr: dice.byte(8) },
        _ => {
            let attack = dice.pick(&Attack::ALL).unwrap_or(Attack::Garbage);
            Op::Hostile { attack, node: dice.byte(16), times: u16::try_from(dice.number(1, 30)).unwrap_or(1) }
        }
    }
}
