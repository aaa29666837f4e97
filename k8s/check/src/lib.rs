//! What the tests of the deployment share: rendered manifests, schemas to check them by, what the
//! project demands of every resource, and the commands of its documents.

mod class_file;
pub mod documents;
mod manifests;
pub mod network;
pub mod policy;
mod schemas;
mod strict;
mod strimzi;
mod tools;

pub use manifests::{
    find, jobs, name_of, overlays, project_folder, read_yaml, render, render_with,
};
pub use schemas::{Schemas, faults};
pub use tools::{schema_folder, succeed, tool};
