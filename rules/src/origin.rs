//! Where lines come from: namespace, pod and container, taken from a tag or a file's name.

use std::sync::Arc;

use statetrail_event::cloudevents::Prepared;
use statetrail_event::{EntityName, EventRef, LineIdentity, Source};

/// A source of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    namespace: Option<Box<str>>,
    container: Box<str>,
    source: Arc<Source>,
    source_hash: u64,
    /// The source's part of its events as it is written, if entities may have its namespace.
    prepared: Option<Prepared>,
}

/// A container as the kubelet names it in files and tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerName<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a str,
    /// The container within the pod.
    pub container: &'a str,
}

impl Origin {
    /// The log of a container.
    pub fn container(name: ContainerName<'_>, node: Option<&str>, file: Option<&str>) -> Origin {
        let uri = Source::container_uri(name.namespace, name.pod, name.container);
        Origin::new(Some(name.namespace), name.container, uri, node, file)
    }

    /// A plain file. Without a namespace, each event takes that of the rule file that made it.
    pub fn plain(namespace: Option<&str>, node: Option<&str>, file: Option<&str>) -> Origin {
        let uri = namespace.map(Source::namespace_uri).unwrap_or_default();
        Origin::new(namespace, "", uri, node, file)
    }

    /// Where a line of that source came from, so that its events are of the same source again; `None`
    /// if that is no log, as when another producer made the event.
    pub fn of_source(source: &Source) -> Option<Origin> {
        let (node, file) = (source.node.as_deref(), source.file.as_deref());
        match source.log_names()?.as_slice() {
            [namespace] => Some(Origin::plain(Some(namespace), node, file)),
            [namespace, pod, container] => {
                Some(Origin::container(ContainerName { namespace, pod, container }, node, file))
            }
            _ => None,
        }
    }

    fn new(
        namespace: Option<&str>,
        container: &str,
        uri: String,
        node: Option<&str>,
        file: Option<&str>,
    ) -> Origin {
        let valid = namespace.filter(|name| EntityName::check(name, "t", "i").is_ok());
        let prepared = valid.map(|namespace| {
            let event = EventRef { source: &uri, namespace, node, file, ..EventRef::default() };
            Prepared::of_source(&event)
        });
        Origin {
            namespace: namespace.map(Into::into),
            container: container.into(),
            prepared,
            source_hash: LineIdentity::source_hash(&uri),
            source: Arc::new(Source {
                uri,
                node: node.map(Into::into),
                file: file.map(Into::into),
            }),
        }
    }

    /// The namespace, if the origin has one.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The container, empty for a plain file.
    pub fn container_name(&self) -> &str {
        &self.container
    }

    /// The source that events carry. Its URI is empty where the namespace is not known yet.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The source, to be shared by the events of its lines.
    pub(crate) fn shared_source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The source's part of its events as it is written.
    pub(crate) fn prepared(&self) -> Option<&Prepared> {
        self.prepared.as_ref()
    }

    /// The hash of the source's URI.
    pub(crate) fn source_hash(&self) -> u64 {
        self.source_hash
    }
}

impl<'a> ContainerName<'a> {
    /// Reads a path or tag that ends like a file of `/var/log/containers`:
    /// `<pod>_<namespace>_<container>-<container id>.log`. Fluent Bit writes a path's slashes
    /// as dots in a tag (`kube.var.log.containers.<pod>_...`); pods' names may hold dots too,
    /// so everything up to `containers.` is cut off where it is there.
    pub fn from_container_log(path_or_tag: &'a str) -> Option<ContainerName<'a>> {
        let name = path_or_tag.rsplit('/').next()?;
        let name = name.rsplit_once("containers.").map_or(name, |(_, rest)| rest);
        let name = name.strip_suffix(".log").unwrap_or(name);
        let mut parts = name.splitn(3, '_');
        let (pod, namespace, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (container, id) = rest.rsplit_once('-')?;
        let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let complete = !pod.is_empty() && !namespace.is_empty() && !container.is_empty();
        (is_id && complete).then_some(ContainerName { namespace, pod, container })
    }

    /// Reads a path like those of `/var/log/pods`:
    /// `<namespace>_<pod>_<pod's uid>/<container>/<number>.log`, also rotated and compressed.
    pub fn from_pod_log(path: &'a str) -> Option<ContainerName<'a>> {
        let mut parts = path.rsplit('/');
        let (file, container, pod) = (parts.next()?, parts.next()?, parts.next()?);
        let is_log = file.split_once(".log").is_some_and(|(number, _)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        let mut names = pod.splitn(3, '_');
        let (namespace, pod, uid) = (names.next()?, names.next()?, names.next()?);
        let complete = ![namespace, pod, uid, container].iter().any(|part| part.is_empty());
        (is_log && complete).then_some(ContainerName { namespace, pod, container })
    }
}
