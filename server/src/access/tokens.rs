//! The file of tokens: who may ask, and for what.
//!
//! ```toml
//! [[token]]
//! name = "on-call"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! namespaces = ["shop", "payments"]
//! ```
//!
//! `namespaces = ["*"]` is everything. The file holds hashes only, so whoever reads it cannot ask.
//! It is read again when it has changed; a version that is wrong leaves the one before in force. A
//! server does not start with a file that names nobody, but once it runs, one that is empty or gone
//! takes every token away.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use toml_edit::{Document, Item, Table, Value};

use super::Scope;

/// How often the file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Characters of a token that are looked at; longer ones are wrong.
const TOKEN_BYTES_MAX: usize = 512;

/// Somebody who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What the token is called, for the log.
    pub name: String,
    /// The SHA-256 hash of the token.
    hash: [u8; 32],
    /// What may be seen with it.
    pub scope: Scope,
}

/// Why a file of tokens cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct TokensError {
    path: PathBuf,
    reason: String,
}

/// The tokens of a file.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    tokens: Arc<[Token]>,
    version: Version,
    /// Whether the file is wrong as it stands, so that an earlier version is in force.
    is_wrong: bool,
    looked: Instant,
}

/// What tells one version of a file from another; a file that is not there has one too.
type Version = Result<(SystemTime, u64), ErrorKind>;

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, is wrong, or names nobody.
    pub fn open(path: &Path) -> Result<Tokens, TokensError> {
        let version = version_of(path);
        let tokens = read(path)?;
        if tokens.is_empty() {
            return Err(wrong(path, "there is no [[token]], so nobody could ask"));
        }
        let (tokens, looked) = (tokens.into(), Instant::now());
        let current = Current { tokens, version, is_wrong: false, looked };
        Ok(Tokens { path: path.to_owned(), current: Mutex::new(current) })
    }

    /// Whether the file is wrong as it stands, so that an earlier version is in force.
    pub(crate) fn is_wrong(&self) -> bool {
        self.look().is_wrong
    }

    /// Whose token this is, if anybody's.
    pub fn find(&self, token: &str) -> Option<Token> {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let hash = hash_of(token);
        // Comparing hashes byte by byte tells a guesser nothing about a token.
        self.current().iter().find(|known| known.hash == hash).cloned()
    }

    /// Whether a token that was found is in force still, for the same namespaces.
    pub fn has(&self, token: &Token) -> bool {
        self.current().contains(token)
    }

    /// The tokens as the file has them now.
    fn current(&self) -> Arc<[Token]> {
        Arc::clone(&self.look().tokens)
    }

    /// Reads the file again if it has changed and was not looked at just now.
    fn look(&self) -> MutexGuard<'_, Current> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= LOOK_EVERY {
            current.looked = Instant::now();
            let version = version_of(&self.path);
            if version != current.version {
                current.version = version;
                self.read_again(&mut current);
            }
        }
        current
    }

    fn read_again(&self, current: &mut Current) {
        // Whoever takes the last table out, or the file away, means that nobody may ask any more.
        let tokens = match version_of(&self.path) {
            Err(ErrorKind::NotFound) => Ok(Vec::new()),
            _ => read(&self.path),
        };
        current.is_wrong = tokens.is_err();
        match tokens {
            Ok(tokens) => {
                if tokens.is_empty() {
                    let file = self.path.display();
                    tracing::warn!(%file, "there is no [[token]] any more, so nobody may ask");
                }
                current.tokens = tokens.into();
            }
            Err(error) => tracing::error!(%error, "the tokens before stay in force"),
        }
    }
}

fn version_of(path: &Path) -> Version {
    let version = std::fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len())));
    version.map_err(|error| error.kind())
}

/// Hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token that nobody can guess.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_token() -> Result<String, openssl::error::ErrorStack> {
    let mut bytes = [0; 32];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(hex(&bytes))
}

/// The SHA-256 hash of a token.
pub fn hash_of(token: &str) -> [u8; 32] {
    openssl::sha::sha256(token.as_bytes())
}

fn wrong(path: &Path, reason: impl ToString) -> TokensError {
    TokensError { path: path.to_owned(), reason: reason.to_string() }
}

/// The tokens of a file, which may be none.
fn read(path: &Path) -> Result<Vec<Token>, TokensError> {
    let text = std::fs::read_to_string(path).map_err(|error| wrong(path, error))?;
    parse(&text).map_err(|reason| wrong(path, reason))
}

