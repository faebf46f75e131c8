//! The control thread: waits for something to happen, tells the engine and the feeder, carries away
//! what they answer.

use super::clock::{Clock, Timer, unix_ms};
use super::counters::RuntimeCounters;
use super::engine_cell::EngineCell;
use super::error::Error;
use super::notices::Notices;
use super::plane::Plane;
use super::reload;
use crate::api::{ApiInbox, Direction, Passing};
use crate::config::Config;
use crate::engine::event::{Action, Event, Time};
use crate::net::ControlSockets;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Most datagrams of each family taken per turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// Look at the event rings this often while they have something, and for a while after.
const POLL_BUSY: Duration = Duration::from_micros(200);
/// The longest pause between looks: what a first packet may have to wait.
const POLL_IDLE: Duration = Duration::from_millis(2);
/// Looks without an event before the pause doubles.
const LOOKS_BEFORE_BACKOFF: u32 = 50;

/// Everything the control thread owns.
pub(super) struct Runtime {
    pub(super) clock: Clock,
    pub(super) config: Config,
    pub(super) engine: EngineCell,
    pub(super) sockets: ControlSockets,
    /// The data plane and the kernel's tables; none in a daemon that only answers questions.
    pub(super) plane: Option<Plane>,
    pub(super) inbox: ApiInbox,
    pub(super) counters: RuntimeCounters,
    pub(super) notices: Notices,
    poll: Poll,
    actions: Vec<Action>,
    reload: Reload,
}

/// Where the configuration came from, and who says that it is to be read again.
pub(super) struct Reload {
    pub(super) path: PathBuf,
    pub(super) hangup: tokio::signal::unix::Signal,
}

/// What woke the control thread.
enum Wake {
    Sockets,
    Netlink(Result<Vec<crate::netlink::Changed>, crate::netlink::Error>),
    Timer,
    Api(Option<crate::api::ApiCall>),
    Hangup,
}

impl Runtime {
    pub(super) fn new(
        clock: Clock,
        config: Config,
        engine: EngineCell,
        sockets: ControlSockets,
        plane: Option<Plane>,
        inbox: ApiInbox,
        reload: Reload,
    ) -> Self {
        Self {
            clock,
            config,
            engine,
            sockets,
            plane,
            inbox,
            counters: RuntimeCounters::default(),
            notices: Notices::default(),
            poll: Poll::default(),
            actions: Vec::new(),
            reload,
        }
    }

    /// Runs until an error that can not be lived with. To be cancelled from outside.
    pub(super) async fn run(&mut self, timer: &Timer) -> Result<(), Error> {
        self.event(Event::Tick)?;
        loop {
            let wake = self.wait(timer).await?;
            match wake {
                Wake::Timer => {}
                Wake::Sockets => self.on_datagrams()?,
                Wake::Netlink(Ok(changes)) => {
                    let now = self.clock.now();
                    if let Some(plane) = &mut self.plane {
                        plane.on_kernel(now, &changes);
                    }
                }
                Wake::Netlink(Err(e)) => self.on_netlink_error(&e),
                Wake::Api(Some(call)) => call.answer(self),
                Wake::Api(None) => {}
                Wake::Hangup => self.read_configuration()?,
            }
            self.turn()?;
        }
    }

    async fn wait(&mut self, timer: &Timer) -> Result<Wake, Error> {
        let deadline = self.deadline();
        let Self { sockets, plane, inbox, reload, .. } = self;
        let netlink = async {
            match plane {
                Some(plane) => plane.netlink.next().await,
                None => std::future::pending().await,
            }
        };
        // No branch is favoured: a flood on one must not starve the others.
        tokio::select! {
            ready = sockets.readable() => ready.map(|()| Wake::Sockets).map_err(Error::EventLoop),
            changes = netlink => Ok(Wake::Netlink(changes)),
            done = timer.until(deadline) => done.map(|()| Wake::Timer).map_err(Error::EventLoop),
            call = inbox.next() => Ok(Wake::Api(call)),
            _ = reload.hangup.recv() => Ok(Wake::Hangup),
        }
    }

    /// When to wake if nothing happens.
    fn deadline(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(1);
        let due = |at: Option<Time>| at.map(|at| self.clock.instant(at));
        let engine = due(self.engine.get().next_deadline());
        let plane = self.plane.as_ref().and_then(|p| due(p.next_deadline()));
        let poll = self.plane.as_ref().map(|_| Instant::now() + self.poll.pause);
        [engine, plane, poll].into_iter().flatten().fold(far, Instant::min)
    }

    /// What is done after every wake-up: events of the workers, what is due, what is to be carried.
    fn turn(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        if let Some(plane) = &mut self.plane {
            for said in plane.update_carrier(now) {
                self.notices.say(now, "link", &said);
            }
            let events = plane.poll(now, &mut self.counters)?;
            self.poll.looked(!events.is_empty() || plane.has_backlog());
            for event in events {
                self.event(event)?;
            }
        }
        if self.engine.get().next_deadline().is_some_and(|at| at <= now) {
            self.event(Event::Tick)?;
        }
        self.carry()
    }

