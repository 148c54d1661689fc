//! Data in a folder: they outlive the twin.

mod deeds;
mod photo;

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
};

use aws_sdk_s3::Client;
use levee_twin::s3::{DataError, S3Data};
use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;

use self::{
    deeds::Deed,
    photo::{Photo, photo},
};
use super::{bucket, code, get, put, root};
use crate::twin::common::{WAREHOUSE, builder};

/// One life of a twin on the folder. Its runtime, and with it all that holds the twin, ends before this returns.
fn life<T, F: Future<Output = T>>(dir: &Path, live: impl FnOnce(Client) -> F) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let twin = builder().s3_data(S3Data::in_folder(dir).unwrap()).build();
        live(root(&twin, WAREHOUSE)).await
    })
}

fn look(dir: &Path) -> Photo {
    life(dir, |s3| async move { photo(&s3).await })
}

fn folder() -> (TempDir, PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("data");
    (temporary, dir)
}

/// The files of bytes in the folder.
fn bodies(dir: &Path) -> Vec<PathBuf> {
    let folders =
        fs::read_dir(dir.join("bodies")).map(|folders| folders.map(|folder| folder.unwrap().path()).collect());
    let folders: Vec<PathBuf> = folders.unwrap_or_default();
    folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path()).collect()
}

#[rstest]
#[case::attributes(deeds::attributes, "text/plain")]
#[case::versions(deeds::versions, "null again")]
#[case::locks(deeds::locks, "2030-03-17")]
#[case::checksums(deeds::checksums, "user/key-of-k")]
#[case::uploads(deeds::uploads, "5242883 bytes")]
#[case::sparse(deeds::sparse, "20000001 bytes")]
#[case::restores(deeds::restores, "ongoing-request")]
#[case::settings(deeds::settings, "VariesByStorageClass")]
fn everything_is_there_after_a_restart(#[case] deed: fn(Client) -> Deed, #[case] shows: &str) {
    let (_temporary, dir) = folder();
    let before = life(&dir, |s3| async move {
        deed(s3.clone()).await;
        photo(&s3).await
    });
    assert!(before.values().any(|answer| answer.contains(shows)), "no {shows} in {before:#?}");
    assert_eq!(look(&dir), before);
    // A second start reads what the first one wrote at its own.
    assert_eq!(look(&dir), before);
}

#[test]
fn unfinished_upload_is_completed_by_the_next_twin() {
    use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
    let (_temporary, dir) = folder();
    let (id, etag) = life(&dir, |s3| async move {
        bucket(&s3, "lake", true).await;
        let created = s3.create_multipart_upload().bucket("lake").key("large").send().await.unwrap();
        let id = created.upload_id().unwrap().to_owned();
        let part = s3.upload_part().bucket("lake").key("large").upload_id(&id).part_number(1);
        let part = part.body(b"the part".to_vec().into()).send().await.unwrap();
        (id, part.e_tag().unwrap().to_owned())
    });
    let whole = life(&dir, |s3| async move {
        let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
        let complete = s3.complete_multipart_upload().bucket("lake").key("large").upload_id(id);
        complete.multipart_upload(CompletedMultipartUpload::builder().parts(part).build()).send().await.unwrap();
        get(&s3, "lake", "large").await
    });
    assert_eq!(whole, b"the part");
    assert_eq!(life(&dir, |s3| async move { get(&s3, "lake", "large").await }), whole);
}

#[test]
fn versions_of_the_next_twin_are_newer_and_have_other_ids() {
    let (_temporary, dir) = folder();
    let put_one = |s3: Client| async move { put(&s3, "lake", "key", "x").await.unwrap() };
    let mut ids = vec![life(&dir, |s3| async move {
        bucket(&s3, "lake", true).await;
        put_one(s3).await
    })];
    for _ in 0..3 {
        ids.push(life(&dir, put_one));
    }
    let listed = life(&dir, |s3| async move { s3.list_object_versions().bucket("lake").send().await.unwrap() });
    let listed: Vec<_> = listed.versions().iter().map(|version| version.version_id().unwrap().to_owned()).collect();
    ids.reverse();
    assert_eq!(listed, ids);
    assert!(ids.is_sorted_by(|later, earlier| later[..8] > earlier[..8]), "{ids:?}");
    let random: std::collections::BTreeSet<_> = ids.iter().map(|id| &id[8..]).collect();
    assert_eq!(random.len(), ids.len(), "{ids:?}");
}

