//! The features that a protocol asks of readers.
//!
//! PROTOCOL.md of delta-io/delta, "Valid Feature Names in Table Features" and the sections of the features, with the names that
//! earlier releases of delta-io/delta gave some of them (`TableFeature.scala`). Features of writers alone ask nothing of a
//! reader. What is in neither is not known: `geospatial`, whose specification is not published, `adaptiveMetadata-preview`, which
//! puts the list of files somewhere else, `redirectReaderWriter-preview`, which puts the whole table there.

use crate::actions::Protocol;

/// The reader version that lists features by name; also the greatest that there is.
const BY_NAME: i64 = 3;

/// Features of which the replay of a log is known. None of them changes which files are live but deletion vectors, and only
/// V2 checkpoints change where that is written down.
const KNOWN: &[&str] = &[
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "timestampWithoutTimezone",
    "typeWidening",
    "typeWidening-preview",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "variantShredding",
    "variantShredding-preview",
    "variantType",
    "variantType-preview",
];

/// The feature of tables whose catalog decides about commits, by its names.
const CATALOG: &[&str] = &["catalogManaged", "catalogManaged-preview", "catalogOwned-preview"];

/// What of a protocol is not known here, by name.
pub(crate) fn unsupported(protocol: &Protocol) -> Vec<String> {
    let version = protocol.min_reader_version;
    let mut unknown = Vec::new();
    if version > BY_NAME {
        unknown.push(format!("minReaderVersion {version}"));
    }
    match &protocol.reader_features {
        Some(features) => {
            let known = |name: &str| KNOWN.contains(&name) || CATALOG.contains(&name);
            unknown.extend(features.iter().filter(|name| !known(name)).cloned());
        }
        None if version >= BY_NAME => unknown.push("readerFeatures (missing)".to_owned()),
        None => {}
    }
    unknown.sort();
    unknown.dedup();
    unknown
}

/// Whether a catalog decides what the newest version is.
pub(crate) fn is_catalog_managed(protocol: &Protocol) -> bool {
    protocol.reader_features.iter().flatten().any(|name| is_catalog(name))
}

/// Whether a feature of readers is known here.
pub(crate) fn is_known(feature: &str) -> bool {
    KNOWN.contains(&feature)
}

/// Whether a feature is that of tables whose catalog decides about commits.
pub(crate) fn is_catalog(feature: &str) -> bool {
    CATALOG.contains(&feature)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn protocol(version: i64, features: Option<&[&str]>) -> Protocol {
        let features = features.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Protocol { min_reader_version: version, reader_features: features }
    }

    #[rstest]
    #[case::legacy(protocol(1, None), &[])]
    #[case::column_mapping_by_version(protocol(2, None), &[])]
    #[case::every_known_feature(protocol(3, Some(KNOWN)), &[])]
    #[case::catalog(protocol(3, Some(CATALOG)), &[])]
    #[case::none(protocol(3, Some(&[])), &[])]
    #[case::unknown(protocol(3, Some(&["zzz", "deletionVectors", "adaptiveMetadata-preview"])), &["adaptiveMetadata-preview", "zzz"])]
    #[case::names_are_case_sensitive(protocol(3, Some(&["DeletionVectors"])), &["DeletionVectors"])]
    #[case::future(protocol(99, Some(&[])), &["minReaderVersion 99"])]
    #[case::no_list(protocol(3, None), &["readerFeatures (missing)"])]
    #[case::future_without_a_list(protocol(4, None), &["minReaderVersion 4", "readerFeatures (missing)"])]
    fn what_is_not_known_is_named(#[case] protocol: Protocol, #[case] expected: &[&str]) {
        assert_eq!(unsupported(&protocol), expected);
    }

    #[rstest]
    #[case("catalogManaged", true)]
    #[case("catalogManaged-preview", true)]
    #[case("catalogOwned-preview", true)]
    #[case("v2Checkpoint", false)]
    fn catalogs_are_known_by_their_feature(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_catalog_managed(&protocol(3, Some(&[name]))), expected);
    }
}
