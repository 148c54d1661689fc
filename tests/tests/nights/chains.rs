//! `levee receipts verify` on the chain that signed nights have left.

use std::{fs, path::Path};

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use jiff::civil::date;
use levee::receipts::{Store, Verified, verify};
use levee_ledger::{Ledger, canonical_json, signature::PublicKey};
use levee_tests::Rig;
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{SOURCE, assert_failed, assert_succeeded, day, fault, objects, ready};
use levee_twin::{FaultPlan, gate::FaultAnswer};

/// A rig whose receipts are signed.
async fn signing() -> (Rig, PublicKey) {
    let mut rig = ready().await;
    let kms = &rig.accounts.backup.kms;
    let made = kms.create_key().key_usage(KeyUsageType::SignVerify).key_spec(KeySpec::EccNistP256).send().await;
    let arn = made.unwrap().key_metadata.unwrap().arn.unwrap();
    let public = kms.get_public_key().key_id(&arn).send().await.unwrap().public_key.unwrap();
    rig.plan.receipt_signing_key_arn = Some(arn);
    (rig, PublicKey::from_der(public.as_ref()).unwrap())
}

/// Three signed nights of the source.
async fn three_nights() -> (Rig, PublicKey) {
    let (mut rig, key) = signing().await;
    for day in 29..=31 {
        let input = rig.plan.execution_input(date(2026, 3, day), 2);
        let execution = rig.start_with(&format!("night-{day}"), &input).await.unwrap();
        assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    }
    (rig, key)
}

fn ledger(rig: &Rig) -> Store {
    Store::Ledger(Ledger::new(rig.accounts.backup.s3.clone(), &rig.plan.ledger_bucket))
}

