//! Schemas of Strimzi's resources, version v1, out of the classes of which Strimzi makes its CRDs:
//! the CRDs themselves are in no registry of packages.
//!
//! What is taken: fields and the versions that have them, types, enumerations, what is required,
//! least and greatest numbers. What is not: patterns and the few rules in CEL.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::class_file::{Annotation, ClassFile, Element, Method};

/// The group and version of the resources.
pub(crate) const API_VERSION: &str = "kafka.strimzi.io/v1";
/// Kinds, with their classes.
const KINDS: [(&str, &str); 4] = [
    ("Kafka", "io/strimzi/api/kafka/model/kafka/Kafka"),
    ("KafkaNodePool", "io/strimzi/api/kafka/model/nodepool/KafkaNodePool"),
    ("KafkaTopic", "io/strimzi/api/kafka/model/topic/KafkaTopic"),
    ("KafkaUser", "io/strimzi/api/kafka/model/user/KafkaUser"),
];
/// Versions of the resources, in order.
const VERSIONS: [&str; 4] = ["v1alpha1", "v1beta1", "v1beta2", "v1"];

/// The schemas of all kinds.
pub(crate) struct Schemas {
    /// By kind.
    pub(crate) kinds: Vec<(String, Value)>,
    /// What they refer to, by name.
    pub(crate) definitions: Map<String, Value>,
}

/// Makes schemas of classes. They stand in `definitions` by the names of their classes.
pub(crate) struct Strimzi {
    folder: PathBuf,
    definitions: Map<String, Value>,
    /// Kubernetes' own types, by the last part of their names.
    kubernetes: HashMap<String, String>,
}

impl Strimzi {
    /// Reads the classes in a folder.
    pub(crate) fn read(folder: PathBuf, kubernetes: HashMap<String, String>) -> Result<Schemas> {
        let mut strimzi = Strimzi { folder, definitions: Map::new(), kubernetes };
        let mut kinds = Vec::new();
        for (kind, class) in KINDS {
            let spec = strimzi.property(class, "getSpec")?;
            let schema = json!({
                "type": "object",
                "properties": {
                    "apiVersion": {"const": API_VERSION},
                    "kind": {"const": kind},
                    "metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
                    "spec": spec,
                },
                "required": ["apiVersion", "kind", "metadata", "spec"],
            });
            kinds.push((kind.to_owned(), schema));
        }
        Ok(Schemas { kinds, definitions: strimzi.definitions })
    }

    fn class(&self, name: &str) -> Result<ClassFile> {
        let path = self.folder.join(format!("{name}.class"));
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        ClassFile::read(&bytes).with_context(|| path.display().to_string())
    }

    fn property(&mut self, class: &str, getter: &str) -> Result<Value> {
        let class = self.class(class)?;
        let method = class.methods.iter().find(|method| method.name == getter);
        let method = method.with_context(|| format!("there is no {getter}"))?;
        self.schema_of_type(returned(method))
    }

    fn schema_of_type(&mut self, java: &str) -> Result<Value> {
        Ok(match java {
            "Ljava/lang/String;" => json!({"type": "string"}),
            "I" | "J" | "Ljava/lang/Integer;" | "Ljava/lang/Long;" => json!({"type": "integer"}),
            "D" | "F" | "Ljava/lang/Double;" => json!({"type": "number"}),
            "Z" | "Ljava/lang/Boolean;" => json!({"type": "boolean"}),
            _ => match java.strip_prefix("Ljava/util/List<") {
                Some(item) => {
                    let item = self.schema_of_type(item.trim_end_matches(">;"))?;
                    json!({"type": "array", "items": item})
                }
                None => self.schema_of_object(java)?,
            },
        })
    }

    fn schema_of_object(&mut self, java: &str) -> Result<Value> {
        let name = java.trim_start_matches('L').trim_end_matches(';');
        if let Some(name) = name.strip_prefix("io/fabric8/kubernetes/api/model/") {
            let simple = name.rsplit('/').next().unwrap_or(name);
            return Ok(match self.kubernetes.get(simple) {
                Some(definition) => json!({"$ref": format!("#/definitions/{definition}")}),
                None => json!({}),
            });
        }
        if !name.starts_with("io/strimzi/") {
            return Ok(json!({}));
        }
        let key = name.replace('/', ".");
        if !self.definitions.contains_key(&key) {
            // Its place is kept first: a class may hold itself.
            self.definitions.insert(key.clone(), Value::Null);
            let schema = self.schema_of_class(name)?;
            self.definitions.insert(key.clone(), schema);
        }
        Ok(json!({"$ref": format!("#/definitions/{key}")}))
    }

