//! Namespace, pod and container from the names of files and tags.

use statetrail_rules::{ContainerName, Origin};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn parts(name: Option<ContainerName<'_>>) -> Option<(&str, &str, &str)> {
    name.map(|name| (name.namespace, name.pod, name.container))
}

#[test]
fn container_logs_and_tags_name_their_container() {
    let cases = [
        (
            "/var/log/containers/checkout-6f9c_shop_app-ID.log",
            Some(("shop", "checkout-6f9c", "app")),
        ),
        ("checkout-6f9c_shop_app-ID.log", Some(("shop", "checkout-6f9c", "app"))),
        (
            "kube.var.log.containers.checkout-6f9c_shop_app-ID.log",
            Some(("shop", "checkout-6f9c", "app")),
        ),
        ("kube.var.log.containers.v1.2-x_shop_my-app-ID.log", Some(("shop", "v1.2-x", "my-app"))),
        ("/var/log/containers/a_b_c-0123.log", None),
        ("/var/log/containers/a_b-ID.log", None),
        ("/var/log/containers/_b_c-ID.log", None),
        ("/var/log/containers/a__c-ID.log", None),
        ("/var/log/containers/a_b_-ID.log", None),
        ("/var/log/containers/a_b_c-gID.log", None),
        ("/var/log/containers/", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let text = text.replace("ID", ID);
        assert_eq!(parts(ContainerName::from_container_log(&text)), expected, "{text}");
    }
}

#[test]
fn pod_logs_name_their_container() {
    let cases = [
        (
            "/var/log/pods/shop_checkout-6f9c_uid-1/app/0.log",
            Some(("shop", "checkout-6f9c", "app")),
        ),
        ("shop_checkout_uid/app/12.log.20261122-100000.gz", Some(("shop", "checkout", "app"))),
        ("/var/log/pods/shop_checkout/app/0.log", None),
        ("/var/log/pods/shop_checkout_/app/0.log", None),
        ("/var/log/pods/shop_checkout_uid/app/app.log", None),
        ("/var/log/pods/shop_checkout_uid/app/.log", None),
        ("/var/log/pods/shop_checkout_uid/app/0.txt", None),
        ("/var/log/pods/shop_checkout_uid//0.log", None),
        ("0.log", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(parts(ContainerName::from_pod_log(text)), expected, "{text}");
    }
}

#[test]
fn an_origin_tells_what_it_was_made_of() {
    let name = ContainerName { namespace: "shop", pod: "a b", container: "app" };
    let origin = Origin::container(name, Some("n"), None);
    assert_eq!((origin.namespace(), origin.container_name()), (Some("shop"), "app"));
    assert_eq!(origin.source().uri, "/shop/a%20b/app");
    assert_eq!(origin.source().node.as_deref(), Some("n"));
    let plain = Origin::plain(Some("shop"), None, Some("f"));
    assert_eq!((plain.namespace(), plain.container_name()), (Some("shop"), ""));
    assert_eq!(plain.source().uri, "/shop");
    assert_eq!(Origin::plain(None, None, None).source().uri, "");
}