/// What `aws s3 sync` of the receipts leaves.
async fn synced(rig: &Rig, folder: &Path) -> Store {
    fs::create_dir_all(folder.join(SOURCE)).unwrap();
    for (key, bytes) in rig.ledger().await.unwrap() {
        if let Some(name) = key.strip_prefix("receipts/") {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
    Store::Folder(folder.to_owned())
}

async fn put(rig: &Rig, key: &str, bytes: Vec<u8>) {
    let put = rig.accounts.backup.s3.put_object().bucket(&rig.plan.ledger_bucket).key(key);
    put.body(bytes.into()).send().await.unwrap();
}

fn broken(verified: &Verified, sequence: u64, told: &str) {
    let broken = verified.broken.as_ref().unwrap_or_else(|| panic!("nothing is broken: {verified:?}"));
    assert_eq!((broken.sequence, verified.receipts), (sequence, sequence - 1), "{broken:?}");
    assert!(broken.message.contains(told), "{told:?} is not in: {}", broken.message);
}

#[tokio::test(start_paused = true)]
async fn chain_of_signed_nights_is_whole_in_the_ledger_and_in_a_folder() {
    let (rig, key) = three_nights().await;
    let folder = tempfile::tempdir().unwrap();
    let copy = synced(&rig, folder.path()).await;
    for (store, lists) in [(&ledger(&rig), true), (&copy, false)] {
        let verified = verify(store, SOURCE, Some(&key), lists).await.unwrap();
        assert_eq!((verified.receipts, &verified.broken, verified.signatures), (3, &None, true));
        assert_eq!(verified.last.unwrap().headline, "lake-events 31 Mar 2026: 12 objects");
        assert_eq!(verified.unknown, Vec::<String>::new());
    }
    let other = verify(&copy, "pond", None, false).await.unwrap_err();
    assert!(format!("{other:#}").contains("pond"), "{other:#}");
}

#[rstest]
#[case::changed_byte("00000002.json", false, 3, "one of the two is not what was written")]
#[case::changed_byte_with_a_key("00000002.json", true, 2, "not one of these bytes")]
#[case::forged_last_receipt("00000003.json", true, 3, "not one of these bytes")]
#[tokio::test(start_paused = true)]
async fn receipt_that_was_changed_is_the_first_break(
    #[case] name: &str,
    #[case] with_key: bool,
    #[case] sequence: u64,
    #[case] told: &str,
) {
    let (rig, key) = three_nights().await;
    let folder = tempfile::tempdir().unwrap();
    let copy = synced(&rig, folder.path()).await;
    let file = folder.path().join(SOURCE).join(name);
    fs::write(&file, forged(&fs::read(&file).unwrap())).unwrap();
    let verified = verify(&copy, SOURCE, with_key.then_some(&key), false).await.unwrap();
    broken(&verified, sequence, told);
}

/// A receipt of one object more, in canonical form: one byte is another.
fn forged(bytes: &[u8]) -> Vec<u8> {
    let mut receipt: Value = serde_json::from_slice(bytes).unwrap();
    receipt["objects"]["copied"] = json!(13);
    canonical_json(&receipt).unwrap()
}

#[tokio::test(start_paused = true)]
async fn missing_link_reordered_pair_and_beheaded_chain_are_named() {
    let (rig, key) = three_nights().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(SOURCE).join(name);

    let copy = synced(&rig, folder.path()).await;
    fs::remove_file(at("00000002.json")).unwrap();
    broken(&verify(&copy, SOURCE, None, false).await.unwrap(), 2, "the chain goes on with 3");

    synced(&rig, folder.path()).await;
    fs::rename(at("00000002.json"), at("kept")).unwrap();
    fs::rename(at("00000003.json"), at("00000002.json")).unwrap();
    fs::rename(at("kept"), at("00000003.json")).unwrap();
    broken(&verify(&copy, SOURCE, Some(&key), false).await.unwrap(), 2, "number 3");

    synced(&rig, folder.path()).await;
    fs::remove_file(at("00000003.json")).unwrap();
    broken(&verify(&copy, SOURCE, None, false).await.unwrap(), 3, "a signature of number 3");

    synced(&rig, folder.path()).await;
    fs::remove_file(at("00000003.sig.json")).unwrap();
    assert_eq!(verify(&copy, SOURCE, None, false).await.unwrap().broken, None);
    broken(&verify(&copy, SOURCE, Some(&key), false).await.unwrap(), 3, "not signed");
}

#[tokio::test(start_paused = true)]
async fn forged_last_receipt_without_a_key_is_found_by_the_receipt_of_its_run() {
    let (rig, _) = three_nights().await;
    let key = format!("receipts/{SOURCE}/00000003.json");
    let bytes = forged(&rig.ledger().await.unwrap()[&key]);
    put(&rig, &key, bytes).await;
    broken(&verify(&ledger(&rig), SOURCE, None, false).await.unwrap(), 3, "night-31/receipt.json, has other bytes");
}

#[tokio::test(start_paused = true)]
async fn list_that_was_changed_is_found_where_lists_are_checked() {
    let mut rig = ready().await;
    rig.accounts.warehouse.s3.delete_object().bucket(SOURCE).key(&objects()[0].0).send().await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let all = rig.ledger().await.unwrap();
    let list = all.keys().find(|key| key.ends_with("-vanished.jsonl")).unwrap();
    assert_eq!(verify(&ledger(&rig), SOURCE, None, true).await.unwrap().broken, None);
    put(&rig, list, b"{}\n".to_vec()).await;
    assert_eq!(verify(&ledger(&rig), SOURCE, None, false).await.unwrap().broken, None);
    broken(&verify(&ledger(&rig), SOURCE, None, true).await.unwrap(), 1, "-vanished.jsonl: it has the entity tag");
}

#[tokio::test(start_paused = true)]
async fn receipt_that_could_not_be_signed_is_signed_after_a_redrive() {
    let (mut rig, key) = signing().await;
    rig.set_faults(fault("kms", "Sign", None, None, FaultAnswer::access_denied()));
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.AwsRefused", &["Sign with arn:aws:kms"]);
    broken(&verify(&ledger(&rig), SOURCE, Some(&key), false).await.unwrap(), 1, "not signed");
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let verified = verify(&ledger(&rig), SOURCE, Some(&key), true).await.unwrap();
    assert_eq!((verified.receipts, verified.broken), (1, None));
}
