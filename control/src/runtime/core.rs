//! The control thread: waits for something to happen, tells the engine and the feeder, carries away
//! what they answer.

use super::clock::{Clock, Timer, unix_ms};
use super::counters::RuntimeCounters;
use super::engine_cell::EngineCell;
use super::error::Error;
use super::nonce_file::NonceFile;
use super::notices::Notices;
use super::plane::Plane;
use super::police::Police;
use super::reload::{Reload, needs_restart};
use super::watching::Watching;
use crate::api::{ApiInbox, Direction, Passing};
use crate::config::Config;
use crate::engine::event::{Action, Event, LocalPort, Time};
use crate::net::{ControlSockets, Received, SendError};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Most datagrams of each family taken per turn.
const DATAGRAMS_PER_TURN: usize = 128;
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
    reload: Reload,
    pub(super) engine: EngineCell,
    pub(super) sockets: ControlSockets,
    /// The data port, for what goes through a NAT.
    data_sockets: Option<ControlSockets>,
    /// The data plane and the kernel's tables; none in a daemon that only answers questions.
    pub(super) plane: Option<Plane>,
    pub(super) inbox: ApiInbox,
    pub(super) counters: RuntimeCounters,
    pub(super) notices: Notices,
    police: Police,
    /// Of a Map-Server.
    nonces: Option<NonceFile>,
    watching: Watching,
    poll: Poll,
    actions: Vec<Action>,
}

/// What woke the control thread.
enum Wake {
    Sockets,
    Netlink(Result<Vec<crate::netlink::Changed>, crate::netlink::Error>),
    Timer,
    Api(Option<crate::api::ApiCall>),
    Config(Box<Result<Config, String>>),
}

impl Runtime {
    pub(super) fn new(
        clock: Clock,
        config: Config,
        reload: Reload,
        engine: EngineCell,
        (sockets, data_sockets): (ControlSockets, Option<ControlSockets>),
        plane: Option<Plane>,
        inbox: ApiInbox,
    ) -> Self {
        let nonces = config.roles.map_server.then(|| {
            let (file, wrong) = NonceFile::open(&config.daemon.state_dir, &config.daemon.name);
            wrong.iter().for_each(|e| tracing::warn!("{e}"));
            file
        });
        Self {
            clock,
            config,
            reload,
            engine,
            sockets,
            data_sockets,
            plane,
            inbox,
            counters: RuntimeCounters::default(),
            notices: Notices::default(),
            police: Police::default(),
            nonces,
            watching: Watching::default(),
            poll: Poll::default(),
            actions: Vec::new(),
        }
    }

