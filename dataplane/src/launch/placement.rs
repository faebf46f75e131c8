//! Which worker polls which receive queue.

use super::config::{LaunchConfig, PortLaunch, Spread};
use crate::io::tx_share;
use crate::worker::handover;

/// The worker of each port's first queue; the others follow in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    first: Vec<usize>,
    /// By port: its packets are spread by the workers.
    spread: Vec<bool>,
    readers: Vec<bool>,
}

impl Placement {
    /// Queue n of a port goes to worker n, modulo their number. Ports with fewer queues than workers go on where the one
    /// before left off, so that not all of them fall to the first workers.
    pub(super) fn of(config: &LaunchConfig) -> Self {
        let workers = config.workers.cores.len().max(1);
        let mut next = 0;
        let mut all =
            Self { first: Vec::new(), spread: Vec::new(), readers: vec![false; config.workers.cores.len()] };
        for port in &config.ports {
            let few = usize::from(port.queues) < workers;
            all.first.push(if few { next % workers } else { 0 });
            next += if few { usize::from(port.queues) } else { 0 };
            let spread = port.spread == Spread::Software && workers > 1;
            all.spread.push(spread);
            for queue in 0..if spread { port.queues } else { 0 } {
                let worker = all.worker(port, queue.into());
                all.readers[worker] = true;
            }
        }
        all
    }

    /// The worker that polls this queue.
    pub(super) fn worker(&self, port: &PortLaunch, queue: usize) -> usize {
        let first = self.first.get(usize::from(port.id.0)).copied().unwrap_or(0);
        (first + queue) % self.readers.len().max(1)
    }

    /// By port: its packets are spread by the workers.
    pub(super) fn spread(&self) -> &[bool] {
        &self.spread
    }

    /// By worker: it receives packets that are to be spread.
    pub(super) fn readers(&self) -> &[bool] {
        &self.readers
    }

    /// Mbufs that the rings between workers hold: of those that receive to all others, and to the owners of transmit
    /// queues from those who have none.
    pub(super) fn mbufs(&self, config: &LaunchConfig) -> usize {
        let workers = self.readers.len();
        let handover = self.readers.iter().filter(|reads| **reads).count() * workers.saturating_sub(1);
        // Of a NIC that has a transmit queue for each worker that is too much: only the device knows.
        let borrowers = |port: &PortLaunch| workers.saturating_sub(usize::from(port.queues));
        let lent = |port: &PortLaunch| {
            borrowers(port) * tx_share::DEPTH + borrowers(port).min(1) * workers * tx_share::LATE
        };
        handover * handover::DEPTH + config.ports.iter().map(lent).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::WorkersLaunch;
    use super::*;
    use crate::types::PortId;

    fn config(workers: usize, ports: &[(u16, Spread)]) -> LaunchConfig {
        let port = |(id, &(queues, spread)): (u16, &(u16, Spread))| PortLaunch {
            id: PortId(id),
            queues,
            spread,
            ..PortLaunch::default()
        };
        LaunchConfig {
            ports: (0..).zip(ports).map(port).collect(),
            workers: WorkersLaunch { cores: (0..workers).collect(), ..WorkersLaunch::default() },
            ..LaunchConfig::default()
        }
    }

    fn workers(config: &LaunchConfig) -> Vec<Vec<usize>> {
        let all = Placement::of(config);
        let queues = |port: &PortLaunch| (0..port.queues).map(|q| all.worker(port, q.into())).collect();
        config.ports.iter().map(queues).collect()
    }

    #[test]
    fn queues_go_round_the_workers() {
        let one = (1, Spread::Software);
        let config = config(3, &[one, (3, Spread::Nic), one, (2, Spread::Software), (7, Spread::Nic)]);
        let expected = [vec![0], vec![0, 1, 2], vec![1], vec![2, 0], vec![0, 1, 2, 0, 1, 2, 0]];
        assert_eq!(workers(&config), expected);
        let all = Placement::of(&config);
        assert_eq!((all.spread(), all.readers()), (&[true, false, true, true, false][..], &[true; 3][..]));
    }

    #[test]
    fn nothing_is_spread_among_one_worker_or_by_a_nic() {
        for config in [config(1, &[(1, Spread::Software)]), config(2, &[(2, Spread::Nic)])] {
            let all = Placement::of(&config);
            assert!(!all.spread().contains(&true) && !all.readers().contains(&true));
            assert_eq!(all.mbufs(&config), 0);
        }
        let one = config(2, &[(1, Spread::Software)]);
        assert_eq!(Placement::of(&one).mbufs(&one), handover::DEPTH + tx_share::DEPTH + 2 * tx_share::LATE);
    }
}
