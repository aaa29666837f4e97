//! What the project demands of every resource, whatever the API server would take.

use serde_json::Value;

use crate::name_of;

/// Kinds that belong to no namespace.
const CLUSTER_KINDS: [&str; 3] =
    ["Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
const NAMESPACE: &str = "statetrail";

/// Who may do what nobody else may, and why.
const EXCEPTIONS: [(&str, Rule, &str); 2] = [
    ("DaemonSet/fluent-bit", Rule::NonRoot, "container logs can be read by root alone"),
    ("DaemonSet/fluent-bit", Rule::HostPath, "container logs lie on the node"),
];
/// Folders and files of a node that may be mounted, and whether a container may write there.
const HOST_PATHS: [(&str, bool); 3] =
    [("/etc/hostname", false), ("/var/log", false), ("/var/lib/fluent-bit", true)];

/// A demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Everything is in the project's namespace, but for what belongs to none.
    Namespace,
    /// Pods run as a numbered user that is not root.
    NonRoot,
    /// Nothing of a node is mounted or shared.
    HostPath,
    /// No container can write into its image.
    ReadOnlyRoot,
    /// No container can get rights that it was not started with, and it is started with none.
    Privileges,
    /// System calls are filtered.
    Seccomp,
    /// Requests, and a limit of memory.
    Resources,
    /// What runs for good says whether it has started, is ready and lives.
    Probes,
    /// Images have a version.
    ImageVersion,
    /// Pods have an account of their own, and no token of it, nor variables that nobody wrote down.
    Account,
    /// Nobody gives rights at the API server to an account of a pod.
    Rights,
    /// No secret stands in a manifest.
    Secret,
}

/// A resource that does not do as demanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `Kind/name`.
    pub resource: String,
    /// The demand.
    pub rule: Rule,
    /// What is wrong.
    pub what: String,
}

/// All faults of rendered resources.
#[must_use]
pub fn check(resources: &[Value]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for resource in resources {
        let name = name_of(resource);
        let mut add = |rule, what: String| {
            if !EXCEPTIONS.iter().any(|(who, allowed, _)| *who == name && *allowed == rule) {
                faults.push(Fault { resource: name.clone(), rule, what });
            }
        };
        check_resource(resource, &mut add);
        if let Some(pod) = pod_of(resource) {
            check_pod(pod, &mut add);
            let runs_for_good = resource["kind"] != "Job" && resource["kind"] != "CronJob";
            for (container, is_init) in containers(pod) {
                check_container(container, pod, runs_for_good && !is_init, &mut add);
            }
        }
    }
    faults
}

/// The template of a workload's pods.
#[must_use]
pub fn pod_of(resource: &Value) -> Option<&Value> {
    match resource["kind"].as_str()? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => {
            resource.pointer("/spec/template/spec")
        }
        "CronJob" => resource.pointer("/spec/jobTemplate/spec/template/spec"),
        "Pod" => resource.get("spec"),
        _ => None,
    }
}

