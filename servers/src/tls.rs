//! A certificate authority for one test, and a server's key signed by it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, java};

/// A server's key and certificate, for Java, and the authority's certificate, for clients.
#[derive(Debug)]
pub(crate) struct Keystore {
    path: PathBuf,
    ca_pem: PathBuf,
}

impl Keystore {
    /// It protects nothing: everything in the store is made for one test.
    pub(crate) const PASSWORD: &str = "statetrail";

    /// Makes them in a folder, for a server with these addresses.
    pub(crate) fn create(folder: &Path, addresses: &[&str]) -> Result<Self, Error> {
        let authority = folder.join("authority.p12");
        let path = folder.join("server.p12");
        let ca_pem = folder.join("ca.pem");
        let names: Vec<String> = addresses.iter().map(|it| format!("ip:{it}")).collect();
        let names = format!("SAN=dns:localhost,{}", names.join(","));

        let key = ["-genkeypair", "-keyalg", "EC", "-validity", "30"];
        keytool(
            &authority,
            &key,
            &["-alias", "ca", "-dname", "CN=test authority", "-ext", "bc:c"],
        )?;
        keytool(
            &authority,
            &key,
            &["-alias", "server", "-dname", "CN=server", "-ext", &names, "-signer", "ca"],
        )?;
        keytool(&authority, &["-exportcert", "-rfc", "-alias", "ca"], &["-file", &text(&ca_pem)])?;
        // A store of its own for the server's key: with both in one, Java may show the authority's.
        let from = text(&authority);
        let import = ["-importkeystore", "-srcalias", "server", "-srckeystore", &from];
        keytool(&path, &import, &["-srcstorepass", Self::PASSWORD])?;
        Ok(Self { path, ca_pem })
    }

    /// The server's store, PKCS12.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The authority's certificate.
    pub(crate) fn ca_pem(&self) -> &Path {
        &self.ca_pem
    }
}

fn keytool(store: &Path, command: &[&str], arguments: &[&str]) -> Result<(), Error> {
    let option = if command.contains(&"-importkeystore") { "dest" } else { "" };
    let mut keytool = Command::new(java::keytool()?);
    keytool.args(command).args(arguments).arg("-noprompt");
    keytool.args([&format!("-{option}storepass"), Keystore::PASSWORD]);
    keytool.arg(format!("-{option}keystore")).arg(store);
    java::run("making a key with keytool", &mut keytool).map(drop)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