#[test]
fn files_are_shared_by_copies_and_removed_with_the_last_of_them() {
    let (_temporary, dir) = folder();
    life(&dir, |s3| {
        let dir = dir.clone();
        async move {
            bucket(&s3, "lake", false).await;
            put(&s3, "lake", "one", "bytes").await;
            s3.copy_object().bucket("lake").key("two").copy_source("lake/one").send().await.unwrap();
            assert_eq!(bodies(&dir).len(), 1);
            s3.delete_object().bucket("lake").key("one").send().await.unwrap();
            assert_eq!((bodies(&dir).len(), get(&s3, "lake", "two").await), (1, b"bytes".to_vec()));
            s3.delete_object().bucket("lake").key("two").send().await.unwrap();
            assert_eq!(bodies(&dir), Vec::<PathBuf>::new());
            put(&s3, "lake", "three", "other bytes").await;
        }
    });
    // What a call leaves that was cut off before its change was written.
    let orphan = bodies(&dir)[0].with_file_name("0000000000000903").to_owned();
    let orphan = dir.join("bodies/03").join(orphan.file_name().unwrap());
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, "half").unwrap();
    assert_eq!(life(&dir, |s3| async move { get(&s3, "lake", "three").await }), b"other bytes");
    assert!(!orphan.exists());
    assert_eq!(bodies(&dir).len(), 1);
}

#[test]
fn change_that_was_cut_off_anywhere_was_never_made() {
    let (_temporary, dir) = folder();
    let before = life(&dir, |s3| async move {
        bucket(&s3, "lake", true).await;
        put(&s3, "lake", "key", "before").await;
        photo(&s3).await
    });
    let journal = dir.join("journal");
    let start = fs::read(&journal).unwrap().len();
    life(&dir, |s3| async move { put(&s3, "lake", "key", "after").await });
    let whole = fs::read(&journal).unwrap();
    // Behind the line that the second twin began with.
    let line = start + whole[start..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert!(whole.len() > line + 100);
    for cut in (line..whole.len()).step_by(29).chain([whole.len() - 1]) {
        fs::write(&journal, &whole[..cut]).unwrap();
        assert_eq!(look(&dir), before, "cut at {cut}");
    }
    fs::write(&journal, &whole[..line]).unwrap();
    life(&dir, |s3| async move { put(&s3, "lake", "key", "goes on").await });
    assert_eq!(life(&dir, |s3| async move { get(&s3, "lake", "key").await }), b"goes on");
}

#[test]
fn damage_is_refused_and_named() {
    let (_temporary, dir) = folder();
    life(&dir, |s3| async move {
        bucket(&s3, "lake", true).await;
        put(&s3, "lake", "the key", "some bytes").await;
        put(&s3, "lake", "another", "more").await;
    });
    let journal = dir.join("journal");
    let whole = fs::read(&journal).unwrap();
    let mut damaged = whole.clone();
    let middle = whole.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&journal, damaged).unwrap();
    let refused = S3Data::in_folder(&dir).err().unwrap();
    assert!(matches!(&refused, DataError::Damaged { file, .. } if *file == journal), "{refused}");
    fs::write(&journal, whole).unwrap();
    let body = bodies(&dir).into_iter().find(|file| fs::read(file).unwrap() == b"some bytes").unwrap();
    for shorter in [Some("some"), None] {
        match shorter {
            Some(bytes) => fs::write(&body, bytes).unwrap(),
            None => fs::remove_file(&body).unwrap(),
        }
        let refused = S3Data::in_folder(&dir).err().unwrap().to_string();
        assert!(refused.contains("\"the key\" in lake") && refused.contains(&*body.to_string_lossy()), "{refused}");
    }
}

#[test]
fn second_twin_on_a_folder_is_refused_until_the_first_is_gone() {
    let (_temporary, dir) = folder();
    let first = S3Data::in_folder(&dir).unwrap();
    let refused = S3Data::in_folder(&dir).err().unwrap();
    assert!(matches!(&refused, DataError::InUse { .. }), "{refused}");
    drop(first);
    S3Data::in_folder(&dir).unwrap();
}

#[test]
fn folder_of_something_else_is_refused_and_left_as_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    fs::write(temporary.path().join("thesis.tex"), "x").unwrap();
    let refused = S3Data::in_folder(temporary.path()).err().unwrap();
    assert!(matches!(&refused, DataError::Foreign { .. }), "{refused}");
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
    fs::rename(temporary.path().join("thesis.tex"), temporary.path().join("journal")).unwrap();
    let refused = S3Data::in_folder(temporary.path()).err().unwrap();
    assert!(matches!(&refused, DataError::Foreign { .. }), "{refused}");
}

#[test]
fn folder_of_another_format_is_refused() {
    let (_temporary, dir) = folder();
    drop(S3Data::in_folder(&dir).unwrap());
    let head = br#"{"levee_twin_s3":2}"#;
    let mut crc = flate2::Crc::new();
    crc.update(head);
    let line = format!("{:08x} {}\n", crc.sum(), String::from_utf8_lossy(head));
    fs::write(dir.join("journal"), line).unwrap();
    let refused = S3Data::in_folder(&dir).err().unwrap();
    assert!(matches!(&refused, DataError::Format { found: 2, known: 1, .. }), "{refused}");
}

