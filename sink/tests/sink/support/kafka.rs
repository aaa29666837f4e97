//! Topics of a test's own, filled and read.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use statetrail_event::Event;

use super::{WITHIN, message, wait_until};

/// A topic and its dead-letter topic.
pub(crate) struct Topic {
    pub(crate) brokers: String,
    pub(crate) name: String,
    producer: BaseProducer,
    /// Asks about the sinks' group, which has the topic's name, and never joins it.
    group: BaseConsumer,
}

impl Topic {
    /// A new one with that many partitions.
    pub(crate) fn new(brokers: &str, name: &str, partitions: i32) -> Topic {
        Topic::with(brokers, name, partitions, &[])
    }

    /// The same with settings of the broker for both.
    pub(crate) fn with(
        brokers: &str,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Topic {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{number}", std::process::id());
        let letters = format!("{name}.dead-letter");
        let new = |name, partitions| {
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
            settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        };
        let topics = [new(&name, partitions), new(&letters, 1)];
        run(async {
            let made = admin(brokers).create_topics(&topics, &options()).await.unwrap();
            made.into_iter().for_each(|result| drop(result.unwrap()));
        });
        let producer = config(brokers)
            .set("message.max.bytes", "40000000")
            .set("queue.buffering.max.messages", "1000000")
            .set("linger.ms", "5")
            .set("message.timeout.ms", "120000")
            .set("topic.metadata.refresh.interval.ms", "500")
            .create()
            .unwrap();
        let group = config(brokers).set("group.id", &name).create().unwrap();
        Topic { brokers: brokers.to_owned(), name, producer, group }
    }

    pub(crate) fn dead_letter_name(&self) -> String {
        format!("{}.dead-letter", self.name)
    }

    /// Each event in a message of its own, with its entity as key.
    pub(crate) fn produce(&self, events: &[Event]) {
        self.produce_at(None, events);
    }

    /// The same with a timestamp, in milliseconds since 1970.
    pub(crate) fn produce_at(&self, millis: Option<i64>, events: &[Event]) {
        for event in events {
            let value = message(std::slice::from_ref(event));
            self.send_at(millis, Some(event.entity.as_str().as_bytes()), Some(&value), &[]);
        }
        self.flush();
    }

    /// Any message; it is there after [`Topic::flush`].
    pub(crate) fn send(&self, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, &str)]) {
        self.send_at(None, key, value, headers);
    }

    /// The same with a timestamp, in milliseconds since 1970.
    pub(crate) fn send_at(
        &self,
        millis: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, &str)],
    ) {
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) })
        });
        loop {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.name);
            (record.key, record.payload, record.timestamp) = (key, value, millis);
            record.headers = (headers.count_headers() > 0).then(|| headers.clone());
            match self.producer.send(record) {
                Ok(()) => break,
                Err(_) => {
                    self.producer.poll(Duration::from_millis(10));
                }
            }
        }
        self.producer.poll(Duration::ZERO);
    }

    pub(crate) fn flush(&self) {
        self.producer.flush(Duration::from_secs(120)).unwrap();
    }

    /// From now on it has that many partitions.
    pub(crate) fn grow(&self, partitions: usize) {
        run(async {
            let grown = [NewPartitions::new(&self.name, partitions)];
            let results = admin(&self.brokers).create_partitions(&grown, &options()).await.unwrap();
            results.into_iter().for_each(|result| drop(result.unwrap()));
        });
    }

    /// What its group has committed, by partition, and where the partition ends.
    pub(crate) fn committed(&self) -> Vec<(i64, i64)> {
        let committed = self.group.committed_offsets(self.partitions(), WITHIN).unwrap();
        let ends = |partition| self.group.fetch_watermarks(&self.name, partition, WITHIN).unwrap();
        let elements = committed.elements();
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        elements.iter().map(|it| (offset(it.offset()), ends(it.partition()).1)).collect()
    }

    /// Sets its group, which must have no members, back to where the topic begins.
    pub(crate) fn rewind(&self) {
        let mut partitions = self.partitions();
        partitions.set_all_offsets(Offset::Offset(0)).unwrap();
        self.group.commit(&partitions, CommitMode::Sync).unwrap();
    }

    fn partitions(&self) -> TopicPartitionList {
        let metadata = self.group.fetch_metadata(Some(&self.name), WITHIN).unwrap();
        let partitions = metadata.topics()[0].partitions().len();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.name, 0, partitions as i32 - 1);
        list
    }

    /// Waits until its group has committed everything.
    pub(crate) fn wait_until_committed(&self) {
        wait_until("every offset is committed", || {
            self.committed().iter().all(|(committed, end)| committed == end)
        });
    }
}

trait CountHeaders {
    fn count_headers(&self) -> usize;
}

impl CountHeaders for OwnedHeaders {
    fn count_headers(&self) -> usize {
        use rdkafka::message::Headers;
        self.count()
    }
}

/// Waits for that many dead letters of a topic.
pub(crate) fn dead_letters(topic: &Topic, count: usize) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = config(&topic.brokers)
        .set("group.id", "test")
        .set("fetch.message.max.bytes", "20000000")
        .create()
        .unwrap();
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(&topic.dead_letter_name(), 0, Offset::Beginning).unwrap();
    consumer.assign(&place).unwrap();
    let mut letters = Vec::new();
    wait_until(&format!("{count} dead letters"), || {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            letters.push(message.detach());
        }
        letters.len() >= count
    });
    letters
}

pub(crate) fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    config(brokers).create().unwrap()
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(WITHIN))
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}