    /// Runs until an error that can not be lived with. To be cancelled from outside.
    pub(super) async fn run(&mut self, timer: &Timer) -> Result<(), Error> {
        self.event(Event::Tick)?;
        self.restore_nonces()?;
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
                Wake::Config(read) => self.on_config(*read)?,
            }
            self.turn()?;
        }
    }

    /// The daemon ends.
    pub(super) async fn finish(&mut self) {
        if let Some(nonces) = &mut self.nonces
            && let Err(e) = nonces.finish(self.engine.get()).await
        {
            tracing::error!("{e}");
        }
    }

    fn restore_nonces(&mut self) -> Result<(), Error> {
        match self.nonces.as_ref().map(NonceFile::last) {
            None | Some([]) => Ok(()),
            Some(kept) => self.event(Event::NoncesKept(kept.to_vec())),
        }
    }

    async fn wait(&mut self, timer: &Timer) -> Result<Wake, Error> {
        let deadline = self.deadline();
        let Self { sockets, data_sockets, plane, inbox, reload, .. } = self;
        let to_data = async {
            match data_sockets {
                Some(sockets) => sockets.readable().await,
                None => std::future::pending().await,
            }
        };
        let netlink = async {
            match plane {
                Some(plane) => plane.netlink.next().await,
                None => std::future::pending().await,
            }
        };
        // No branch is favoured: a flood on one must not starve the others.
        tokio::select! {
            ready = to_data => ready.map(|()| Wake::Sockets).map_err(Error::EventLoop),
            ready = sockets.readable() => ready.map(|()| Wake::Sockets).map_err(Error::EventLoop),
            changes = netlink => Ok(Wake::Netlink(changes)),
            done = timer.until(deadline) => done.map(|()| Wake::Timer).map_err(Error::EventLoop),
            call = inbox.next() => Ok(Wake::Api(call)),
            config = reload.next() => Ok(Wake::Config(Box::new(config))),
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
            let watched = self.watching.turn(plane, &self.config, self.inbox.desk());
            self.poll.looked(!events.is_empty() || watched || plane.has_backlog());
            for event in events {
                self.event(event)?;
            }
        }
        if self.engine.get().next_deadline().is_some_and(|at| at <= now) {
            self.event(Event::Tick)?;
        }
        if let Some(e) = self.nonces.as_mut().and_then(|n| n.on_turn(now, self.engine.get())) {
            self.notices.say(now, "nonces_not_kept", &e.to_string());
        }
        self.carry()
    }

    fn on_datagrams(&mut self) -> Result<(), Error> {
        let mut events = Vec::new();
        let plane = self.plane.as_ref();
        let counters = &mut self.counters;
        let police = &mut self.police;
        let (now, rate) = (self.clock.now(), self.config.limits.control_messages_per_source_per_second);
        let tap = self.inbox.tap();
        let mut take = |received: Received<'_>| {
            if plane.is_some_and(|p| p.is_native_interface(received.interface)) {
                counters.control_not_underlay += 1;
                return;
            }
            if !police.admit(now, received.from.ip(), rate) {
                counters.control_over_sender_rate += 1;
                return;
            }
            if tap.is_listening() {
                tap.show(&Passing {
                    now,
                    unix_ms: unix_ms(),
                    direction: Direction::Received,
                    peer: received.from,
                    local: Some(received.to.ip()),
                    payload: received.payload,
                });
            }
            let payload = received.payload.to_vec();
            events.push(Event::Datagram { from: received.from, to: received.to, payload });
        };
        let mut malformed = 0;
        for sockets in std::iter::once(&mut self.sockets).chain(&mut self.data_sockets) {
            sockets.receive(DATAGRAMS_PER_TURN, &mut take);
            malformed += sockets.malformed();
        }
        self.counters.control_malformed = malformed;
        events.into_iter().try_for_each(|event| self.event(event))
    }

    /// Reads the configuration aside: a large one takes a while.
    /// Puts a configuration in force, or keeps the old one and says why.
    fn on_config(&mut self, read: Result<Config, String>) -> Result<(), Error> {
        let path = self.reload.path().display();
        let refused = match read {
            Ok(new) => match needs_restart(&self.config, &new) {
                parts if parts.is_empty() => {
                    self.counters.config_reloads += 1;
                    tracing::info!("{path} is in force");
                    new.advice().iter().for_each(|sentence| tracing::warn!("{sentence}"));
                    return self.reconfigure(new);
                }
                parts => format!("{} can only change with a restart", parts.join(", ")),
            },
            Err(why) => why,
        };
        self.counters.config_reloads_refused += 1;
        tracing::error!("{path} is refused, the old configuration stays in force: {refused}");
        Ok(())
    }

    fn reconfigure(&mut self, new: Config) -> Result<(), Error> {
        let now = self.clock.now();
        self.config = new;
        if let Some(plane) = &mut self.plane {
            plane.reconfigure(now, &self.config);
        }
        let mut actions = Vec::new();
        let restarted = self.engine.reconfigure(now, &self.config, &mut actions)?;
        self.after_engine(now, restarted, actions)
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
        self.after_engine(now, restarted, actions)
    }

    /// Does what the engine wants; `actions` is kept for the next step.
    fn after_engine(&mut self, now: Time, restarted: bool, mut actions: Vec<Action>) -> Result<(), Error> {
        for action in actions.drain(..) {
            self.act(now, action);
        }
        self.actions = actions;
        if restarted {
            self.counters.engine_restarts += 1;
            if let Some(plane) = &mut self.plane {
                plane.on_engine_restart(now);
            }
            self.event(Event::Tick)?;
            return self.restore_nonces();
        }
        self.carry()
    }

    fn act(&mut self, now: Time, action: Action) {
        match action {
            Action::Send { port, source, to, payload } => self.send(now, (port, source), to, &payload),
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

    fn send(
        &mut self,
        now: Time,
        (port, source): (LocalPort, Option<IpAddr>),
        to: SocketAddr,
        payload: &[u8],
    ) {
        let tap = self.inbox.tap();
        if tap.is_listening() {
            let (direction, unix_ms) = (Direction::Sent, unix_ms());
            tap.show(&Passing { now, unix_ms, direction, peer: to, local: source, payload });
        }
        let sockets = match port {
            LocalPort::Control => Some(&self.sockets),
            LocalPort::Data => self.data_sockets.as_ref(),
        };
        match sockets.map_or(Err(SendError::NoSocket(to)), |sockets| sockets.send(source, to, payload)) {
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
