//! Schemas by which resources are checked: Kubernetes' own, and those of the operators that we ask
//! for.

use std::collections::{BTreeSet, HashMap};
use std::fs;

use anyhow::{Context, Result, ensure};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::strict::{make_strict, quantity};
use crate::strimzi::{self, Strimzi};
use crate::{read_yaml, schema_folder};

const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Schemas by `apiVersion` and `kind`.
pub struct Schemas {
    definitions: Map<String, Value>,
    kinds: HashMap<(String, String), Value>,
}

impl Schemas {
    /// Reads those that `install-tools` has brought.
    ///
    /// # Errors
    /// When they cannot be brought or read.
    pub fn read() -> Result<Schemas> {
        let mut schemas = Schemas { definitions: Map::new(), kinds: HashMap::new() };
        schemas.add_kubernetes()?;
        schemas.add_custom_resources()?;
        schemas.add_strimzi()?;
        schemas.definitions.values_mut().for_each(make_strict);
        schemas.kinds.values_mut().for_each(make_strict);
        schemas.definitions.insert(QUANTITY.to_owned(), quantity());
        Ok(schemas)
    }

    fn add_kubernetes(&mut self) -> Result<()> {
        let text = fs::read_to_string(schema_folder()?.join("kubernetes.json"))?;
        let mut api: Value = serde_json::from_str(&text)?;
        let Some(Value::Object(definitions)) = api.get_mut("definitions").map(Value::take) else {
            anyhow::bail!("Kubernetes' API has no definitions");
        };
        for (name, definition) in &definitions {
            let kinds = definition.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
            for kind in kinds.into_iter().flatten() {
                let part = |key| kind.get(key).and_then(Value::as_str).unwrap_or_default();
                let version = format!("{}/{}", part("group"), part("version"));
                let version = version.trim_start_matches('/').to_owned();
                let schema = json!({"$ref": format!("#/definitions/{name}")});
                self.kinds.insert((version, part("kind").to_owned()), schema);
            }
        }
        self.definitions = definitions;
        Ok(())
    }

    fn add_custom_resources(&mut self) -> Result<()> {
        for entry in fs::read_dir(schema_folder()?.join("crds"))? {
            let path = entry?.path();
            let text = fs::read_to_string(&path)?;
            let crd = read_yaml(text.trim_start_matches("---\n"))?;
            let part = |value: &Value, pointer| {
                value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
            };
            let group = part(&crd, "/spec/group").with_context(|| path.display().to_string())?;
            let kind = part(&crd, "/spec/names/kind").context("a CRD without a kind")?;
            let versions = crd.pointer("/spec/versions").and_then(Value::as_array);
            for version in versions.into_iter().flatten() {
                let name = part(version, "/name").context("a version without a name")?;
                let mut schema = version["schema"]["openAPIV3Schema"].clone();
                schema["properties"]["metadata"] =
                    json!({"$ref": format!("#/definitions/{OBJECT_META}")});
                self.kinds.insert((format!("{group}/{name}"), kind.clone()), schema);
            }
        }
        Ok(())
    }

    fn add_strimzi(&mut self) -> Result<()> {
        let groups = ["io.k8s.api.core.v1.", "io.k8s.api.networking.v1."];
        let is_type = |name: &&String| groups.iter().any(|group| name.starts_with(group));
        let by_last_part = self
            .definitions
            .keys()
            .filter(is_type)
            .filter_map(|name| Some((name.rsplit('.').next()?.to_owned(), name.clone())));
        let folder = schema_folder()?.join("strimzi");
        let found = Strimzi::read(folder, by_last_part.collect())?;
        for (kind, schema) in found.kinds {
            self.kinds.insert((strimzi::API_VERSION.to_owned(), kind), schema);
        }
        self.definitions.extend(found.definitions);
        Ok(())
    }

    /// What is wrong with a resource by the schema of its kind.
    ///
    /// # Errors
    /// When there is no schema for it.
    pub fn faults(&self, resource: &Value) -> Result<Vec<String>> {
        let validator = self.validator(resource)?;
        Ok(faults(&validator, resource))
    }

    /// The validator for a resource's kind.
    ///
    /// # Errors
    /// When there is no schema for it.
    pub fn validator(&self, resource: &Value) -> Result<Validator> {
        let part = |key| resource[key].as_str().unwrap_or_default().to_owned();
        let key = (part("apiVersion"), part("kind"));
        let schema = self.kinds.get(&key).with_context(|| format!("no schema for {key:?}"))?;
        let mut schema = schema.clone();
        // Only what it refers to: with all, building a validator would take seconds.
        let mut used = BTreeSet::new();
        self.collect(&schema, &mut used);
        let definitions: Map<String, Value> = used
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.definitions.get(&name)?.clone())))
            .collect();
        if schema.get("$ref").is_some() {
            // Beside a reference nothing counts, so it gets a place of its own.
            schema = json!({"allOf": [schema]});
        }
        schema["definitions"] = Value::Object(definitions);
        // Patterns of CRDs are Go's, which are those of this engine.
        let options = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft7)
            .with_pattern_options(jsonschema::PatternOptions::regex());
        options.build(&schema).map_err(|error| {
            let what: String = error.to_string().chars().rev().take(300).collect();
            anyhow::anyhow!("the schema of {key:?}: {}", what.chars().rev().collect::<String>())
        })
    }

    fn collect(&self, schema: &Value, used: &mut BTreeSet<String>) {
        match schema {
            Value::Object(object) => {
                let name = object.get("$ref").and_then(Value::as_str);
                if let Some(name) = name.and_then(|name| name.strip_prefix("#/definitions/"))
                    && used.insert(name.to_owned())
                    && let Some(definition) = self.definitions.get(name)
                {
                    self.collect(definition, used);
                }
                object.values().for_each(|value| self.collect(value, used));
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, used)),
            _ => {}
        }
    }

    /// How many kinds there are schemas for.
    ///
    /// # Errors
    /// When a group is missing of those that the manifests use.
    pub fn count(&self) -> Result<usize> {
        for group in
            ["apps/v1", "keda.sh/v1alpha1", "monitoring.coreos.com/v1", strimzi::API_VERSION]
        {
            ensure!(self.kinds.keys().any(|(version, _)| version == group), "no schema of {group}");
        }
        Ok(self.kinds.len())
    }
}

/// What a validator finds, each with its place.
#[must_use]
pub fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    let told = |error: jsonschema::ValidationError<'_>| {
        let what: String = error.to_string().chars().take(300).collect();
        format!("{}: {what}", error.instance_path())
    };
    validator.iter_errors(value).map(told).collect()
}