fn parse(text: &str) -> Result<Vec<Token>, String> {
    let document = Document::parse(text).map_err(|error| error.to_string().trim().to_owned())?;
    let mut tokens: Vec<Token> = Vec::new();
    for (key, item) in document.iter() {
        let tables = match (key, item) {
            ("token", Item::ArrayOfTables(tables)) => tables,
            _ => return Err(format!("unknown key {key}; tokens stand in [[token]] tables")),
        };
        for (index, table) in tables.iter().enumerate() {
            let token = read_token(table).map_err(|why| format!("token {}: {why}", index + 1))?;
            if tokens.iter().any(|other| other.name == token.name || other.hash == token.hash) {
                return Err(format!("token {:?} is there twice", token.name));
            }
            tokens.push(token);
        }
    }
    Ok(tokens)
}

fn read_token(table: &Table) -> Result<Token, String> {
    let (mut name, mut hash, mut scope) = (None, None, None);
    for (key, item) in table {
        match (key, item.as_value()) {
            ("name", Some(Value::String(text))) => name = Some(text.value().clone()),
            ("sha256", Some(Value::String(text))) => hash = Some(read_hash(text.value())?),
            ("namespaces", Some(Value::Array(names))) => {
                let names = names.iter().map(|name| name.as_str().map(str::to_owned));
                let names: Option<Vec<String>> = names.collect();
                scope = Some(read_scope(names.ok_or("namespaces is a list of texts")?)?);
            }
            ("name" | "sha256", _) => return Err(format!("{key} is a text")),
            ("namespaces", _) => return Err("namespaces is a list of texts".to_owned()),
            _ => return Err(format!("unknown key {key}; there are name, sha256, namespaces")),
        }
    }
    Ok(Token {
        name: name.filter(|name| !name.is_empty()).ok_or("name is missing")?,
        hash: hash.ok_or("sha256 is missing; `statetrail token` makes one")?,
        scope: scope.ok_or("namespaces is missing; [\"*\"] is everything")?,
    })
}

fn read_hash(text: &str) -> Result<[u8; 32], String> {
    let wrong = "sha256 has 64 hexadecimal digits; `statetrail token` makes a token and its hash";
    let mut hash = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong.to_owned());
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
        let digits = std::str::from_utf8(digits).map_err(|_| wrong)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
    }
    Ok(hash)
}

fn read_scope(namespaces: Vec<String>) -> Result<Scope, String> {
    match namespaces.as_slice() {
        [] => Err("namespaces is empty, so the token could read nothing".to_owned()),
        [all] if all == "*" => Ok(Scope::All),
        names if names.iter().any(|name| name.contains('*')) => {
            Err("\"*\" stands alone; other names are whole namespaces".to_owned())
        }
        _ => Ok(Scope::of(namespaces)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(hash: &str, rest: &str) -> String {
        format!("[[token]]\nname = \"a\"\nsha256 = \"{hash}\"\n{rest}\n")
    }

    fn hex(token: &str) -> String {
        super::hex(&hash_of(token))
    }

    #[test]
    fn a_token_is_found_by_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        std::fs::write(&path, file(&hex("secret"), "namespaces = [\"shop\"]")).unwrap();
        let tokens = Tokens::open(&path).unwrap();
        let found = tokens.find("secret").unwrap();
        assert!(found.scope.allows("shop") && !found.scope.allows("bank"));
        for wrong in ["", "Secret", "secret ", &hex("secret"), &"x".repeat(1_000)] {
            assert_eq!(tokens.find(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        let hash = hex("secret");
        for (text, said) in [
            ("[[tokens]]\n".to_owned(), "unknown key tokens"),
            ("[[token]]\nname=".to_owned(), "TOML parse error"),
            (file(&hash, "namespace = [\"shop\"]"), "unknown key namespace"),
            (file(&hash, ""), "namespaces is missing"),
            (file(&hash, "namespaces = []"), "namespaces is empty"),
            (file(&hash, "namespaces = [\"*\", \"shop\"]"), "stands alone"),
            (file(&hash, "namespaces = \"shop\""), "a list of texts"),
            (file("secret", "namespaces = [\"*\"]"), "64 hexadecimal digits"),
            (file(&hash, "namespaces = [\"*\"]").repeat(2), "is there twice"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        std::fs::write(&path, "").unwrap();
        let error = Tokens::open(&path).unwrap_err().to_string();
        assert!(error.contains("there is no [[token]], so nobody could ask"), "{error}");
    }
}
