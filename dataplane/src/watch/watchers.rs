//! The worker's side: copies what is wanted.

use super::handle::{AFTER, Watch, WatchLink};
use super::record::{Event, Fate, Record, Story};
use crate::buffer::PacketBuf;
use crate::types::PortId;
use crate::verdict::DropReason;
use crate::wire::{bytes, ethernet};

/// Watches that a worker has at a time.
pub const MAX_WATCHES: usize = 4;
/// All watches of a worker.
#[derive(Debug)]
pub(crate) struct Watchers {
    link: Option<WatchLink>,
    #[expect(clippy::vec_box, reason = "a watch is large and is handed over by its address")]
    watches: Vec<Box<Watch>>,
    /// A packet is being finished.
    busy: bool,
    /// Why the packet at hand was dropped.
    dropped: Option<DropReason>,
}

impl Watchers {
    /// Of a worker that nobody will look at.
    pub(crate) fn new() -> Self {
        Self { link: None, watches: Vec::with_capacity(MAX_WATCHES), busy: false, dropped: None }
    }

    /// Lets watches come and go by these rings.
    pub(crate) fn set_link(&mut self, link: WatchLink) {
        self.link = Some(link);
    }

    /// Whether anybody looks: all that a burst pays when nobody does.
    #[inline(always)]
    pub(crate) fn any(&self) -> bool {
        !self.watches.is_empty()
    }

    /// Takes in new watches and gives back those that are over. To be called now and then, not during a
    /// burst.
    pub(crate) fn upkeep(&mut self) {
        let Some(link) = &mut self.link else { return };
        for at in (0..self.watches.len()).rev() {
            if self.watches.get(at).is_some_and(|watch| watch.is_over()) {
                let over = self.watches.swap_remove(at);
                // There is room for all that there can be.
                let _ = link.old.push(over);
            }
        }
        while self.watches.len() < MAX_WATCHES
            && let Some(watch) = link.new.pop()
        {
            self.watches.push(watch);
        }
    }

    /// A packet was received and stands at `at` of its burst: its bytes, before they are rewritten.
    #[cold]
    pub(crate) fn received<B: PacketBuf>(&mut self, port: PortId, at: usize, buf: &B, now: u64) {
        for watch in &mut self.watches {
            if watch.left == 0 || !watch.filter.wants(port, buf.data()) {
                continue;
            }
            let record = watch.copy(port, buf, now);
            if let (Some(slot), Some(_)) = (watch.begun.get_mut(at), &record) {
                *slot = record;
            }
        }
    }

    /// The packet at `at` of the burst is to be finished.
    #[cold]
    pub(crate) fn begin(&mut self, at: usize) {
        (self.busy, self.dropped) = (true, None);
        for watch in &mut self.watches {
            watch.now = watch.begun.get_mut(at).and_then(Option::take);
            watch.number();
        }
    }

    /// A packet that waited is tried again.
    #[cold]
    pub(crate) fn begin_released<B: PacketBuf>(&mut self, port: PortId, buf: &B, now: u64) {
        (self.busy, self.dropped) = (true, None);
        for watch in &mut self.watches {
            let wanted = watch.filter.wants_packet(port, buf.data());
            watch.now = if wanted { watch.copy(port, buf, now) } else { None };
            watch.number();
        }
    }

    /// The packet at hand is dropped.
    #[inline(always)]
    pub(crate) fn note(&mut self, reason: DropReason) {
        self.dropped = Some(reason);
    }

    /// The packet at hand has been finished; `waited`: so many ticks, before.
    #[cold]
    pub(crate) fn finished(&mut self, story: Story, waited: Option<u64>) {
        self.busy = false;
        let story = Story { fate: self.dropped.map_or(story.fate, Fate::Dropped), ..story };
        let event = waited.map_or(Event::Received(story), |ticks| Event::Released(story, ticks));
        for watch in &mut self.watches {
            watch.finished(event);
        }
    }

    /// A frame is queued for sending.
    #[cold]
    pub(crate) fn sent<B: PacketBuf>(&mut self, port: PortId, buf: &B, from_kernel: bool, now: u64) {
        let busy = self.busy && !from_kernel;
        for watch in &mut self.watches {
            watch.seen(port, buf, Event::Sent { from_kernel }, busy, now);
        }
    }

