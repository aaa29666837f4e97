//! Alerts fire and are silent as they should, the dashboard is one that Grafana takes, and both ask
//! for metrics that exist.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use statetrail_k8s_check::{name_of, project_folder, read_yaml, render, succeed, tool};

const FOLDER: &str = "k8s/components/monitoring";
/// Whoever has alerts.
const FOLDERS: [&str; 2] = [FOLDER, "k8s/components/canary"];
/// How names of our metrics begin, and where they are made.
const OURS: [(&str, &str); 3] = [
    ("sink_", "sink/src/metrics.rs"),
    ("statetrail_server_", "server/src/metrics.rs"),
    ("statetrail_canary_", "cli/src/commands/canary/metrics.rs"),
];
/// What Fluent Bit 5.1.1 and kube-state-metrics call theirs, of what is asked for.
const OTHERS: [&str; 8] = [
    "fluentbit_input_records_total",
    "fluentbit_logger_logs_total",
    "fluentbit_output_dropped_records_total",
    "fluentbit_output_proc_records_total",
    "fluentbit_output_retries_total",
    "fluentbit_storage_fs_chunks",
    "up",
    "kube_",
];

fn file(folder: &str, name: &str) -> Result<String> {
    let path = project_folder().join(folder).join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn alerts() -> Result<Vec<Value>> {
    let mut alerts = Vec::new();
    for folder in FOLDERS {
        let rules = read_yaml(&file(folder, "alerts.yaml")?)?;
        let rules = rules.pointer("/spec/groups/0/rules").and_then(Value::as_array);
        alerts.extend(rules.context("no alerts")?.iter().cloned());
    }
    Ok(alerts)
}

#[test]
fn promtool_takes_the_alerts_and_their_tests_pass() -> Result<()> {
    let promtool = tool("promtool")?;
    for (of, wrong) in
        FOLDERS.into_iter().zip([("> 500000", "> 5000000"), ("lost) > 0", "lost) > 9")])
    {
        let folder = tempfile::tempdir()?;
        let alerts = file(of, "alerts.yaml")?;
        // JSON is YAML.
        fs::write(folder.path().join("rules.yaml"), read_yaml(&alerts)?["spec"].to_string())?;
        fs::write(folder.path().join("tests.yaml"), file(of, "alerts.test.yaml")?)?;
        let run = |arguments: [&str; 3]| {
            succeed(Command::new(&promtool).args(arguments).current_dir(folder.path()))
        };
        println!("{}", run(["check", "rules", "rules.yaml"])?);
        println!("{}", run(["test", "rules", "tests.yaml"])?);
        // An alert that never fires fails its test, or these would say nothing.
        let never = alerts.replace(wrong.0, wrong.1);
        fs::write(folder.path().join("rules.yaml"), read_yaml(&never)?["spec"].to_string())?;
        ensure!(run(["test", "rules", "tests.yaml"]).is_err(), "a wrong alert of {of} passes");
    }
    Ok(())
}

/// Each alert is tested both ways, and told of in the documents.
#[test]
fn each_alert_is_tested_and_documented() -> Result<()> {
    let document = fs::read_to_string(project_folder().join("docs/operate.md"))?;
    let mut tested = Vec::new();
    for folder in FOLDERS {
        let tests = read_yaml(&file(folder, "alerts.test.yaml")?)?;
        let tests = tests["tests"].as_array().context("no tests")?;
        tested.extend(tests.iter().map(|test| test["alert_rule_test"][0].clone()));
    }
    let mut names = BTreeSet::new();
    for alert in alerts()? {
        let name = alert["alert"].as_str().context("no name")?.to_owned();
        let of_name: Vec<&Value> = tested.iter().filter(|test| test["alertname"] == name).collect();
        let fires = |test: &&&Value| test["exp_alerts"].as_array().is_some_and(|it| !it.is_empty());
        ensure!(of_name.iter().any(|test| fires(&test)), "nothing lets {name} fire");
        ensure!(!of_name.iter().all(|test| fires(&test)), "nothing lets {name} be silent");
        ensure!(document.contains(&format!("`{name}`")), "docs/operate.md does not tell of {name}");
        names.insert(name);
    }
    let told = document
        .split('`')
        .filter(|part| part.starts_with("Statetrail") && part.chars().all(char::is_alphanumeric));
    for name in told {
        ensure!(names.contains(name), "docs/operate.md tells of {name}, which does not exist");
    }
    Ok(())
}

/// Prometheus takes only what has the label that it asks for, and the documents name it.
#[test]
fn what_prometheus_is_to_take_has_its_label() -> Result<()> {
    let resources = render(&project_folder().join("k8s/overlays/production"))?;
    let mut labelled = BTreeSet::new();
    for resource in &resources {
        let kind = resource["kind"].as_str().unwrap_or_default();
        if ["PodMonitor", "ServiceMonitor", "PrometheusRule"].contains(&kind) {
            let label = &resource["metadata"]["labels"]["release"];
            ensure!(label == "kube-prometheus-stack", "{} has {label}", name_of(resource));
            labelled.insert(name_of(resource));
        }
    }
    for name in ["sink", "serve", "fluent-bit", "canary"] {
        ensure!(labelled.contains(&format!("PodMonitor/{name}")), "nobody asks {name}");
    }
    for name in ["PrometheusRule/statetrail", "PrometheusRule/canary"] {
        ensure!(labelled.contains(name), "there is no {name}");
    }
    let document = fs::read_to_string(project_folder().join("docs/install.md"))?;
    ensure!(document.contains("`release`") && document.contains("`kube-prometheus-stack`"));
    Ok(())
}

#[test]
fn grafana_takes_the_dashboard() -> Result<()> {
    let path = project_folder().join(FOLDER).join("dashboard.json");
    let check = tool("grafana-check")?;
    succeed(Command::new(&check).arg(&path))?;
    let folder = tempfile::tempdir()?;
    for (right, wrong) in [
        ("\"fieldConfig\"", "\"fieldConf\""),
        ("\"expr\"", "\"query\""),
        ("\"textMode\"", "\"text\""),
    ] {
        let text = fs::read_to_string(&path)?.replace(right, wrong);
        let bad = folder.path().join("bad.json");
        fs::write(&bad, text)?;
        ensure!(succeed(Command::new(&check).arg(&bad)).is_err(), "{wrong} is taken");
    }
    // Panels do not lie on each other.
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().context("no panels")? {
        let at = |key: &str| panel["gridPos"][key].as_u64().context("no place");
        for x in at("x")?..at("x")? + at("w")? {
            for y in at("y")?..at("y")? + at("h")? {
                ensure!(x < 24 && taken.insert((x, y)), "{} lies on another panel", panel["title"]);
            }
        }
    }
    Ok(())
}

/// What is asked for is what the sink and the server register; tests/released asks the running
/// ones.
#[test]
fn metrics_that_are_asked_for_exist() -> Result<()> {
    let mut sources = Vec::new();
    for (prefix, path) in OURS {
        sources.push((prefix, fs::read_to_string(project_folder().join(path))?));
    }
    let mut asked = BTreeSet::new();
    for alert in alerts()? {
        names(alert["expr"].as_str().context("no expression")?, &mut asked);
    }
    for line in file(FOLDER, "dashboard.json")?.lines() {
        if let Some(expression) = line.trim().strip_prefix("\"expr\": ") {
            names(&serde_json::from_str::<String>(expression.trim_end_matches(','))?, &mut asked);
        }
    }
    ensure!(asked.len() > 20, "{asked:?}");
    for name in asked {
        let is_registered = |source: &str, prefix: &str| {
            let Some(name) = name.strip_prefix(prefix) else { return false };
            let mut short = name;
            for end in ["_bucket", "_total", "_seconds", "_bytes", "_info"] {
                short = short.strip_suffix(end).unwrap_or(short);
            }
            source.contains(&format!("\"{name}\"")) || source.contains(&format!("\"{short}\""))
        };
        let known = OTHERS.iter().any(|other| name == *other || name.starts_with("kube_"));
        let is_ours = sources.iter().any(|(prefix, source)| is_registered(source, prefix));
        ensure!(known || is_ours, "nobody has {name}");
    }
    Ok(())
}

/// The names of metrics in an expression: words before a brace, a bracket or an operator that are
/// neither functions nor labels.
fn names(expression: &str, names: &mut BTreeSet<String>) {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    for word in expression.split(|letter| !is_letter(letter)) {
        let of_ours = OURS.iter().any(|(prefix, _)| word.starts_with(prefix));
        if of_ours || word.starts_with("fluentbit_") || word.starts_with("kube_") || word == "up" {
            names.insert(word.to_owned());
        }
    }
}
