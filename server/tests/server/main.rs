//! The server over a store in a file, asked as its clients ask it.

mod access;
mod answers;
mod following;
mod limits;
mod openapi;
mod support;