    fn on_datagrams(&mut self) -> Result<(), Error> {
        let mut events = Vec::new();
        let plane = self.plane.as_ref();
        let dropped = &mut self.counters.control_not_underlay;
        let tap = self.inbox.tap();
        let clock = self.clock;
        self.sockets.receive(DATAGRAMS_PER_TURN, |received| {
            if plane.is_some_and(|p| p.is_native_interface(received.interface)) {
                *dropped += 1;
                return;
            }
            if tap.is_listening() {
                tap.show(&Passing {
                    now: clock.now(),
                    unix_ms: unix_ms(),
                    direction: Direction::Received,
                    peer: received.from,
                    local: Some(received.to.ip()),
                    payload: received.payload,
                });
            }
            let payload = received.payload.to_vec();
            events.push(Event::Datagram { from: received.from, to: received.to, payload });
        });
        self.counters.control_malformed = self.sockets.malformed();
        events.into_iter().try_for_each(|event| self.event(event))
    }

    fn on_netlink_error(&mut self, error: &crate::netlink::Error) {
        let now = self.clock.now();
        self.notices.say(now, "netlink", &error.to_string());
    }

    /// One event for the engine, and everything that follows from it.
    pub(super) fn event(&mut self, event: Event) -> Result<(), Error> {
        let now = self.clock.now();
        let mut actions = std::mem::take(&mut self.actions);
        let restarted = self.engine.step(now, event, &mut actions)?;
        self.act_all(now, actions);
        if restarted {
            self.counters.engine_restarts += 1;
            if let Some(plane) = &mut self.plane {
                plane.on_engine_restart(now);
            }
            return self.event(Event::Tick);
        }
        self.carry()
    }

    fn act_all(&mut self, now: Time, mut actions: Vec<Action>) {
        for action in actions.drain(..) {
            self.act(now, action);
        }
        self.actions = actions;
    }

    /// SIGHUP: the new configuration in force, or the old one as before.
    fn read_configuration(&mut self) -> Result<(), Error> {
        match reload::read(&self.reload.path, &self.config) {
            Ok(config) => {
                let now = self.clock.now();
                let mut actions = std::mem::take(&mut self.actions);
                self.engine.reconfigure(now, &config, &mut actions);
                self.act_all(now, actions);
                self.config = config;
                tracing::info!("SIGHUP: the configuration was read again and is in force");
            }
            Err(why) => tracing::error!("SIGHUP: the old configuration stays in force: {why}"),
        }
        self.carry()
    }

    fn act(&mut self, now: Time, action: Action) {
        match action {
            Action::Send { port: _, source, to, payload } => self.send(now, source, to, &payload),
            Action::Notice(notice) => self.notices.log(now, &notice),
            other => {
                let Some(plane) = &mut self.plane else { return };
                if let Err(e) = plane.on_action(now, &other) {
                    self.counters.actions_refused += 1;
                    self.notices.say(now, "action_refused", &format!("{e}: {other:?}"));
                }
            }
        }
    }

    fn send(&mut self, now: Time, source: Option<IpAddr>, to: SocketAddr, payload: &[u8]) {
        let tap = self.inbox.tap();
        if tap.is_listening() {
            let (direction, unix_ms) = (Direction::Sent, unix_ms());
            tap.show(&Passing { now, unix_ms, direction, peer: to, local: source, payload });
        }
        match self.sockets.send(source, to, payload) {
            Ok(()) => self.counters.control_sent += 1,
            Err(e) => {
                self.counters.control_send_failed += 1;
                self.notices.say(now, "control_send_failed", &e.to_string());
            }
        }
    }

    /// Hands the feeder's output to workers, kernel and engine until nothing is left.
    fn carry(&mut self) -> Result<(), Error> {
        let Some(plane) = &mut self.plane else { return Ok(()) };
        let events = plane.carry(self.clock.now(), &mut self.counters);
        events.into_iter().try_for_each(|event| self.event(event))
    }
}

/// How often to look at the workers' event rings: often while there is something.
#[derive(Debug)]
struct Poll {
    pause: Duration,
    quiet: u32,
}

impl Default for Poll {
    fn default() -> Self {
        Self { pause: POLL_BUSY, quiet: 0 }
    }
}

impl Poll {
    fn looked(&mut self, found: bool) {
        if found {
            *self = Self::default();
            return;
        }
        self.quiet += 1;
        if self.quiet >= LOOKS_BEFORE_BACKOFF {
            self.quiet = 0;
            self.pause = (self.pause * 2).min(POLL_IDLE);
        }
    }
}
