//! Who may talk to whom, as NetworkPolicies say it.

use serde_json::{Map, Value};

/// Somebody who talks or is talked to.
#[derive(Clone, Copy, Debug)]
pub struct Party {
    /// What it is called here.
    pub name: &'static str,
    /// Its namespace.
    pub namespace: &'static str,
    /// Its pods' labels.
    pub labels: &'static [(&'static str, &'static str)],
    /// The block that is its address alone, where it is no pod.
    pub block: Option<&'static str>,
}

/// Policies that allow a connection, on both of its sides.
#[derive(Debug)]
pub struct Policies<'a> {
    policies: Vec<&'a Value>,
    namespace: &'static str,
}

impl<'a> Policies<'a> {
    /// Those among rendered resources, all of one namespace.
    #[must_use]
    pub fn among(resources: &'a [Value], namespace: &'static str) -> Policies<'a> {
        let is_policy = |resource: &&Value| resource["kind"] == "NetworkPolicy";
        Policies { policies: resources.iter().filter(is_policy).collect(), namespace }
    }

    /// Adds a policy that somebody else makes.
    pub fn add(&mut self, policy: &'a Value) {
        self.policies.push(policy);
    }

    /// Whether both sides allow it.
    #[must_use]
    pub fn allow(&self, from: Party, to: Party, port: u64) -> bool {
        self.side_allows(from, to, port, "Egress") && self.side_allows(to, from, port, "Ingress")
    }

    /// Whether the policies of `own` allow it; a pod that no policy is for may do everything.
    fn side_allows(&self, own: Party, other: Party, port: u64, direction: &str) -> bool {
        if own.namespace != self.namespace {
            return true;
        }
        let (list, peers) =
            if direction == "Egress" { ("egress", "to") } else { ("ingress", "from") };
        let is_for_own = |policy: &&&Value| {
            has(&policy["spec"]["policyTypes"], direction)
                && selects(&policy["spec"]["podSelector"], own.labels)
        };
        let mut policies = self.policies.iter().filter(is_for_own).peekable();
        if policies.peek().is_none() {
            return true;
        }
        policies.any(|policy| {
            let rules = policy["spec"][list].as_array().into_iter().flatten();
            rules.into_iter().any(|rule| {
                let ports = rule["ports"].as_array().into_iter().flatten();
                let mut ports = ports.map(|allowed| &allowed["port"]);
                // Without ports every one is allowed.
                (rule["ports"].is_null() || ports.any(|allowed| *allowed == port))
                    && self.peers_have(&rule[peers], other)
            })
        })
    }

    fn peers_have(&self, peers: &Value, other: Party) -> bool {
        let Some(peers) = peers.as_array() else { return true };
        peers.iter().any(|peer| {
            // A block is for addresses outside of the cluster, and stands alone.
            if let Some(block) = peer.get("ipBlock") {
                assert!(block["except"].is_null(), "exceptions are not understood here");
                return other.block.is_some_and(|own| block["cidr"] == own);
            }
            let namespace = match peer.get("namespaceSelector") {
                None => other.namespace == self.namespace,
                Some(selector) => {
                    selects(selector, &[("kubernetes.io/metadata.name", other.namespace)])
                }
            };
            let pods = peer.get("podSelector");
            namespace && pods.is_none_or(|selector| selects(selector, other.labels))
        })
    }
}

fn has(list: &Value, wanted: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|item| item == wanted))
}

fn selects(selector: &Value, labels: &[(&str, &str)]) -> bool {
    let none = Map::new();
    let wanted = selector["matchLabels"].as_object().unwrap_or(&none);
    // Nothing but matchLabels is used, and what is not understood must not count as allowed or not.
    assert!(selector["matchExpressions"].is_null(), "matchExpressions are not understood here");
    wanted.iter().all(|(key, value)| labels.iter().any(|(known, is)| known == key && value == is))
}
