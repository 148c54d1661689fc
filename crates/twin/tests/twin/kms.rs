//! Keys, their policies and their grants.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{GrantOperation, KeySpec, KeyState, KeyUsageType, MessageType, SigningAlgorithmSpec},
};
use levee_twin::{Twin, service::Principal};
use rstest::rstest;
use sha2::Digest;

use super::common::{BACKUP, WAREHOUSE, twin};

const ROLE: &str = "arn:aws:iam::222222222222:role/levee-batch-copy";

fn client(twin: &Twin, account: &str) -> Client {
    Client::new(&twin.sdk_config(account, &Principal::Root))
}

async fn key(client: &Client) -> String {
    let made = client.create_key().description("of the lake").send().await.unwrap();
    made.key_metadata().and_then(|key| key.arn()).unwrap().to_owned()
}

async fn state(client: &Client, key: &str) -> (KeyState, bool) {
    let found = client.describe_key().key_id(key).send().await.unwrap();
    let found = found.key_metadata().unwrap();
    (found.key_state().unwrap().clone(), found.enabled())
}

#[tokio::test(start_paused = true)]
async fn key_is_described_by_its_arn_and_by_its_id() {
    let kms = client(&twin(), WAREHOUSE);
    let arn = key(&kms).await;
    let id = arn.rsplit_once('/').unwrap().1;
    for name in [arn.as_str(), id] {
        let found = kms.describe_key().key_id(name).send().await.unwrap().key_metadata.unwrap();
        assert_eq!((found.arn(), found.key_id()), (Some(arn.as_str()), id));
        assert_eq!((found.aws_account_id(), found.description()), (Some(WAREHOUSE), Some("of the lake")));
    }
}

