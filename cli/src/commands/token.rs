//! `statetrail token`: a token for those who ask the server.

use std::io::Write;

use serde::Serialize;
use statetrail_server::access::{hash_of, hex, new_token};

use crate::args::TokenArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// A token, and what stands of it in the file.
#[derive(Serialize)]
struct TokenReport {
    token: String,
    name: String,
    sha256: String,
    namespaces: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the system gives no random numbers, or the output fails.
pub fn run(args: &TokenArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let token = new_token()
        .map_err(|error| Failure::new(Exit::Failed, format!("no random numbers: {error}")))?;
    let namespaces = match args.namespaces.as_slice() {
        [] => vec!["*".to_owned()],
        namespaces => namespaces.to_vec(),
    };
    let sha256 = hex(&hash_of(&token));
    let report = TokenReport { token, name: args.name.clone(), sha256, namespaces };
    if !output.is_text() {
        output.document(&report)?;
        return Ok(Exit::Done);
    }
    let TokenReport { token, name, sha256, namespaces } = &report;
    // Texts of JSON are texts of TOML.
    let (name, namespaces) = (serde_json::json!(name), serde_json::json!(namespaces));
    writeln!(output, "The token, shown this once:\n\n  {token}\n")?;
    writeln!(output, "Add this to the file that --tokens names:\n")?;
    writeln!(output, "[[token]]\nname = {name}\nsha256 = \"{sha256}\"\nnamespaces = {namespaces}")?;
    Ok(Exit::Done)
}
