//! What is told to the binaries in manifests, compose file and documents, tried with the binaries
//! as they are released; and the images, built from them.

mod binaries;
mod images;
mod metrics;
mod settings;
