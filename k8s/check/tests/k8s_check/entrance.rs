//! What people outside of the cluster can ask the server for: everything but what is for the cluster.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use statetrail_k8s_check::{Schemas, find, project_folder, render_with};

/// What asks for no token, because only the cluster asks.
const OF_CLUSTER: [&str; 2] = ["/health", "/metrics"];

/// The first parts of all addresses that the server answers.
fn routes() -> Result<BTreeSet<String>> {
    let mut routes = BTreeSet::new();
    for source in ["server/src/routes.rs", "server/src/pages/mod.rs"] {
        let text = fs::read_to_string(project_folder().join(source))?;
        for call in [".route(\"/", ".nest(\"/"] {
            for rest in text.split(call).skip(1) {
                let first = rest.split(['/', '"']).next().context("no route")?;
                routes.insert(format!("/{first}"));
            }
        }
    }
    for path in OF_CLUSTER {
        ensure!(routes.remove(path), "{path} is not among {routes:?}");
    }
    ensure!(routes.contains("/") && routes.contains("/api") && routes.len() > 8, "{routes:?}");
    Ok(routes)
}

fn resource(component: &str, name: &str) -> Result<Value> {
    let resources = render_with(&[component])?;
    let resource = find(&resources, name)?;
    let faults = Schemas::read()?.faults(resource)?;
    ensure!(faults.is_empty(), "{name}: {faults:#?}");
    Ok(resource.clone())
}

/// Paths with how each is compared; only the overview's own is exact, as all others are below it.
fn ensure_all(paths: &[(Option<&str>, Option<&str>)], prefix: &str) -> Result<()> {
    let mut found = BTreeSet::new();
    for (path, kind) in paths {
        let (path, kind) = (path.context("no path")?, kind.context("no type")?);
        ensure!(kind == if path == "/" { "Exact" } else { prefix }, "{path} is {kind}");
        ensure!(found.insert(path.to_owned()), "{path} is there twice");
    }
    ensure!(found == routes()?, "{found:?}");
    Ok(())
}

#[test]
fn a_gateway_lets_in_whatever_is_for_people() -> Result<()> {
    let route = resource("k8s/components/gateway", "HTTPRoute/serve")?;
    let rules = route["spec"]["rules"].as_array().context("no rules")?;
    ensure!(rules.len() == 1, "{rules:?}");
    let matches = rules[0]["matches"].as_array().context("no matches")?;
    let paths =
        matches.iter().map(|it| (it["path"]["value"].as_str(), it["path"]["type"].as_str()));
    ensure_all(&paths.collect::<Vec<_>>(), "PathPrefix")
}

#[test]
fn an_ingress_lets_in_whatever_is_for_people() -> Result<()> {
    let ingress = resource("k8s/components/ingress", "Ingress/serve")?;
    let paths = ingress.pointer("/spec/rules/0/http/paths").and_then(Value::as_array);
    let paths = paths.context("no paths")?.iter();
    let paths = paths.map(|it| (it["path"].as_str(), it["pathType"].as_str()));
    ensure_all(&paths.collect::<Vec<_>>(), "Prefix")
}