    fn schema_of_class(&mut self, name: &str) -> Result<Value> {
        let class = self.class(name)?;
        if class.is_enum {
            return Ok(json!({"enum": values_of_enum(&class)}));
        }
        let kinds = sub_types(&class.annotations);
        if kinds.is_empty() {
            return self.schema_of_fields(name);
        }
        let mut cases = Vec::new();
        for (kind, class) in &kinds {
            let fields =
                self.schema_of_fields(class.trim_start_matches('L').trim_end_matches(';'))?;
            cases.push(json!({"if": {"properties": {"type": {"const": kind}}}, "then": fields}));
        }
        let names: Vec<&String> = kinds.iter().map(|(kind, _)| kind).collect();
        Ok(json!({
            "type": "object",
            "required": ["type"],
            "allOf": cases,
            "properties": {"type": {"enum": names}},
            // Which fields there may be is for each case to say.
            "additionalProperties": true,
        }))
    }

    fn schema_of_fields(&mut self, name: &str) -> Result<Value> {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        let mut next = name.to_owned();
        while next.starts_with("io/strimzi/") {
            let class = self.class(&next)?;
            for method in &class.methods {
                let Some(field) = field_name(method) else { continue };
                if properties.contains_key(&field) || !is_in_version(&method.annotations) {
                    continue;
                }
                let mut schema = self.schema_of_type(returned(method))?;
                for (annotation, keyword) in [("Minimum", "minimum"), ("Maximum", "maximum")] {
                    if let Some(Element::Integer(bound)) =
                        find(&method.annotations, annotation).and_then(|found| found.get("value"))
                    {
                        schema[keyword] = json!(bound);
                    }
                }
                if is_required(&method.annotations) {
                    required.push(field.clone());
                }
                properties.insert(field, schema);
            }
            next = class.super_class;
        }
        Ok(json!({"type": "object", "properties": properties, "required": required}))
    }
}

fn returned(method: &Method) -> &str {
    method.signature.rsplit(')').next().unwrap_or_default()
}

/// The field that a getter stands for.
fn field_name(method: &Method) -> Option<String> {
    let name = method.name.strip_prefix("get").or_else(|| method.name.strip_prefix("is"))?;
    let ignored = find(&method.annotations, "JsonIgnore").is_some();
    if ignored || !method.signature.starts_with("()") || name == "AdditionalProperties" {
        return None;
    }
    if let Some(name) =
        find(&method.annotations, "JsonProperty").and_then(|json| json.text("value"))
    {
        return Some(name.to_owned());
    }
    let mut letters = name.chars();
    let first = letters.next()?.to_ascii_lowercase();
    Some(std::iter::once(first).chain(letters).collect())
}

fn find<'a>(annotations: &'a [Annotation], name: &str) -> Option<&'a Annotation> {
    annotations.iter().find(|annotation| annotation.name == name)
}

/// Whether a field is there in v1; without a word about it, it is in all versions.
fn is_in_version(annotations: &[Annotation]) -> bool {
    let versions = find(annotations, "PresentInVersions").and_then(|present| present.text("value"));
    versions.is_none_or(covers)
}

fn is_required(annotations: &[Annotation]) -> bool {
    let versions = find(annotations, "RequiredInVersions").and_then(|found| found.text("value"));
    versions.is_some_and(covers) || find(annotations, "Required").is_some()
}

/// Whether `v1`, `v1beta2+` or `v1alpha1-v1beta2` has v1 in it.
fn covers(versions: &str) -> bool {
    let place = |version: &str| VERSIONS.iter().position(|known| *known == version);
    let v1 = VERSIONS.len() - 1;
    match versions.split_once('-') {
        Some((_, last)) => last == "v1",
        None => match versions.strip_suffix('+') {
            Some(first) => place(first).is_some_and(|first| first <= v1),
            None => versions == "v1",
        },
    }
}

/// The classes that a class stands for, each with the value of `type` that says so.
fn sub_types(annotations: &[Annotation]) -> Vec<(String, String)> {
    let types = find(annotations, "JsonSubTypes").and_then(|types| types.get("value"));
    let Some(Element::List(types)) = types else { return Vec::new() };
    let kind = |element: &Element| {
        let Element::Annotation(kind) = element else { return None };
        let Some(Element::Class(class)) = kind.get("value") else { return None };
        Some((kind.text("name")?.to_owned(), class.clone()))
    };
    types.iter().filter_map(kind).collect()
}

/// What the constants of an enum are written as: every text in its class that is no constant's
/// name, or those names if there are no others.
fn values_of_enum(class: &ClassFile) -> Vec<&str> {
    let is_name = |text: &&str| class.fields.iter().any(|field| field == text);
    let texts: Vec<&str> = class.texts.iter().map(String::as_str).collect();
    let values: Vec<&str> = texts.iter().filter(|text| !is_name(text)).copied().collect();
    if values.is_empty() { texts } else { values }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn ranges_of_versions_are_understood() {
        assert!(covers("v1") && covers("v1beta2+") && covers("v1beta2-v1") && covers("v1+"));
        assert!(!covers("v1beta2") && !covers("v1alpha1-v1beta2"));
    }
}
