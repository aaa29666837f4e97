//! What is deployed, checked as far as no cluster is needed.

mod compose;
mod documents;
mod entrance;
mod fluent_bit;
mod images;
mod manifests;
mod monitoring;
mod network;
mod policy;
mod scripts;
mod team_rules;