    /// A frame is dropped elsewhere than where it was decided about.
    #[cold]
    pub(crate) fn lost<B: PacketBuf>(&mut self, port: PortId, buf: &B, reason: DropReason, now: u64) {
        for watch in &mut self.watches {
            watch.seen(port, buf, Event::Dropped(reason), false, now);
        }
    }

    /// A packet that waited is dropped.
    #[cold]
    pub(crate) fn let_go<B: PacketBuf>(&mut self, port: PortId, buf: &B, reason: DropReason, now: u64) {
        for watch in &mut self.watches {
            if watch.filter.wants_packet(port, buf.data())
                && let Some(mut record) = watch.copy(port, buf, now)
            {
                without_ethernet(&mut record.bytes);
                watch.tell(record, Event::Dropped(reason));
                watch.owed = watch.owed.saturating_sub(1);
                watch.end_if_done();
            }
        }
    }
}

impl Watch {
    /// A record with the bytes of the packet; none is left: the packet is missed.
    fn copy<B: PacketBuf>(&mut self, port: PortId, buf: &B, now: u64) -> Option<Record> {
        let Some(mut record) = self.spare.pop().or_else(|| self.empty.pop()) else {
            self.miss();
            return None;
        };
        (record.tick, record.number, record.port) = (now, 0, port);
        record.len = buf.total_len() as u32;
        let data = buf.data();
        let length = data.len().min(record.bytes.capacity());
        record.bytes.clear();
        record.bytes.extend_from_slice(data.get(..length).unwrap_or(data));
        Some(record)
    }

    /// Gives the packet at hand its number.
    fn number(&mut self) {
        if let Some(record) = &mut self.now {
            self.number += 1;
            record.number = self.number;
        }
    }

    fn seen<B: PacketBuf>(&mut self, port: PortId, buf: &B, event: Event, busy: bool, now: u64) {
        let over = self.left == 0 && self.owed == 0 && self.now.is_none();
        if over || !self.filter.wants_end(&event) || !self.filter.wants(port, buf.data()) {
            return;
        }
        let Some(mut record) = self.copy(port, buf, now) else { return };
        match &self.now {
            Some(at_hand) if busy => {
                record.number = at_hand.number;
                if self.after.len() < AFTER {
                    return self.after.push((record, event));
                }
            }
            _ => {}
        }
        self.tell(record, event);
    }

    fn finished(&mut self, event: Event) {
        if let Some(mut record) = self.now.take() {
            let held = |story: Story| matches!(story.fate, Fate::Held(_));
            match event {
                Event::Received(story) => {
                    self.left -= u64::from(self.filter.wants_end(&event)).min(self.left);
                    self.owed += u64::from(held(story));
                }
                Event::Released(story, _) => {
                    without_ethernet(&mut record.bytes);
                    self.owed = self.owed.saturating_sub(u64::from(!held(story)));
                }
                Event::Sent { .. } | Event::Dropped(_) => {}
            }
            self.tell(record, event);
        }
        while !self.after.is_empty() {
            let (record, event) = self.after.remove(0);
            self.tell(record, event);
        }
        self.end_if_done();
    }

    fn end_if_done(&self) {
        if self.left == 0 && self.owed == 0 {
            self.end();
        }
    }

    fn tell(&mut self, mut record: Record, event: Event) {
        if self.filter.wants_end(&event) {
            record.event = event;
            match self.full.push(record) {
                Ok(()) => return,
                Err(back) => record = back,
            }
        }
        // There is room: no more than this are out at a time.
        if self.spare.len() < self.spare.capacity() {
            self.spare.push(record);
        }
    }
}

/// Makes the Ethernet header of a packet that waited, which means nothing, one that is easy to read.
fn without_ethernet(frame: &mut [u8]) {
    let ethertype = match frame.get(ethernet::LEN).map(|first| first >> 4) {
        Some(6) => ethernet::IPV6,
        _ => ethernet::IPV4,
    };
    bytes::put(frame, 0, [0; 12]);
    bytes::put(frame, 12, ethertype.to_be_bytes());
}
