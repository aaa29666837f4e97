//! Whether the sink is ready, and if not, why not.
//!
//! Nothing sends requests to a sink, so readiness steers no traffic: it is there for rollouts and
//! for people. A new version that cannot reach its store must not replace the one that can, and
//! whoever looks must see what is away. That is why it is no latch: it goes back to unready when Kafka,
//! the store or the dead-letter topic has been away for longer than `unready_after`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The state of what the sink depends on.
#[derive(Debug)]
pub struct Health {
    unready_after: Duration,
    joined: AtomicBool,
    opened: AtomicBool,
    draining: AtomicBool,
    kafka: Away,
    store: Away,
    dead_letters: Away,
}

/// Since when something is away, and what it said last.
#[derive(Debug, Default)]
struct Away(Mutex<Option<(Instant, String)>>);

impl Away {
    fn lock(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a failure; tells whether it is the first one.
    fn fails(&self, reason: String) -> bool {
        let mut away = self.lock();
        let since = away.as_ref().map(|(since, _)| *since);
        *away = Some((since.unwrap_or_else(Instant::now), reason));
        since.is_none()
    }

    /// Notes a success; tells for how long it had been away.
    fn works(&self) -> Option<Duration> {
        self.lock().take().map(|(since, _)| since.elapsed())
    }

    fn reason(&self, name: &str, longer_than: Duration) -> Option<String> {
        let away = self.lock();
        let (since, reason) = away.as_ref()?;
        let seconds = since.elapsed().as_secs();
        (since.elapsed() >= longer_than)
            .then(|| format!("{name} has been away for {seconds} s: {reason}"))
    }
}

impl Health {
    /// Nothing is ready yet.
    pub fn new(unready_after: Duration) -> Health {
        Health {
            unready_after,
            joined: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            kafka: Away::default(),
            store: Away::default(),
            dead_letters: Away::default(),
        }
    }

    /// The store is open and its form fits.
    pub fn store_opened(&self) {
        self.opened.store(true, Ordering::Relaxed);
    }

    /// The group has given us our share of partitions, which may be none.
    pub fn group_joined(&self) {
        self.joined.store(true, Ordering::Relaxed);
    }

    /// The sink was asked to stop.
    pub fn draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Kafka did not answer.
    pub fn kafka_fails(&self, reason: &dyn std::fmt::Display) {
        if self.kafka.fails(reason.to_string()) {
            tracing::warn!(error = %reason, "kafka does not answer, trying on");
        }
    }

    /// Kafka answered.
    pub fn kafka_works(&self) {
        if let Some(away) = self.kafka.works() {
            tracing::info!(away_seconds = away.as_secs_f64(), "kafka answers again");
        }
    }

    /// Whether Kafka's last answer did not come.
    pub fn is_kafka_away(&self) -> bool {
        self.kafka.lock().is_some()
    }

    /// The store did not take a batch.
    pub fn store_fails(&self, reason: &dyn std::fmt::Display) {
        if self.store.fails(reason.to_string()) {
            tracing::error!(error = %reason, "the store does not take events, trying on");
        }
    }

    /// The store took a batch.
    pub fn store_works(&self) {
        if let Some(away) = self.store.works() {
            tracing::info!(away_seconds = away.as_secs_f64(), "the store takes events again");
        }
    }

    /// A dead letter was not delivered.
    pub fn dead_letters_fail(&self, topic: &str, reason: &dyn std::fmt::Display) {
        if self.dead_letters.fails(format!("{topic}: {reason}")) {
            tracing::error!(topic, error = %reason, "the dead-letter topic takes nothing, trying on");
        }
    }

    /// A dead letter was delivered.
    pub fn dead_letters_work(&self) {
        if let Some(away) = self.dead_letters.works() {
            tracing::info!(away_seconds = away.as_secs_f64(), "the dead-letter topic works again");
        }
    }

    /// Why the sink is not ready, or `None` if it is.
    pub fn unready(&self) -> Option<String> {
        if !self.opened.load(Ordering::Relaxed) {
            return Some("the store is not open yet".to_owned());
        }
        if !self.joined.load(Ordering::Relaxed) {
            return Some("the consumer group is not joined yet".to_owned());
        }
        if self.draining.load(Ordering::Relaxed) {
            return Some("stopping".to_owned());
        }
        let away = |(name, away): (&str, &Away)| away.reason(name, self.unready_after);
        let all = [
            ("Kafka", &self.kafka),
            ("the store", &self.store),
            ("the dead-letter topic", &self.dead_letters),
        ];
        all.into_iter().find_map(away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_when_all_is_there_and_not_for_good() {
        let health = Health::new(Duration::ZERO);
        assert_eq!(health.unready().as_deref(), Some("the store is not open yet"));
        health.store_opened();
        assert_eq!(health.unready().as_deref(), Some("the consumer group is not joined yet"));
        health.group_joined();
        assert_eq!(health.unready(), None);
        health.store_fails(&"timeout");
        health.store_fails(&"refused");
        let reason = health.unready().unwrap();
        assert_eq!(reason, "the store has been away for 0 s: refused");
        health.store_works();
        health.dead_letters_fail("t", &"denied");
        assert!(health.unready().unwrap().ends_with("t: denied"));
        health.dead_letters_work();
        assert_eq!(health.unready(), None);
        health.kafka_fails(&"refused");
        assert_eq!(health.unready().as_deref(), Some("Kafka has been away for 0 s: refused"));
        health.kafka_works();
        assert!(!health.is_kafka_away() && health.unready().is_none());
        health.draining();
        assert_eq!(health.unready().as_deref(), Some("stopping"));
    }

    #[test]
    fn a_short_absence_is_no_reason() {
        let health = Health::new(Duration::from_secs(3600));
        health.store_opened();
        health.group_joined();
        health.store_fails(&"timeout");
        assert_eq!(health.unready(), None);
    }
}
