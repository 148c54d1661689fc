//! A small XML tree: what S3 Control's requests and responses need, and nothing more.

use std::fmt::Write as _;

use quick_xml::{Reader, escape::escape, events::Event};

/// The namespace of every S3 Control document.
pub(crate) const NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";

/// How deep a document may nest; CreateJob needs 7.
const MAX_DEPTH: usize = 32;

/// An element: a local name with either text or children. Attributes and namespaces are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// An element without content.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// An element that holds text.
    pub(crate) fn leaf(name: impl Into<String>, text: impl ToString) -> Self {
        Self { name: name.into(), text: text.to_string(), children: Vec::new() }
    }

    /// This element with one more child.
    #[must_use]
    pub(crate) fn with(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// This element with one more child, if there is one.
    #[must_use]
    pub(crate) fn with_some(mut self, child: Option<Element>) -> Self {
        self.children.extend(child);
        self
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The whole document with this element as its root.
    pub(crate) fn document(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out, Some(NAMESPACE));
        out
    }

    fn write(&self, out: &mut String, namespace: Option<&str>) {
        let name = &self.name;
        // Writing to a string cannot fail.
        let _ = match namespace {
            Some(uri) => write!(out, "<{name} xmlns=\"{uri}\">"),
            None => write!(out, "<{name}>"),
        };
        out.push_str(&escape(self.text.as_str()));
        for child in &self.children {
            child.write(out, None);
        }
        let _ = write!(out, "</{name}>");
    }

    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it: not UTF-8, not well-formed, nested too deep, or more than one root.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the body is not UTF-8".to_owned())?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Element> = Vec::new();
        let mut root: Option<Element> = None;
        loop {
            let event = reader.read_event().map_err(|err| format!("the body is not well-formed XML: {err}"))?;
            match event {
                Event::Start(tag) => open.push(Element::new(local_name(tag.local_name().as_ref()))),
                Event::Empty(tag) => {
                    let element = Element::new(local_name(tag.local_name().as_ref()));
                    close(element, &mut open, &mut root)?;
                }
                Event::End(_) => {
                    let element = open.pop().ok_or("an element ends that never began")?;
                    close(element, &mut open, &mut root)?;
                }
                Event::Text(part) => append(&mut open, &part.decode().map_err(|err| err.to_string())?),
                Event::CData(part) => append(&mut open, &part.decode().map_err(|err| err.to_string())?),
                Event::GeneralRef(entity) => {
                    let name = entity.decode().map_err(|err| err.to_string())?;
                    let text = quick_xml::escape::unescape(&format!("&{name};"))
                        .map_err(|err| format!("the body has an unknown entity: {err}"))?
                        .into_owned();
                    append(&mut open, &text);
                }
                Event::DocType(_) => return Err("a document type is not allowed".to_owned()),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
            if open.len() > MAX_DEPTH {
                return Err("the body nests too deep".to_owned());
            }
        }
        if !open.is_empty() {
            return Err("the body ends inside an element".to_owned());
        }
        root.ok_or_else(|| "the body has no element".to_owned())
    }
}

fn local_name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn close(mut element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), String> {
    // The white space between child elements is layout, not text.
    if !element.children.is_empty() {
        if !element.text.trim().is_empty() {
            return Err(format!("{} holds both text and elements", element.name));
        }
        element.text.clear();
    }
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_some() => return Err("the body has two roots".to_owned()),
        None => *root = Some(element),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_written_document_reads_back() {
        let tree = Element::new("R")
            .with(Element::leaf("A", "x <&> \"y\" é"))
            .with(Element::new("Empty"))
            .with(Element::new("L").with(Element::leaf("member", "1")).with(Element::leaf("member", " 2 ")));
        assert_eq!(Element::parse(tree.document().as_bytes()), Ok(tree));
    }

    #[test]
    fn namespaces_entities_cdata_and_layout_are_understood() {
        let body = b"<?xml version=\"1.0\"?>\n<s:R xmlns:s=\"u\">\n <A>a&amp;b&#x43;<![CDATA[<d>]]></A>\n <B/>\n</s:R>";
        let tree = Element::parse(body).unwrap();
        assert_eq!(tree.name, "R");
        assert_eq!(tree.text_of("A"), Some("a&bC<d>"));
        assert_eq!(tree.text_of("B"), Some(""));
    }

    #[rstest::rstest]
    #[case::empty(b"")]
    #[case::open(b"<A>")]
    #[case::crossed(b"<A><B></A></B>")]
    #[case::two_roots(b"<A/><B/>")]
    #[case::not_utf8(b"<A>\xff</A>")]
    #[case::mixed(b"<A>x<B/></A>")]
    #[case::unknown_entity(b"<A>&lol;</A>")]
    #[case::doctype(b"<!DOCTYPE a [<!ENTITY l 'x'>]><A/>")]
    fn a_broken_document_is_refused(#[case] body: &[u8]) {
        assert!(Element::parse(body).is_err());
    }
}
