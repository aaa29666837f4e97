//! The services of the shop, their pods and the nodes that these run on.

use std::time::Duration;

use crate::dice::{Dice, Purpose};
use crate::entity::NAMESPACE;

/// The name of the one container in each pod.
pub const CONTAINER: &str = "app";

/// The nodes of the cluster.
pub const NODES: [&str; 4] = ["worker-a", "worker-b", "worker-c", "worker-d"];

/// The characters that Kubernetes makes generated names of: no vowels, hence no words.
const NAME_CHARACTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A service of the shop; each writes logs in its own style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The door to the others: access logs, no entity.
    Gateway,
    /// Takes orders: text, as Spring Boot writes it.
    Checkout,
    /// Takes money: JSON.
    Payment,
    /// Keeps the stock and packs: logfmt.
    Inventory,
    /// Sends parcels: text, as Python's logging writes it.
    Shipping,
    /// Sends mails: JSON in ASCII.
    Notification,
    /// Hears where the couriers are: logfmt.
    Tracking,
}

/// One replica of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its place in the fleet, from 0.
    pub index: usize,
    /// Which service it runs.
    pub service: Service,
    /// Such as `checkout-6f9c7d5b8-x2k4q`.
    pub name: String,
    /// Where it runs.
    pub node: &'static str,
    /// The container's id, 64 hexadecimal digits.
    pub container_id: String,
    /// How far the node's clock is ahead of the true time, in nanoseconds.
    pub(crate) clock_ahead: i64,
}

/// All pods.
pub(crate) struct Fleet {
    pods: Vec<Pod>,
}

impl Service {
    /// Every service.
    pub const ALL: [Service; 7] = [
        Service::Gateway,
        Service::Checkout,
        Service::Payment,
        Service::Inventory,
        Service::Shipping,
        Service::Notification,
        Service::Tracking,
    ];

    /// The service's name, with which the names of its pods begin.
    pub fn name(self) -> &'static str {
        match self {
            Service::Gateway => "gateway",
            Service::Checkout => "checkout",
            Service::Payment => "payment",
            Service::Inventory => "inventory",
            Service::Shipping => "shipping",
            Service::Notification => "notification",
            Service::Tracking => "tracking",
        }
    }

    fn replicas(self) -> usize {
        match self {
            Service::Checkout => 3,
            Service::Gateway | Service::Payment | Service::Inventory | Service::Shipping => 2,
            Service::Notification | Service::Tracking => 1,
        }
    }
}

impl Pod {
    /// The name of the container's log file, as the kubelet names it in `/var/log/containers`.
    pub fn file_name(&self) -> String {
        format!("{}_{NAMESPACE}_{CONTAINER}-{}.log", self.name, self.container_id)
    }
}

impl Fleet {
    /// Starts every pod on a node whose clock is off by up to `skew`.
    pub(crate) fn start(seed: u64, skew: Duration) -> Fleet {
        let mut dice = Dice::new(seed, Purpose::Fleet);
        let skew = skew.as_nanos() as i64;
        let clocks = NODES.map(|node| (node, dice.between(-skew, skew)));
        let mut pods = Vec::new();
        for service in Service::ALL {
            let template = random_name(&mut dice, 9);
            for _ in 0..service.replicas() {
                let index = pods.len();
                // Replicas of one service go to different nodes, as a scheduler spreads them.
                let (node, clock_ahead) = clocks[index % NODES.len()];
                let name = format!("{}-{template}-{}", service.name(), random_name(&mut dice, 5));
                let container_id = [(); 4].map(|()| format!("{:016x}", dice.bits())).concat();
                pods.push(Pod { index, service, name, node, container_id, clock_ahead });
            }
        }
        Fleet { pods }
    }

    pub(crate) fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// One of the service's pods, as a load balancer would pick it.
    pub(crate) fn any_pod(&self, service: Service, dice: &mut Dice) -> &Pod {
        let first = self.pods.partition_point(|pod| pod.service < service);
        &self.pods[first + dice.below(service.replicas() as u32) as usize]
    }
}

fn random_name(dice: &mut Dice, length: usize) -> String {
    let mut character =
        || char::from(NAME_CHARACTERS[dice.below(NAME_CHARACTERS.len() as u32) as usize]);
    (0..length).map(|_| character()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pod_can_be_picked_and_belongs_to_its_service() {
        let fleet = Fleet::start(7, Duration::from_millis(5));
        let mut dice = Dice::new(7, Purpose::Journal);
        let mut seen = vec![false; fleet.pods().len()];
        for service in Service::ALL {
            for _ in 0..100 {
                let pod = fleet.any_pod(service, &mut dice);
                assert_eq!(pod.service, service);
                seen[pod.index] = true;
            }
        }
        assert!(seen.iter().all(|seen| *seen), "{seen:?}");
    }

    #[test]
    fn replicas_run_on_different_nodes() {
        let fleet = Fleet::start(7, Duration::ZERO);
        let nodes = |service| -> Vec<&str> {
            fleet.pods().iter().filter(|pod| pod.service == service).map(|pod| pod.node).collect()
        };
        let mut checkout = nodes(Service::Checkout);
        checkout.sort_unstable();
        checkout.dedup();
        assert_eq!(checkout.len(), 3);
    }
}