#[test]
fn bytes_that_cannot_be_kept_or_read_are_an_error_and_never_an_answer() {
    let (_temporary, dir) = folder();
    life(&dir, |s3| {
        let dir = dir.clone();
        async move {
            bucket(&s3, "lake", false).await;
            put(&s3, "lake", "key", "bytes").await;
            let (away, bodies) = (dir.join("away"), dir.join("bodies"));
            fs::rename(&bodies, &away).unwrap();
            fs::write(&bodies, "no folder").unwrap();
            let refused = s3.put_object().bucket("lake").key("other").body(b"x".to_vec().into()).send().await;
            assert_eq!(code(refused), "InternalError");
            assert_eq!(code(s3.get_object().bucket("lake").key("key").send().await), "InternalError");
            fs::remove_file(&bodies).unwrap();
            fs::rename(&away, &bodies).unwrap();
            assert_eq!(get(&s3, "lake", "key").await, b"bytes");
            assert_eq!(code(s3.get_object().bucket("lake").key("other").send().await), "NoSuchKey");
        }
    });
}

#[test]
fn long_history_is_written_anew_and_says_the_same() {
    let (_temporary, dir) = folder();
    let before = life(&dir, |s3| async move {
        bucket(&s3, "lake", true).await;
        for round in 0..600 {
            let version = put(&s3, "lake", "often", &round.to_string()).await.unwrap();
            s3.delete_object().bucket("lake").key("often").version_id(version).send().await.unwrap();
        }
        put(&s3, "lake", "often", "last").await;
        photo(&s3).await
    });
    let journal = dir.join("journal");
    let long = fs::metadata(&journal).unwrap().len();
    assert_eq!(look(&dir), before);
    assert!(fs::metadata(&journal).unwrap().len() < long / 100, "{long}");
    assert_eq!(look(&dir), before);
    let next = life(&dir, |s3| async move { put(&s3, "lake", "often", "next").await.unwrap() });
    // 601 versions were numbered before, most of which the journal no longer tells of.
    assert_eq!(u64::from_str_radix(&next[..8], 16).unwrap(), 602);
}

/// What can be done to a few keys.
#[derive(Clone, Debug)]
enum Act {
    Put(u8, Vec<u8>),
    Copy(u8, u8),
    Delete(u8),
    DeleteOldest(u8),
    Tag(u8, String),
    Versioning(bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let key = 0..3_u8;
    let act = prop_oneof![
        (key.clone(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(key, bytes)| Act::Put(key, bytes)),
        (key.clone(), key.clone()).prop_map(|(from, to)| Act::Copy(from, to)),
        key.clone().prop_map(Act::Delete),
        key.clone().prop_map(Act::DeleteOldest),
        (key, "[a-zé]{0,8}").prop_map(|(key, value)| Act::Tag(key, value)),
        any::<bool>().prop_map(Act::Versioning),
    ];
    prop::collection::vec(act, 1..25)
}

/// Does it; what is refused (a copy of nothing, say) is refused.
async fn act(s3: &Client, act: Act) {
    use aws_sdk_s3::types::{BucketVersioningStatus, Tag, Tagging, VersioningConfiguration};
    match act {
        Act::Put(key, bytes) => {
            s3.put_object().bucket("lake").key(key.to_string()).body(bytes.into()).send().await.unwrap();
        }
        Act::Copy(from, to) => {
            let copy = s3.copy_object().bucket("lake").key(to.to_string()).copy_source(format!("lake/{from}"));
            let _ = copy.send().await;
        }
        Act::Delete(key) => {
            s3.delete_object().bucket("lake").key(key.to_string()).send().await.unwrap();
        }
        Act::DeleteOldest(key) => {
            let listed = s3.list_object_versions().bucket("lake").prefix(key.to_string()).send().await.unwrap();
            if let Some(oldest) = listed.versions().last() {
                let delete = s3.delete_object().bucket("lake").key(key.to_string());
                delete.version_id(oldest.version_id().unwrap()).send().await.unwrap();
            }
        }
        Act::Tag(key, value) => {
            let tags = Tagging::builder().tag_set(Tag::builder().key("k").value(value).build().unwrap());
            let _ =
                s3.put_object_tagging().bucket("lake").key(key.to_string()).tagging(tags.build().unwrap()).send().await;
        }
        Act::Versioning(on) => {
            let status = if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
            let configuration = VersioningConfiguration::builder().status(status).build();
            s3.put_bucket_versioning().bucket("lake").versioning_configuration(configuration).send().await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_was_done_is_there_after_every_restart(lives in prop::collection::vec(acts(), 1..4)) {
        let (_temporary, dir) = folder();
        life(&dir, |s3| async move { bucket(&s3, "lake", false).await });
        for acts in lives {
            let before = life(&dir, |s3| async move {
                for one in acts {
                    act(&s3, one).await;
                }
                photo(&s3).await
            });
            prop_assert_eq!(look(&dir), before);
        }
    }
}
