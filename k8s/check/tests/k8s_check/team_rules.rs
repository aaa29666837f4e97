//! The policy that keeps a team's rule file to the team's namespace, tried with an interpreter of its
//! language that is not the API server's.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cel::{Context as Variables, Program, Value};
use serde_json::{Value as Json, json};
use statetrail_k8s_check::{find, project_folder, render};

/// Texts as Kubernetes' library has them; the interpreter does not know `split`.
fn split(
    cel::extractors::This(text): cel::extractors::This<Arc<String>>,
    by: Arc<String>,
) -> Value {
    let parts = text.split(by.as_str()).map(|part| Value::from(part.to_owned()));
    Value::List(Arc::new(parts.collect()))
}

/// Whether the API server would take this as the team's ConfigMap.
fn is_taken(program: &Program, config_map: &Json) -> Result<bool> {
    let mut variables = Variables::default();
    let failed = |error| anyhow::anyhow!("{error}");
    variables.add_function("split", split).map_err(failed)?;
    let object = cel::to_value(config_map).map_err(|error| anyhow::anyhow!("{error}"))?;
    variables.add_variable_from_value("object", object);
    match program.execute(&variables) {
        Ok(Value::Bool(taken)) => Ok(taken),
        other => anyhow::bail!("{other:?}"),
    }
}

#[test]
fn a_team_can_name_its_own_namespace_and_no_other() -> Result<()> {
    let resources = render(&project_folder().join("k8s/overlays/minikube"))?;
    let name = "ValidatingAdmissionPolicy/statetrail-rules-shop";
    let policy = find(&resources, name)?;
    let expression = policy["spec"]["validations"][0]["expression"].as_str().context("none")?;
    let program = Program::compile(expression)?;
    let file = "k8s/teams/shop/rules/team-shop.yaml";
    let own = fs::read_to_string(project_folder().join(file))?;
    let with = |text: &str| json!({"data": {"team-shop.yaml": text}});
    ensure!(is_taken(&program, &with(&own))?, "the team's own file is refused");
    let samples = own.replace("samples:", "samples: # \"quoted\" {with} [what] namespaces\n");
    ensure!(is_taken(&program, &with(&samples))?, "a harmless one is refused");
    let rest = own.replace("namespaces: [shop]\n", "");
    let braces = "{\"name\\u0073paces\": [payments], rules: [], redact: [\"\nnamespaces: [shop]\n card=<_>\"]}\n";
    let others = [
        rest.clone(),
        own.replace("[shop]", "[shop, payments]"),
        own.replace("[shop]", "[\"*\"]"),
        own.replace("[shop]", "[payments]"),
        format!("{own}namespaces: [payments]\n"),
        format!("{own}namespaces : [payments]\n"),
        format!("{own}\"namespaces\": [payments]\n"),
        format!("{own}\"name\\u0073paces\": [payments]\n"),
        format!("{own}'namespaces': [payments]\n"),
        format!("{own}? namespaces\n: [payments]\n"),
        format!("{own}? \"name\\u0073paces\"\n: [payments]\n"),
        format!("{own}!!str namespaces: [payments]\n"),
        format!("{own}!!str \"name\\u0073paces\": [payments]\n"),
        format!("{own}&a \"name\\u0073paces\": [payments]\n"),
        format!("{own}redact: []\r\"name\\u0073paces\": [payments]\n"),
        format!("---\n{own}"),
        format!("{own}---\nnamespaces: [payments]\n"),
        format!("{{\"name\\u0073paces\": [payments], rules: []}}\n# namespaces: [shop]\n{rest}"),
        format!("%YAML 1.2\n{own}"),
        own.replace("[shop]", "&a [shop]"),
        own.replace("namespaces", "  namespaces"),
        // What is in braces, with the line as a part of a text.
        format!(" {braces}"),
        format!("\u{feff}{braces}"),
        format!("\t{braces}"),
        format!("\n {braces}"),
        format!("# namespaces\n {braces}"),
        // Nothing may come before the line, so that nothing can change what it is.
        format!("\n{own}"),
        format!("# comment\n{own}"),
        format!("\u{feff}{own}"),
        own.replace("[shop]\n", "[shop] # \n"),
        String::new(),
    ];
    for text in others {
        ensure!(!is_taken(&program, &with(&text))?, "this is taken:\n{text}");
    }
    for config_map in [
        json!({}),
        json!({"data": {"team-shop.yaml": own, "more.yaml": rest}}),
        json!({"data": {"team-shop.yaml": own}, "binaryData": {"team-shop.yaml": "AAAA"}}),
    ] {
        ensure!(!is_taken(&program, &config_map)?, "this is taken: {config_map}");
    }
    Ok(())
}