/// The containers of a pod, and whether each is one that runs before the others.
pub fn containers(pod: &Value) -> impl Iterator<Item = (&Value, bool)> {
    let of = |key, is_init| items(&pod[key]).map(move |container| (container, is_init));
    of("initContainers", true).chain(of("containers", false))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn check_resource(resource: &Value, add: &mut impl FnMut(Rule, String)) {
    let kind = resource["kind"].as_str().unwrap_or_default();
    let namespace = resource["metadata"]["namespace"].as_str();
    let wanted = (!CLUSTER_KINDS.contains(&kind)).then_some(NAMESPACE);
    if namespace != wanted {
        add(Rule::Namespace, format!("is in {namespace:?} instead of {wanted:?}"));
    }
    match kind {
        "Secret" => add(Rule::Secret, "stands in a manifest".to_owned()),
        "ServiceAccount" if resource["automountServiceAccountToken"] != false => {
            add(Rule::Account, "gives its token to every pod".to_owned());
        }
        "RoleBinding" | "ClusterRoleBinding"
            if items(&resource["subjects"]).any(|subject| subject["kind"] == "ServiceAccount") =>
        {
            add(Rule::Rights, "gives an account rights at the API server".to_owned());
        }
        "ClusterRole" => add(Rule::Rights, "has rights beyond the namespace".to_owned()),
        "Role"
            if items(&resource["rules"])
                .any(|rule| items(&rule["resourceNames"]).next().is_none()) =>
        {
            add(Rule::Rights, "has rights to more than named resources".to_owned());
        }
        _ => {}
    }
}

fn check_pod(pod: &Value, add: &mut impl FnMut(Rule, String)) {
    if pod["serviceAccountName"].as_str().is_none_or(|name| name == "default") {
        add(Rule::Account, "has no account of its own".to_owned());
    }
    if pod["automountServiceAccountToken"] != false {
        add(Rule::Account, "gets a token".to_owned());
    }
    if pod["enableServiceLinks"] != false {
        add(Rule::Account, "gets variables of services".to_owned());
    }
    let context = &pod["securityContext"];
    if context["seccompProfile"]["type"] != "RuntimeDefault" {
        add(Rule::Seccomp, "has no seccomp profile".to_owned());
    }
    if context["runAsNonRoot"] != true || context["runAsUser"].as_u64().is_none_or(|user| user == 0)
    {
        add(Rule::NonRoot, "does not run as a numbered user that is not root".to_owned());
    }
    for shared in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[shared] == true {
            add(Rule::HostPath, format!("has {shared}"));
        }
    }
    for volume in items(&pod["volumes"]) {
        let Some(path) = volume["hostPath"]["path"].as_str() else { continue };
        add(Rule::HostPath, format!("mounts {path} of the node"));
    }
}

fn check_container(
    container: &Value,
    pod: &Value,
    needs_probes: bool,
    add: &mut impl FnMut(Rule, String),
) {
    let name = container["name"].as_str().unwrap_or("?");
    let context = &container["securityContext"];
    if context["readOnlyRootFilesystem"] != true {
        add(Rule::ReadOnlyRoot, format!("{name} can write into its image"));
    }
    let drops_all = items(&context["capabilities"]["drop"]).any(|dropped| dropped == "ALL");
    if context["allowPrivilegeEscalation"] != false
        || context["privileged"] == true
        || !drops_all
        || items(&context["capabilities"]["add"]).next().is_some()
    {
        add(Rule::Privileges, format!("{name} may have privileges"));
    }
    if ["runAsUser", "runAsNonRoot", "seccompProfile"].iter().any(|key| !context[key].is_null()) {
        add(Rule::NonRoot, format!("{name} runs otherwise than its pod"));
    }
    for place in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
        if container["resources"].pointer(place).is_none() {
            add(Rule::Resources, format!("{name} has no {place}"));
        }
    }
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        if needs_probes && container[probe].is_null() {
            add(Rule::Probes, format!("{name} has no {probe}"));
        }
    }
    let image = container["image"].as_str().unwrap_or_default();
    if !has_version(image) {
        add(Rule::ImageVersion, format!("{name} runs {image:?}"));
    }
    check_mounts(container, pod, add);
}

/// What is mounted of a node is known, and read-only unless it is ours.
fn check_mounts(container: &Value, pod: &Value, add: &mut impl FnMut(Rule, String)) {
    for mount in items(&container["volumeMounts"]) {
        let volume = items(&pod["volumes"]).find(|volume| volume["name"] == mount["name"]);
        let Some(path) = volume.and_then(|volume| volume["hostPath"]["path"].as_str()) else {
            continue;
        };
        let known = HOST_PATHS.iter().find(|(known, _)| *known == path);
        if known.is_none_or(|(_, writes)| !writes && mount["readOnly"] != true) {
            // No exception is for this.
            add(Rule::Privileges, format!("{path} of the node is mounted, or can be written"));
        }
    }
}

/// Whether an image's name ends in a version that does not move, or in a digest.
#[must_use]
pub fn has_version(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    if let Some((_, digest)) = name.split_once('@') {
        return digest.starts_with("sha256:");
    }
    // A version has two numbers at least: a single one moves with every release.
    let is_version = |tag: &str| tag.matches('.').count() >= 1 && tag != "latest";
    name.split_once(':').is_some_and(|(_, tag)| is_version(tag))
}