#[tokio::test(start_paused = true)]
async fn key_is_disabled_enabled_and_at_last_pending_deletion() {
    let kms = client(&twin(), WAREHOUSE);
    let arn = key(&kms).await;
    assert_eq!(state(&kms, &arn).await, (KeyState::Enabled, true));
    kms.disable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(state(&kms, &arn).await, (KeyState::Disabled, false));
    kms.enable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(state(&kms, &arn).await, (KeyState::Enabled, true));
    let gone = kms.schedule_key_deletion().key_id(&arn).pending_window_in_days(7).send().await.unwrap();
    assert_eq!(
        gone.deletion_date().unwrap().secs(),
        "2026-04-09T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second()
    );
    assert_eq!(state(&kms, &arn).await, (KeyState::PendingDeletion, false));
    let refused = kms.enable_key().key_id(&arn).send().await.unwrap_err().into_service_error();
    assert!(refused.is_kms_invalid_state_exception(), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn policy_is_the_default_one_until_another_is_put() {
    let kms = client(&twin(), WAREHOUSE);
    let arn = key(&kms).await;
    let policy = async || kms.get_key_policy().key_id(&arn).send().await.unwrap().policy.unwrap();
    assert!(policy().await.contains("arn:aws:iam::111111111111:root"), "{}", policy().await);
    let own = r#"{"Version":"2012-10-17","Statement":[]}"#;
    kms.put_key_policy().key_id(&arn).policy(own).send().await.unwrap();
    assert_eq!(policy().await, own);
    let refused = kms.put_key_policy().key_id(&arn).policy("{").send().await.unwrap_err().into_service_error();
    assert!(refused.is_malformed_policy_document_exception(), "{refused:?}");
    assert_eq!(policy().await, own);
}

#[tokio::test(start_paused = true)]
async fn grants_are_listed_by_grantee() {
    let kms = client(&twin(), WAREHOUSE);
    let arn = key(&kms).await;
    for grantee in [ROLE, "arn:aws:iam::222222222222:role/other"] {
        let grant = kms.create_grant().key_id(&arn).grantee_principal(grantee).operations(GrantOperation::Decrypt);
        grant.name("copies").send().await.unwrap();
    }
    assert_eq!(kms.list_grants().key_id(&arn).send().await.unwrap().grants().len(), 2);
    let found = kms.list_grants().key_id(&arn).grantee_principal(ROLE).send().await.unwrap();
    let [grant] = found.grants() else { panic!("one grant is expected: {found:?}") };
    assert_eq!((grant.name(), grant.grantee_principal()), (Some("copies"), Some(ROLE)));
    assert_eq!(grant.operations(), [GrantOperation::Decrypt]);
}

#[rstest]
#[case::other_region("arn:aws:kms:eu-west-1:111111111111:key/none", "NotFoundException")]
#[case::unknown("6a1e0000-0000-4000-8000-000000000000", "NotFoundException")]
#[case::alias("alias/lake", "NotImplemented")]
#[tokio::test(start_paused = true)]
async fn key_that_is_not_there_is_refused(#[case] key: &str, #[case] code: &str) {
    let kms = client(&twin(), WAREHOUSE);
    let refused = kms.describe_key().key_id(key).send().await.unwrap_err();
    assert_eq!(refused.as_service_error().and_then(|error| error.meta().code()), Some(code));
}

#[tokio::test(start_paused = true)]
async fn key_of_another_account_and_what_encrypts_is_refused_and_recorded() {
    let twin = twin();
    let arn = key(&client(&twin, WAREHOUSE)).await;
    let backup = client(&twin, BACKUP);
    let refused = backup.describe_key().key_id(&arn).send().await.unwrap_err();
    assert_eq!(refused.as_service_error().and_then(|error| error.meta().code()), Some("AccessDeniedException"));
    let call = twin.calls().pop().unwrap();
    assert_eq!((call.service.as_str(), call.error()), ("kms", Some("AccessDeniedException")));
    let needs: Vec<_> = call.needs.iter().map(|need| (need.action, need.resource.as_str())).collect();
    assert_eq!(needs, [("kms:DescribeKey", arn.as_str())]);
    let encrypt = client(&twin, WAREHOUSE).generate_random().number_of_bytes(8).send().await.unwrap_err();
    assert_eq!(encrypt.as_service_error().and_then(|error| error.meta().code()), Some("NotImplemented"));
}

async fn signing_key(client: &Client) -> String {
    let made = client.create_key().key_usage(KeyUsageType::SignVerify).key_spec(KeySpec::EccNistP256).send().await;
    made.unwrap().key_metadata.unwrap().arn.unwrap()
}

/// The signature of a message, or the code of the error.
async fn signed(client: &Client, key: &str, message: &[u8], kind: MessageType) -> Result<Vec<u8>, String> {
    let call = client.sign().key_id(key).message(Blob::new(message)).message_type(kind);
    let answer = call.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await;
    let code = |error: &aws_sdk_kms::operation::sign::SignError| error.meta().code().unwrap().to_owned();
    answer.map(|answer| answer.signature.unwrap().into_inner()).map_err(|error| code(error.as_service_error().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn signature_of_a_digest_and_of_its_message_are_verified_by_the_public_key() {
    let kms = client(&twin(), BACKUP);
    let arn = signing_key(&kms).await;
    let found = kms.describe_key().key_id(&arn).send().await.unwrap().key_metadata.unwrap();
    assert_eq!((found.key_usage(), found.key_spec()), (Some(&KeyUsageType::SignVerify), Some(&KeySpec::EccNistP256)));
    let public = kms.get_public_key().key_id(&arn).send().await.unwrap().public_key.unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public.into_inner());
    let digest = sha2::Sha256::digest(b"a receipt");
    for (message, kind) in [(&digest[..], MessageType::Digest), (b"a receipt", MessageType::Raw)] {
        let signature = signed(&kms, &arn, message, kind).await.unwrap();
        public.verify(b"a receipt", &signature).unwrap();
        public.verify(b"another", &signature).unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn key_that_cannot_sign_or_may_not_is_refused() {
    let kms = client(&twin(), BACKUP);
    let symmetric = key(&kms).await;
    let refused = signed(&kms, &symmetric, b"x", MessageType::Raw).await.unwrap_err();
    assert_eq!(refused, "InvalidKeyUsageException");
    let arn = signing_key(&kms).await;
    assert_eq!(signed(&kms, &arn, b"short", MessageType::Digest).await.unwrap_err(), "ValidationException");
    kms.disable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(signed(&kms, &arn, b"x", MessageType::Raw).await.unwrap_err(), "DisabledException");
    kms.schedule_key_deletion().key_id(&arn).send().await.unwrap();
    assert_eq!(signed(&kms, &arn, b"x", MessageType::Raw).await.unwrap_err(), "KMSInvalidStateException");
}
