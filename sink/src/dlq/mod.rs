//! Dead letters for people: list them, show one, send them back. Used by `statetrail dlq`.
//!
//! A letter stays in its topic until the topic's retention removes it, also after it was sent
//! back. Sending back twice does no harm: what is stored already is not stored again (I3).

mod letter;
mod read;
mod replay;

use std::path::Path;

pub use letter::{Letter, Origin, Place};
pub use read::{Filter, read};
pub use replay::{Replayed, replay};

use crate::settings::layers::Layers;
use crate::settings::{KafkaSettings, Settings};

/// A dead-letter topic and how to reach it.
#[derive(Clone, Debug)]
pub struct DeadLetterTopic {
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// The topic's name.
    pub topic: String,
}

impl DeadLetterTopic {
    /// The topic as a configuration file of the sink says, or as stated; what is stated counts
    /// before the file. Without a name the file has to read exactly one topic, whose dead letters
    /// are meant.
    ///
    /// # Errors
    /// Every fault, a line each.
    pub fn find(
        config: Option<&Path>,
        brokers: Option<&str>,
        topic: Option<&str>,
    ) -> Result<DeadLetterTopic, Vec<String>> {
        let mut layers = Layers::of_defaults();
        if let Some(path) = config {
            layers.read_file(path);
        }
        if let Some(brokers) = brokers {
            layers.set("kafka.brokers", brokers, "--brokers");
        }
        let template = layers.given.get("dead_letter.topic").map(|given| given.text.clone());
        if let Some(topic) = topic {
            layers.set("kafka.topics", topic, "--topic");
        }
        let is_needed = |key| !layers.given.contains_key(key);
        let mut missing = Vec::new();
        for (key, flag) in [("kafka.brokers", "--brokers"), ("kafka.topics", "--topic")] {
            if is_needed(key) {
                missing.push(format!(
                    "{flag} is missing; it may also stand in --kafka-config as {key}"
                ));
            }
        }
        if !missing.is_empty() && !layers.lacks_file {
            missing.extend(layers.faults);
            return Err(missing);
        }
        let kafka = Settings::check_kafka(layers)?;
        let topic = match (topic, kafka.topics.as_slice()) {
            (Some(topic), _) => topic.to_owned(),
            (None, [read]) => template.unwrap_or_default().replace("{topic}", read),
            (None, _) => {
                return Err(vec![
                    "the file reads several topics: say which dead letters with --topic".to_owned(),
                ]);
            }
        };
        Ok(DeadLetterTopic { kafka, topic })
    }
}
