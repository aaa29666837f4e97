//! What users run, as it is released: the programs themselves, the images built from them, and what
//! manifests, compose file and documents tell them.

mod binaries;
mod images;
mod metrics;
mod programs;
mod settings;
