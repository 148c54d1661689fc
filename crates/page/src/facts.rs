//! What a run proves, and what each proof leans on.

use levee_ledger::{receipt::Receipt, state::ObjectLockMode};

use crate::text::{count, counted, moment};

/// A fact and its weakest assumption.
pub(crate) struct Fact {
    pub(crate) claim: String,
    pub(crate) how: String,
    pub(crate) weakest: String,
}

impl Fact {
    fn new(claim: impl Into<String>, how: impl Into<String>, weakest: impl Into<String>) -> Self {
        Self { claim: claim.into(), how: how.into(), weakest: weakest.into() }
    }
}

/// What the run proves, in the order in which the proofs stand on each other.
pub(crate) fn facts(receipt: &Receipt) -> Vec<Fact> {
    let mut facts = vec![accounted(receipt), in_the_bucket(receipt), same_bytes(receipt)];
    facts.extend(vanished(receipt));
    facts.extend(tables(receipt));
    facts.push(kept(receipt));
    facts.push(chained(receipt));
    facts
}

fn accounted(receipt: &Receipt) -> Fact {
    let (inventory, objects) = (&receipt.inventory, &receipt.objects);
    let number = counted(inventory.objects, "object", "objects");
    let fates = objects.accounted();
    let claim = if fates == inventory.objects {
        format!("Each of the {number} of the inventory is copied, vanished, skipped or not selected.")
    } else {
        format!("Not proved: that each of the {number} of the inventory is copied, vanished, skipped or not selected.")
    };
    Fact::new(
        claim,
        "Rows of the inventory, of the plan, and of every completion report were counted and have to agree; no row was left unread.",
        format!(
            "The list is of the time of the inventory's scan, which began at {}. What was written since is not in it, and S3 says that an inventory may lack objects that were written shortly before.",
            moment(inventory.scan_started)
        ),
    )
}

fn in_the_bucket(receipt: &Receipt) -> Fact {
    let snapshot = &receipt.snapshot;
    let compared = if receipt.inventory.bytes.is_some() {
        "Keys and sizes are compared, bytes are not: an object of equal size with other bytes is not seen."
    } else {
        "Only keys are compared, because the inventory has no sizes: a copy that is cut off is not seen by this."
    };
    Fact::new(
        format!(
            "The snapshot bucket has every object that was planned and had not vanished; {} in all.",
            counted(snapshot.objects, "object", "objects")
        ),
        "The bucket itself was listed after the copy and compared with the plan, key by key.",
        compared,
    )
}

fn same_bytes(receipt: &Receipt) -> Fact {
    let changed = match receipt.snapshot.changed {
        0 => "None was found with another size.".to_owned(),
        changed => format!("{} found with another size.", counted(changed, "object was", "objects were")),
    };
    Fact::new(
        "Each copy has the bytes that its source had when its turn came.",
        "S3 itself copies, within its service, and reports each object; what is copied part by part is compared with its source.",
        format!(
            "It is S3's word: no byte was read and compared here. An object that was overwritten between inventory and copy is copied as it was then. {changed}"
        ),
    )
}

fn vanished(receipt: &Receipt) -> Option<Fact> {
    let vanished = receipt.objects.vanished;
    (vanished > 0).then(|| {
        Fact::new(
            format!("{} gone from the source.", counted(vanished, "object is", "objects are")),
            "A HEAD of each found nothing there, after the copy had not found it either.",
            "It says that the object was gone at that moment, and neither since when nor who removed it.",
        )
    })
}

fn tables(receipt: &Receipt) -> Vec<Fact> {
    let tables = &receipt.tables.tables;
    if tables.tables == 0 {
        return Vec::new();
    }
    let good = count(tables.verdicts.good());
    let mut facts = vec![
        Fact::new(
            format!(
                "{good} of {} whole in the newest version that their logs have.",
                counted(tables.tables, "table is", "tables are")
            ),
            "The log in the snapshot was replayed, and every file that the version needs is there with the size that the log has.",
            "Data files are not opened: one with other bytes of the same size is not seen. Rows are those of the writers' statistics.",
        ),
        Fact::new(
            "Where nothing else is said, a reader that is pointed at the copy gets that version.",
            "What a reader looks at first, the checkpoint pointer and the end of the log, was followed as a reader would.",
            "No reader has opened the tables. Readers differ in how they take damaged logs.",
        ),
        Fact::new(
            "Each verdict is about one table.",
            "Each log is judged by itself, against the files of its own table.",
            "Tables are not of one instant: each is of the moment when its files were copied. What two tables say together, such as a key of one that is in the other, is not proved.",
        ),
    ];
    if tables.verdicts.catalog_managed > 0 {
        facts.push(Fact::new(
            format!("{} wholly there as far as published.", counted(tables.verdicts.catalog_managed, "table of a catalog is", "tables of catalogs are")),
            "Published commits were replayed as those of other tables.",
            "The catalog decides what the newest version is, and it was not asked: commits that it has not published are not in the copy.",
        ));
    }
    facts
}

fn kept(receipt: &Receipt) -> Fact {
    let how = "The snapshot is in an account of its own, which the writers of the source have no rights in.";
    match receipt.settings.snapshot.object_lock {
        None => Fact::new(
            "The snapshot stays as it is as long as nobody with rights in the backup account changes it.",
            how,
            "Object Lock is not asked for: the bucket's policy and the roles of the account are all that keeps it.",
        ),
        Some(lock) => {
            let (mode, weakest) = match lock.mode {
                ObjectLockMode::Governance => (
                    "GOVERNANCE",
                    "Who has s3:BypassGovernanceRetention may end the retention. This run has asked for it and does not look at each object's retention.",
                ),
                ObjectLockMode::Compliance => (
                    "COMPLIANCE",
                    "The retention can only end with its time or the account. This run has asked for it and does not look at each object's retention.",
                ),
            };
            let days = counted(u64::from(lock.days), "day", "days");
            Fact::new(format!("The copies cannot be removed for {days} (Object Lock, {mode})."), how, weakest)
        }
    }
}

fn chained(receipt: &Receipt) -> Fact {
    let claim = match receipt.previous_sha256 {
        None => "This is the first receipt of its source.".to_owned(),
        Some(_) => format!(
            "This is receipt {} of its source, and it names the digest of the one before it.",
            count(receipt.sequence)
        ),
    };
    Fact::new(
        claim,
        "A receipt is written once. The command levee receipts verify finds one that was changed, is missing or stands in another place.",
        "Who can write to the ledger can write a whole chain anew. A signature, or a digest that is kept elsewhere, is what shows it. This page is made from the receipt and is no proof itself.",
    )
}
