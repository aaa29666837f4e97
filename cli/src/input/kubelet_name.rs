//! Namespace, pod and container from the names that the kubelet gives log files.

use std::path::Path;

/// The container whose log a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerName {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container in the pod.
    pub container: String,
}

/// The container that a path names in one of the kubelet's two ways:
/// `.../<pod>_<namespace>_<container>-<64 hexadecimal digits>.log` and
/// `.../<namespace>_<pod>_<uid>/<container>/<number>.log`, each also rotated and compressed.
pub fn container_of_path(path: &Path) -> Option<ContainerName> {
    let file = path.file_name()?.to_str()?;
    from_containers_folder(file).or_else(|| {
        let container = path.parent()?;
        from_pods_folder(
            container.parent()?.file_name()?.to_str()?,
            container.file_name()?.to_str()?,
            file,
        )
    })
}

fn from_containers_folder(file: &str) -> Option<ContainerName> {
    let (name, _) = file.split_once(".log")?;
    let (name, id) = name.rsplit_once('-')?;
    let id_fits = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut parts = name.split('_');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(pod), Some(namespace), Some(container), None) if id_fits => {
            container_name(namespace, pod, container)
        }
        _ => None,
    }
}

fn from_pods_folder(folder: &str, container: &str, file: &str) -> Option<ContainerName> {
    let (number, _) = file.split_once(".log")?;
    let number_fits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = folder.split('_');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(pod), Some(uid), None) if number_fits && is_uid(uid) => {
            container_name(namespace, pod, container)
        }
        _ => None,
    }
}

/// A UUID, or the 32 digits that a static pod has.
fn is_uid(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn container_name(namespace: &str, pod: &str, container: &str) -> Option<ContainerName> {
    let complete = !namespace.is_empty() && !pod.is_empty() && !container.is_empty();
    complete.then(|| ContainerName {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: container.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_names() {
        let id = "0123456789abcdef".repeat(4);
        let uid = "3f0c2c5e-0d3b-4bb5-9d0a-9b6f7b7f2f11";
        let found = Some(("shop", "checkout-6f9c", "app"));
        for (path, expected) in [
            (format!("/var/log/containers/checkout-6f9c_shop_app-{id}.log"), found),
            (format!("checkout-6f9c_shop_app-{id}.log.gz"), found),
            (format!("logs/checkout-6f9c_shop_app-{id}.log"), found),
            (format!("a_shop_my-app-{id}.log"), Some(("shop", "a", "my-app"))),
            (format!("/var/log/pods/shop_checkout-6f9c_{uid}/app/0.log"), found),
            (format!("shop_checkout-6f9c_{uid}/app/12.log.20261122-100000.gz"), found),
            (format!("shop_x_{}/app/0.log", "a".repeat(32)), Some(("shop", "x", "app"))),
            (format!("shop_checkout-6f9c_{uid}/app/x.log"), None),
            ("shop_checkout_short/app/0.log".to_owned(), None),
            (format!("checkout_shop-{id}.log"), None),
            (format!("a_b_c_d-{id}.log"), None),
            ("checkout_shop_app-0123.log".to_owned(), None),
            (format!("_shop_app-{id}.log"), None),
            ("/var/log/dpkg.log".to_owned(), None),
            ("/".to_owned(), None),
            (String::new(), None),
        ] {
            let name = container_of_path(Path::new(&path));
            let parts = name
                .as_ref()
                .map(|name| (name.namespace.as_str(), name.pod.as_str(), name.container.as_str()));
            assert_eq!(parts, expected, "{path}");
        }
    }
}
