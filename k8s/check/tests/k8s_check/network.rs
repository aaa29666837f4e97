//! NetworkPolicies allow the arrows of the design, and nothing else.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use statetrail_k8s_check::network::{Party, Policies};
use statetrail_k8s_check::{find, jobs, name_of, overlays, project_folder, render, render_with};

const OURS: &str = "statetrail";

const fn ours(name: &'static str, labels: &'static [(&'static str, &'static str)]) -> Party {
    Party { name, namespace: OURS, labels, block: None }
}

const PARTIES: [Party; 18] = [
    ours("fluent-bit", &[("app.kubernetes.io/name", "fluent-bit")]),
    ours("sink", &[("app.kubernetes.io/name", "sink")]),
    ours("serve", &[("app.kubernetes.io/name", "serve")]),
    ours("migrate", &[("app.kubernetes.io/name", "migrate")]),
    ours("canary", &[("app.kubernetes.io/name", "canary")]),
    ours("cassandra", &[("app.kubernetes.io/name", "cassandra")]),
    ours(
        "kafka",
        &[
            ("strimzi.io/cluster", "kafka"),
            ("strimzi.io/kind", "Kafka"),
            ("strimzi.io/name", "kafka-kafka"),
        ],
    ),
    ours("dead-letters", &[("app.kubernetes.io/name", "dead-letters")]),
    ours("reset-offsets", &[("app.kubernetes.io/name", "reset-offsets")]),
    ours("stranger-inside", &[("app", "stranger")]),
    Party { name: "gateway", namespace: "gateway", labels: &[], block: None },
    Party { name: "ingress", namespace: "ingress", labels: &[], block: None },
    Party {
        name: "prometheus",
        namespace: "monitoring",
        labels: &[("app.kubernetes.io/name", "prometheus")],
        block: None,
    },
    Party { name: "keda", namespace: "keda", labels: &[("app", "keda-operator")], block: None },
    Party {
        name: "dns",
        namespace: "kube-system",
        labels: &[("k8s-app", "kube-dns")],
        block: None,
    },
    Party { name: "dns-cache", namespace: "", labels: &[], block: Some("169.254.20.10/32") },
    Party { name: "api-server", namespace: "kube-system", labels: &[], block: None },
    Party { name: "stranger", namespace: "shop", labels: &[], block: None },
];
const PORTS: [u64; 11] = [53, 2020, 6443, 7000, 8080, 9042, 9091, 9093, 9464, 9465, 22];

/// From, to, port; `kafka` may ask anybody on the API server's port, because that has no labels.
const ARROWS: [(&str, &str, u64); 8] = [
    ("fluent-bit", "kafka", 9093),
    ("sink", "kafka", 9093),
    ("sink", "cassandra", 9042),
    ("serve", "cassandra", 9042),
    ("migrate", "cassandra", 9042),
    ("cassandra", "cassandra", 7000),
    ("kafka", "kafka", 9091),
    ("kafka", "api-server", 6443),
];
/// What production has besides.
const WATCHERS: [(&str, &str, u64); 7] = [
    ("gateway", "serve", 8080),
    ("canary", "cassandra", 9042),
    ("prometheus", "canary", 9465),
    ("prometheus", "sink", 9464),
    ("prometheus", "serve", 8080),
    ("prometheus", "fluent-bit", 2020),
    ("keda", "kafka", 9093),
];

/// What Strimzi makes of a listener's peers, and lets its own pods do.
fn strimzis_policy(resources: &[Value]) -> Result<Value> {
    let listener = &find(resources, "Kafka/kafka")?["spec"]["kafka"]["listeners"][0];
    Ok(json!({"spec": {
        "podSelector": {"matchLabels": {"strimzi.io/cluster": "kafka", "strimzi.io/kind": "Kafka", "strimzi.io/name": "kafka-kafka"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": listener["networkPolicyPeers"], "ports": [{"port": listener["port"]}]},
            {"from": [{"podSelector": {"matchLabels": {"strimzi.io/cluster": "kafka"}}}], "ports": [{"port": 9091}]},
        ],
    }}))
}

/// Everything that is allowed and has to do with us.
fn allowed(resources: &[Value]) -> Result<BTreeSet<(&'static str, &'static str, u64)>> {
    let of_strimzi = strimzis_policy(resources)?;
    let mut policies = Policies::among(resources, OURS);
    policies.add(&of_strimzi);
    let mut found = BTreeSet::new();
    for from in PARTIES {
        for to in PARTIES {
            for port in PORTS {
                let concerns_us = from.namespace == OURS || to.namespace == OURS;
                if concerns_us && policies.allow(from, to, port) {
                    found.insert((from.name, to.name, port));
                }
            }
        }
    }
    Ok(found)
}

#[test]
fn policies_allow_the_arrows_of_the_design_and_nothing_else() -> Result<()> {
    for overlay in overlays()? {
        let found = allowed(&render(&overlay)?)?;
        let mut wanted: BTreeSet<_> = ARROWS.into_iter().collect();
        if overlay.ends_with("production") {
            wanted.extend(WATCHERS);
        }
        for party in PARTIES {
            if party.namespace == OURS {
                wanted.extend(["dns", "dns-cache"].map(|names| (party.name, names, 53)));
            } else {
                wanted.insert(("kafka", party.name, 6443));
            }
        }
        let more: Vec<_> = found.difference(&wanted).collect();
        let less: Vec<_> = wanted.difference(&found).collect();
        ensure!(more.is_empty() && less.is_empty(), "too much: {more:?}, too little: {less:?}");
    }
    Ok(())
}

/// In the place of the Gateway, an Ingress controller reaches the server, and nothing else changes.
#[test]
fn an_ingress_controller_reaches_the_server() -> Result<()> {
    let before = allowed(&render(&project_folder().join("k8s/base"))?)?;
    let found = allowed(&render_with(&["k8s/components/ingress"])?)?;
    let more: Vec<_> = found.difference(&before).collect();
    ensure!(more == [&("ingress", "serve", 8080)] && before.is_subset(&found), "{more:?}");
    Ok(())
}

/// What somebody runs by hand reaches Kafka, and makes nobody reach anything else.
#[test]
fn what_is_run_by_hand_reaches_kafka() -> Result<()> {
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    let before = allowed(&resources)?;
    for folder in jobs()? {
        let mut with = resources.clone();
        with.extend(render(&folder)?);
        let name = folder.file_name().and_then(|name| name.to_str()).context("no name")?;
        let found = allowed(&with)?;
        let more: Vec<_> = found.difference(&before).collect();
        ensure!(more.len() == 1 && before.is_subset(&found), "{name}: {more:?}");
        ensure!((more[0].0, more[0].1, more[0].2) == (name, "kafka", 9093), "{name}: {more:?}");
    }
    Ok(())
}

/// No policy is there for nothing, and the test above sees each.
#[test]
fn without_any_of_the_policies_something_else_is_allowed() -> Result<()> {
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    let found = allowed(&resources)?;
    let mut policies = 0;
    for (index, resource) in resources.iter().enumerate() {
        if resource["kind"] != "NetworkPolicy" {
            continue;
        }
        let mut others = resources.clone();
        others.remove(index);
        ensure!(allowed(&others)? != found, "{} does nothing", name_of(resource));
        policies += 1;
    }
    ensure!(policies > 8, "{policies}");
    Ok(())
}
