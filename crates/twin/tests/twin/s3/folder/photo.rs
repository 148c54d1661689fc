//! Everything that S3 says of what it holds, to be compared.

use std::collections::BTreeMap;

use aws_sdk_s3::{
    Client,
    types::{ChecksumMode, ObjectAttributes},
};

/// What each call answered, by the call.
pub(crate) type Photo = BTreeMap<String, String>;

/// The answer without what is different in every call.
fn told<T: std::fmt::Debug, E: aws_sdk_s3::error::ProvideErrorMetadata>(answer: Result<T, E>) -> String {
    match answer {
        Ok(answer) => {
            let text = format!("{answer:?}");
            text.split("_extended_request_id").next().unwrap().to_owned()
        }
        Err(error) => format!("refused: {:?}", error.code()),
    }
}

/// Takes the photo with the rights of `s3`.
pub(crate) async fn photo(s3: &Client) -> Photo {
    let mut photo = Photo::new();
    let listed = s3.list_buckets().send().await.unwrap();
    for bucket in listed.buckets() {
        let name = bucket.name().unwrap();
        photo.insert(format!("{name}: made"), format!("{bucket:?}"));
        settings(s3, name, &mut photo).await;
        versions(s3, name, &mut photo).await;
        uploads(s3, name, &mut photo).await;
    }
    photo
}

async fn settings(s3: &Client, name: &str, photo: &mut Photo) {
    macro_rules! settings {
        ($($call:ident),* $(,)?) => {
            $( photo.insert(format!("{name}: {}", stringify!($call)), told(s3.$call().bucket(name).send().await)); )*
        };
    }
    settings!(
        get_bucket_location,
        get_bucket_versioning,
        get_bucket_policy,
        get_public_access_block,
        get_bucket_ownership_controls,
        get_bucket_encryption,
        get_bucket_lifecycle_configuration,
        get_bucket_tagging,
        list_bucket_inventory_configurations,
        get_object_lock_configuration,
    );
    let encryption = s3.get_bucket_encryption().bucket(name).send().await.unwrap();
    let rules = encryption.server_side_encryption_configuration().unwrap().rules();
    let default = rules[0].apply_server_side_encryption_by_default();
    let key = default.and_then(|default| default.kms_master_key_id());
    photo.insert(format!("{name}: default KMS key"), format!("{key:?}"));
}

async fn versions(s3: &Client, name: &str, photo: &mut Photo) {
    let listed = s3.list_object_versions().bucket(name).send().await.unwrap();
    photo.insert(format!("{name}: versions"), format!("{:?} {:?}", listed.versions(), listed.delete_markers()));
    for version in listed.versions() {
        let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
        let of = format!("{name} {key} {id}");
        macro_rules! object {
            ($($call:ident),* $(,)?) => {
                $(
                    let answer = s3.$call().bucket(name).key(key).version_id(id).send().await;
                    photo.insert(format!("{of}: {}", stringify!($call)), told(answer));
                )*
            };
        }
        object!(get_object_tagging, get_object_retention, get_object_legal_hold);
        let head = s3.head_object().bucket(name).key(key).version_id(id).checksum_mode(ChecksumMode::Enabled);
        let mut head = head.send().await;
        // A hash map: its text has no order.
        let metadata = head.as_mut().ok().and_then(|head| head.metadata.take());
        let metadata: BTreeMap<_, _> = metadata.unwrap_or_default().into_iter().collect();
        photo.insert(format!("{of}: user metadata"), format!("{metadata:?}"));
        // Its text hides the key.
        photo.insert(
            format!("{of}: KMS key"),
            format!("{:?}", head.as_ref().ok().and_then(|head| head.ssekms_key_id())),
        );
        photo.insert(format!("{of}: head_object"), told(head));
        let attributes = s3.get_object_attributes().bucket(name).key(key).version_id(id);
        let attributes = attributes
            .object_attributes(ObjectAttributes::Etag)
            .object_attributes(ObjectAttributes::Checksum)
            .object_attributes(ObjectAttributes::ObjectParts)
            .object_attributes(ObjectAttributes::ObjectSize)
            .object_attributes(ObjectAttributes::StorageClass);
        photo.insert(format!("{of}: get_object_attributes"), told(attributes.send().await));
        let got = match s3.get_object().bucket(name).key(key).version_id(id).send().await {
            Ok(got) => digest(&got.body.collect().await.unwrap().into_bytes()),
            refused => told(refused),
        };
        photo.insert(format!("{of}: bytes"), got);
    }
}

/// Short bytes as they are, long ones by their length and check value.
fn digest(bytes: &[u8]) -> String {
    if bytes.len() < 64 {
        return format!("{:?}", String::from_utf8_lossy(bytes));
    }
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    format!("{} bytes, {:08x}", bytes.len(), crc.sum())
}

async fn uploads(s3: &Client, name: &str, photo: &mut Photo) {
    let listed = s3.list_multipart_uploads().bucket(name).send().await.unwrap();
    for upload in listed.uploads() {
        let (key, id) = (upload.key().unwrap(), upload.upload_id().unwrap());
        photo.insert(format!("{name} {key}: upload {id}"), format!("{upload:?}"));
        let parts = s3.list_parts().bucket(name).key(key).upload_id(id).send().await;
        photo.insert(format!("{name} {key}: parts of {id}"), told(parts));
    }
}
