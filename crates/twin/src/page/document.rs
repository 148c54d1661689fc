//! The page itself: one document with its style and its scripts in it.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

const FRAME: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/page.css");
/// In the order in which they need each other.
const SCRIPTS: [&str; 4] = [
    include_str!("assets/elements.js"),
    include_str!("assets/graph.js"),
    include_str!("assets/sections.js"),
    include_str!("assets/main.js"),
];

/// The document, and the policy that lets nothing run but what is in it and nothing be reached but the twin.
pub(super) struct Document {
    pub(super) html: String,
    /// The value of `Content-Security-Policy`.
    pub(super) policy: String,
}

impl Document {
    pub(super) fn new() -> Self {
        let script = SCRIPTS.concat();
        let html = FRAME.replace("/*style*/", STYLE).replace("/*script*/", &script);
        let policy = format!(
            "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            source(STYLE),
            source(&script)
        );
        Self { html, policy }
    }
}

fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}
