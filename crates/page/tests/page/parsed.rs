//! A page as a tokenizer of HTML reads it.

use html5gum::{Token, Tokenizer, emitters::default::DefaultEmitter};
use serde_json::Value;

/// What the tokenizer finds.
pub(crate) struct Parsed {
    /// Tags with the names of their attributes, and the values of those that no text of a run belongs into.
    pub(crate) structure: Vec<String>,
    /// What a reader sees, a piece for each text.
    pub(crate) texts: Vec<String>,
    /// The headings, indented by their level.
    pub(crate) headings: Vec<String>,
    /// The data for the script.
    pub(crate) data: Value,
    /// The address of every link.
    pub(crate) links: Vec<String>,
}

/// Attributes that hold texts for readers, or lengths.
const FREE: [&str; 10] = ["aria-label", "x", "x1", "x2", "width", "height", "y", "href", "content", "class"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

impl Parsed {
    pub(crate) fn new(html: &str) -> Self {
        let mut parsed = Self {
            structure: Vec::new(),
            texts: Vec::new(),
            headings: Vec::new(),
            data: Value::Null,
            links: Vec::new(),
        };
        let (mut raw, mut heading) = (None, false);
        let mut emitter = DefaultEmitter::default();
        // Styles and scripts are no markup.
        emitter.naively_switch_states(true);
        for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
            match token {
                Token::StartTag(tag) => {
                    let name = text(&tag.name);
                    let mut attributes: Vec<_> =
                        tag.attributes.iter().map(|(name, value)| (text(name), text(&value.value))).collect();
                    attributes.sort();
                    let is = |wanted: &str| attributes.iter().any(|(name, value)| format!("{name}={value}") == wanted);
                    if let Some(level) = name.strip_prefix('h').and_then(|level| level.parse::<usize>().ok()) {
                        heading = true;
                        parsed.headings.push("  ".repeat(level - 1));
                    }
                    raw = match name.as_str() {
                        "style" => Some("style"),
                        "script" if is("type=application/json") => Some("data"),
                        "script" => Some("script"),
                        _ => None,
                    };
                    for (name, value) in attributes.iter().filter(|(name, _)| name == "href" || name == "src") {
                        parsed.links.push(format!("{name}={value}"));
                    }
                    let shown = attributes.iter().map(|(name, value)| {
                        if FREE.contains(&name.as_str()) { format!(" {name}") } else { format!(" {name}={value}") }
                    });
                    parsed.structure.push(format!("<{name}{}>", shown.collect::<String>()));
                }
                Token::EndTag(tag) => {
                    raw = None;
                    heading &= !tag.name.starts_with(b"h");
                    parsed.structure.push(format!("</{}>", text(&tag.name)));
                }
                Token::String(found) => match raw {
                    Some("data") => parsed.data = serde_json::from_slice(&found.value).unwrap(),
                    Some(_) => {}
                    None => {
                        if let (true, Some(last)) = (heading, parsed.headings.last_mut()) {
                            last.push_str(&text(&found.value));
                        }
                        parsed.texts.push(text(&found.value));
                    }
                },
                Token::Error(error) => panic!("the page is no HTML: {error:?}"),
                Token::Comment(_) => panic!("a comment"),
                Token::Doctype(_) => {}
            }
        }
        parsed
    }

    /// All that a reader sees, white space folded.
    pub(crate) fn text(&self) -> String {
        self.texts.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// How many start tags begin so.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.structure.iter().filter(|tag| tag.starts_with(beginning)).count()
    }
}
