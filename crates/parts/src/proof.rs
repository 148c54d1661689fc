//! Whether a copy is what its source is.

use levee_ledger::state::Proof;

use crate::{checksum::ObjectChecksum, source::Looked};

/// What shows that two objects have the same bytes; none when nothing does.
pub(crate) fn same(source: &Looked, copy: &Looked) -> Option<Proof> {
    if source.pin.size != copy.pin.size {
        return None;
    }
    let comparable = comparable(source, copy, true)?;
    comparable.1.then_some(comparable.0)
}

/// Checks a copy. `own_layout` says that it has the parts of its source.
///
/// # Errors
/// What differs.
pub(crate) fn verify(source: &Looked, copy: &Looked, own_layout: bool) -> Result<Proof, String> {
    let (from, to) = (&source.pin, &copy.pin);
    if from.size != to.size {
        return Err(format!("the source has {} bytes, the copy {}", from.size, to.size));
    }
    match comparable(source, copy, own_layout) {
        None => Ok(Proof::SizeOnly),
        Some((proof, true)) => Ok(proof),
        Some((Proof::Etag, false)) => Err(format!(
            "the entity tag over the source's parts is {}, that over the same parts of the copy {}",
            from.etag, to.etag
        )),
        Some(_) => {
            let value =
                |looked: &Looked| looked.checksum.as_ref().map(|of| of.checksum.value.clone()).unwrap_or_default();
            Err(format!("the source's checksum is {}, the copy's {}", value(source), value(copy)))
        }
    }
}

/// The strongest evidence that both have, and whether it agrees. What is over the parts can only be compared of objects with
/// the same parts.
fn comparable(source: &Looked, copy: &Looked, same_parts: bool) -> Option<(Proof, bool)> {
    if let (Some(from), Some(to)) = (&source.checksum, &copy.checksum)
        && from.checksum.algorithm == to.checksum.algorithm
        && from.full_object == to.full_object
        && (from.full_object || same_parts)
    {
        return Some((if from.full_object { Proof::Checksum } else { Proof::CompositeChecksum }, agree(from, to)));
    }
    let over_parts = |looked: &Looked| looked.sse_s3 && looked.pin.etag.contains('-');
    (same_parts && over_parts(source) && over_parts(copy)).then(|| (Proof::Etag, source.pin.etag == copy.pin.etag))
}

fn agree(from: &ObjectChecksum, to: &ObjectChecksum) -> bool {
    from.checksum.value == to.checksum.value
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{checksum::Checksum, source::Pin};

    /// An object of 9 bytes.
    fn looked(checksum: Option<(&'static str, &str, bool)>, etag: &str, sse_s3: bool) -> Looked {
        let checksum = checksum.map(|(algorithm, value, full_object)| ObjectChecksum {
            checksum: Checksum { algorithm, value: value.to_owned() },
            full_object,
        });
        let pin = Pin { size: 9, etag: etag.to_owned(), version_id: None };
        Looked { pin, checksum, sse_s3, attributes: Default::default() }
    }

    const NONE: Option<(&str, &str, bool)> = None;

    #[rstest]
    #[case::checksums(Some(("CRC32", "x", true)), "a-2", Some(("CRC32", "x", true)), "b-3", false, Ok(Proof::Checksum))]
    #[case::checksums_differ(Some(("CRC32", "x", true)), "a-2", Some(("CRC32", "y", true)), "a-2", true, Err("checksum is x"))]
    #[case::composites(Some(("SHA1", "x-2", false)), "a-2", Some(("SHA1", "x-2", false)), "b-2", true, Ok(Proof::CompositeChecksum))]
    #[case::composites_differ(Some(("SHA1", "x-2", false)), "a-2", Some(("SHA1", "y-2", false)), "a-2", true, Err("copy's y-2"))]
    #[case::composites_over_other_parts(Some(("SHA1", "x-2", false)), "a-2", Some(("SHA1", "y-3", false)), "b-3", false, Ok(Proof::SizeOnly))]
    #[case::other_algorithm(Some(("SHA1", "x", true)), "a-2", Some(("CRC32", "y", true)), "a-2", true, Ok(Proof::Etag))]
    #[case::entity_tags(NONE, "a-2", Some(("CRC64NVME", "y", true)), "a-2", true, Ok(Proof::Etag))]
    #[case::entity_tags_differ(NONE, "a-2", NONE, "b-2", true, Err("is a-2, that over the same parts of the copy b-2"))]
    #[case::entity_tags_over_other_parts(NONE, "a-2", NONE, "b-3", false, Ok(Proof::SizeOnly))]
    #[case::source_put_whole(NONE, "a", NONE, "b-1", true, Ok(Proof::SizeOnly))]
    fn copy_is_checked_by_the_strongest_that_both_have(
        #[case] source: Option<(&'static str, &str, bool)>,
        #[case] source_etag: &str,
        #[case] copy: Option<(&'static str, &str, bool)>,
        #[case] copy_etag: &str,
        #[case] own_layout: bool,
        #[case] expected: Result<Proof, &str>,
    ) {
        let (source, copy) = (looked(source, source_etag, true), looked(copy, copy_etag, true));
        match (verify(&source, &copy, own_layout), expected) {
            (Ok(proof), Ok(expected)) => assert_eq!(proof, expected),
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (verified, expected) => assert_eq!(format!("{verified:?}"), format!("{expected:?}")),
        }
    }

    #[rstest]
    #[case::source(false, true)]
    #[case::copy(true, false)]
    fn entity_tags_under_keys_of_kms_say_nothing(#[case] source: bool, #[case] copy: bool) {
        let (source, copy) = (looked(NONE, "a-2", source), looked(NONE, "b-2", copy));
        assert_eq!(verify(&source, &copy, true), Ok(Proof::SizeOnly));
        assert_eq!(same(&source, &copy), None, "the size alone is no reason not to copy");
    }

    #[test]
    fn other_size_is_never_the_same() {
        let source = looked(Some(("CRC32", "x", true)), "a-2", true);
        let copy = Looked { pin: Pin { size: 8, ..source.pin.clone() }, ..source.clone() };
        assert_eq!(same(&source, &copy), None);
        assert_eq!(same(&source, &source), Some(Proof::Checksum));
        assert!(verify(&source, &copy, true).is_err_and(|why| why.contains("9 bytes, the copy 8")));
    }
}
