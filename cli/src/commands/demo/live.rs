//! The shop goes on working while its dashboard is looked at: what its services log comes into the
//! store as it happens.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use statetrail_event::Time;
use statetrail_rules::{ContainerName, Extractor, Line, Origin, RuleSet, ScopeId};
use statetrail_shop::{
    Amount, CONTAINER, LineSink, LogLine, NAMESPACE, Pace, ShopConfig, generate,
};
use statetrail_store::{EventStore, KnownEvent};

use crate::clock::time_of_timestamp;
use crate::commands::import::append;
use crate::failure::{Exit, Failure};

/// How often somebody who waits looks whether to end.
const LOOK: Duration = Duration::from_millis(50);
const LINES_PER_SECOND: u32 = 24;
/// So few that an order goes through its hours within minutes.
const ORDERS_PER_HOUR: u32 = 20;

/// A shop at work.
pub(super) struct LiveShop {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl LiveShop {
    /// Opens it; its orders come behind so many that others took.
    pub(super) fn open(
        store: Arc<dyn EventStore>,
        rules: RuleSet,
        seed: u64,
        orders_before: u64,
    ) -> Result<LiveShop, Failure> {
        let config = ShopConfig {
            seed: seed.wrapping_add(1),
            start: time_of_timestamp(Timestamp::now()),
            amount: Amount::Lines(u64::MAX),
            pace: Pace::LinesPerSecond(LINES_PER_SECOND),
            orders_per_hour: ORDERS_PER_HOUR,
            orders_before: u32::try_from(orders_before).unwrap_or(u32::MAX / 2),
            skew: Duration::ZERO,
            ..ShopConfig::default()
        };
        let stop = Arc::new(AtomicBool::new(false));
        let mut log = LiveLog {
            store,
            rules,
            extractor: Extractor::new(),
            pods: Vec::new(),
            stop: Arc::clone(&stop),
        };
        let work = move || {
            let ended = generate(&config, &mut log, None);
            if let (Err(error), false) = (ended, log.is_stopped()) {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                eprintln!("statetrail: the shop closed: {error}{cause}");
            }
        };
        let thread = thread::Builder::new().name("shop".to_owned()).spawn(work);
        let no_thread = |error| Failure::new(Exit::Failed, format!("no thread: {error}"));
        Ok(LiveShop { stop, thread: thread.map_err(no_thread)? })
    }

    /// Closes it.
    pub(super) fn close(self) {
        self.stop.store(true, Ordering::Relaxed);
        // It has told why, if it ended badly.
        let _ = self.thread.join();
    }
}

/// Takes lines at the moment that they are written.
struct LiveLog {
    store: Arc<dyn EventStore>,
    rules: RuleSet,
    extractor: Extractor,
    /// By the pod's number.
    pods: Vec<Option<PodLog>>,
    stop: Arc<AtomicBool>,
}

struct PodLog {
    origin: Origin,
    scope: Option<ScopeId>,
    /// Bytes of the log so far.
    offset: u64,
}

impl LiveLog {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits until a moment has come. Returns whether the shop is still open then.
    fn wait_until(&self, time: Time) -> bool {
        while !self.is_stopped() {
            let now = time_of_timestamp(Timestamp::now()).nanos();
            let left = time.nanos().saturating_sub(now);
            if left <= 0 {
                return true;
            }
            thread::sleep(Duration::from_nanos(left.unsigned_abs()).min(LOOK));
        }
        false
    }
}

impl LineSink for LiveLog {
    fn line(&mut self, line: &LogLine<'_>) -> io::Result<()> {
        if !self.wait_until(line.time) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let number = line.pod.index;
        if self.pods.len() <= number {
            self.pods.resize_with(number + 1, || None);
        }
        let rules = &mut self.rules;
        let log = self.pods[number].get_or_insert_with(|| {
            let pod = &line.pod.name;
            let name = ContainerName { namespace: NAMESPACE, pod, container: CONTAINER };
            PodLog {
                origin: Origin::container(name, Some(line.pod.node), Some(&line.pod.file_name())),
                scope: rules.scope(NAMESPACE, CONTAINER),
                offset: 0,
            }
        });
        let offset = log.offset;
        log.offset += line.text.len() as u64 + 1;
        let Some(scope) = log.scope else { return Ok(()) };
        let read =
            Line { bytes: line.text, time: line.time, position: offset, offset: Some(offset) };
        let mut events = Vec::new();
        self.extractor.events(&self.rules, scope, &log.origin, &read, &mut events);
        if events.is_empty() {
            return Ok(());
        }
        let known_at = time_of_timestamp(Timestamp::now());
        let events: Vec<KnownEvent> =
            events.into_iter().map(|event| KnownEvent { event, known_at }).collect();
        append(&*self.store, &events).map(|_| ()).map_err(io::Error::other)
    }
}
