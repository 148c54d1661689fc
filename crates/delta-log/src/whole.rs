//! Actions with all of their members, as the log has them.
//!
//! A replay keeps hashes. What has to be told or written again is read once more, whole, when it is known which actions matter.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    actions::{Add, Unusable},
    commit::{lines, with_add},
    names::commit_path,
    parquet_file::read_whole_parquet,
    reader::CannotCheck,
    replay::{Replay, Segment},
};

/// A JSON object: its members in their order, their values as they stand. Of members of the same name the last one counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    /// The value of a member, unless it is null.
    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        let value = self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value.as_ref());
        value.filter(|value| value.get() != "null")
    }

    /// The value of a member as another type; none when it is not there.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, Unusable> {
        self.get(name)
            .map(|value| serde_json::from_str(value.get()))
            .transpose()
            .map_err(|error| Unusable::new(format!("{name}: {error}")))
    }

    /// Sets a member to a value.
    pub(crate) fn put(&mut self, name: &str, value: &impl Serialize) -> Result<(), Unusable> {
        self.set(name, to_raw_value(value).map_err(|error| Unusable::new(format!("{name}: {error}")))?);
        Ok(())
    }

    /// Takes a member away.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(member, _)| member != name);
    }

    /// Sets a member, in its place if it is there.
    pub(crate) fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Object::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    object.set(&name, value);
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Takes whole actions of one file of the log after the other, in the order in which a segment was replayed.
pub(crate) trait Whole {
    /// A file of the log begins: 0 for those of the checkpoint, then the commits in order. Says whether its `add`s are looked at;
    /// a sidecar of which they are not is not read.
    fn begin(&mut self, source: u32) -> bool {
        let _ = source;
        false
    }

    /// Whether what is about the table as a whole is looked at. When it is not, a file of which the `add`s are not either is passed
    /// over.
    fn looks_at_head(&self) -> bool {
        true
    }

    /// Whether the whole of this `add` is wanted.
    fn wants(&mut self, add: &Add<'_>) -> Result<bool, Unusable> {
        let _ = add;
        Ok(false)
    }

    /// An `add` that was wanted.
    fn add(&mut self, add: Object) -> Result<(), Unusable> {
        let _ = add;
        Ok(())
    }

    /// A `protocol`.
    fn protocol(&mut self, protocol: Object) -> Result<(), Unusable> {
        let _ = protocol;
        Ok(())
    }

    /// A `metaData`.
    fn metadata(&mut self, metadata: Object) -> Result<(), Unusable> {
        let _ = metadata;
        Ok(())
    }

    /// A `domainMetadata`.
    fn domain(&mut self, domain: Object) -> Result<(), Unusable> {
        let _ = domain;
        Ok(())
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    add: Option<&'a RawValue>,
    protocol: Option<Object>,
    #[serde(rename = "metaData")]
    metadata: Option<Object>,
    #[serde(rename = "domainMetadata")]
    domain: Option<Object>,
}

/// Gives the whole actions of a commit, or of a checkpoint in JSON.
fn read_whole_json(bytes: &[u8], adds: bool, whole: &mut dyn Whole) -> Result<(), Unusable> {
    let text = std::str::from_utf8(bytes).map_err(|error| Unusable::new(format!("it is no UTF-8: {error}")))?;
    for (number, text) in lines(text).enumerate().filter(|(_, text)| !text.trim_ascii().is_empty()) {
        let at = |error: serde_json::Error| Unusable::new(format!("line {}: {error}", number + 1));
        let line: Line<'_> = serde_json::from_str(text).map_err(at)?;
        if let Some(add) = line.add.filter(|_| adds)
            && with_add(add, |add| whole.wants(add)).map_err(at)??
        {
            whole.add(serde_json::from_str(add.get()).map_err(at)?)?;
        }
        line.protocol.map_or(Ok(()), |protocol| whole.protocol(protocol))?;
        line.metadata.map_or(Ok(()), |metadata| whole.metadata(metadata))?;
        line.domain.map_or(Ok(()), |domain| whole.domain(domain))?;
    }
    Ok(())
}

/// Reads the files of a segment once more, whole.
///
/// # Errors
/// [`CannotCheck`] when a file cannot be read, is gone, or has something in a member that a replay does not look at which cannot be
/// understood.
pub(crate) fn read_whole(replay: &Replay<'_>, segment: &Segment, whole: &mut dyn Whole) -> Result<(), CannotCheck> {
    let mut paths: Vec<(String, u32)> = Vec::new();
    if let Some(loaded) = &segment.base {
        paths.extend(loaded.checkpoint.files.iter().map(|(path, _)| (path.clone(), 0)));
        if whole.begin(0) {
            paths.extend(loaded.sidecars.iter().map(|sidecar| (sidecar.path.clone(), 0)));
        }
    }
    paths.extend(segment.commits.iter().copied().map(commit_path).zip(1..));
    let with_head = whole.looks_at_head();
    paths.retain(|(_, source)| with_head || whole.begin(*source));
    replay.reader.will_read(&paths.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
    for (path, source) in paths {
        let Some(bytes) = replay.read(&path)? else { return Err(CannotCheck::Changed { path }) };
        let adds = whole.begin(source);
        let read = if path.ends_with(".json") {
            read_whole_json(&bytes, adds, whole)
        } else {
            read_whole_parquet(&bytes, adds, whole)
        };
        if let Err(Unusable(why)) = read {
            return Err(CannotCheck::Unusable { path, why });
        }
    }
    Ok(())
}
