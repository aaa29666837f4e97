//! The playground as files, to be served or to be written into a folder.

/// A file of the playground.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Its name; they all lie in one folder.
    pub name: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// What it holds.
    pub bytes: &'static [u8],
    /// The same compressed with Brotli, where that is worth having at hand.
    pub brotli: Option<&'static [u8]>,
}

impl File {
    const fn new(name: &'static str, kind: &'static str, bytes: &'static [u8]) -> File {
        File { name, kind, bytes, brotli: None }
    }
}

/// What a browser may do with the page: run its own scripts and its own module, and reach nothing
/// but the server that it came from.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'none'; \
     base-uri 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All of them; `index.html` is the page.
pub static FILES: [File; 10] = [
    File::new("index.html", HTML, include_bytes!("../../web/index.html")),
    File::new("playground.css", CSS, include_bytes!("../../web/playground.css")),
    File::new("icon.svg", "image/svg+xml", include_bytes!("../../web/icon.svg")),
    File::new("playground.js", SCRIPT, include_bytes!("../../web/playground.js")),
    File::new("answers.js", SCRIPT, include_bytes!("../../web/answers.js")),
    File::new("editor.js", SCRIPT, include_bytes!("../../web/editor.js")),
    File::new("link.js", SCRIPT, include_bytes!("../../web/link.js")),
    File::new("engine.js", SCRIPT, include_bytes!("../../web/engine.js")),
    File::new(
        "statetrail_playground.js",
        SCRIPT,
        include_bytes!(concat!(env!("OUT_DIR"), "/engine/statetrail_playground.js")),
    ),
    File {
        name: "statetrail_playground_bg.wasm",
        kind: "application/wasm",
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/engine/statetrail_playground_bg.wasm")),
        brotli: Some(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/engine/statetrail_playground_bg.wasm.br"
        ))),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_little_to_load() {
        // The small files count as they are.
        let bytes: usize = FILES.iter().map(|file| file.brotli.unwrap_or(file.bytes).len()).sum();
        assert!(bytes < 400_000, "{bytes} bytes");
    }

    #[test]
    fn the_page_finds_all_it_asks_for() {
        let text = |file: &File| String::from_utf8_lossy(file.bytes).into_owned();
        let named = |name: &str| FILES.iter().any(|file| file.name == name);
        let mut found = 0;
        // What is made from the engine names what it stands for, too.
        for file in FILES.iter().filter(|file| !file.name.starts_with("statetrail_playground")) {
            for part in text(file).split(['"', '\'']) {
                let is_file =
                    [".js", ".css", ".svg", ".wasm"].iter().any(|end| part.ends_with(end));
                if is_file && !part.contains(' ') {
                    assert!(named(part.trim_start_matches("./")), "{} asks for {part}", file.name);
                    found += 1;
                }
            }
        }
        assert!(found >= 8, "{found}");
    }
}
