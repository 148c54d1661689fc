//! A deployment that the doctor finds nothing wrong with, and clients to spoil it with.

use std::sync::Mutex;

use aws_sdk_kms::types::GrantOperation;
use levee::{
    deploy::{Guard, guard},
    doctor::{Clients, Deployment, Finding, Options, Outcome, Verdict, Warehouse, examine},
};
use levee_clock::Clock;
use levee_tests::Rig;
use levee_twin::service::Principal;

pub(crate) const SOURCE: &str = "lake-events";
pub(crate) const BACKUP: &str = "222222222222";
pub(crate) const WAREHOUSE: &str = "111111111111";
pub(crate) const DOCTOR: &str = "arn:aws:iam::222222222222:role/levee-doctor";
pub(crate) const BREAK_GLASS: &str = "arn:aws:iam::222222222222:role/break-glass";

/// A guarded deployment with a delivered inventory and keys, on 2 April 2026 at 02:00 UTC.
pub(crate) struct Ward {
    pub(crate) rig: Rig,
    pub(crate) deployment: Deployment,
    /// Clients of the backup account that may change everything.
    pub(crate) backup: Clients,
    /// Clients of the account of the source.
    pub(crate) warehouse: Clients,
    /// The doctor's clock.
    pub(crate) clock: Clock,
    pub(crate) options: Options,
}

impl Ward {
    pub(crate) async fn new() -> Self {
        let objects = [("small", 20_usize), ("smaller", 5), ("empty", 0), ("large", 2 << 20)];
        let rig =
            Rig::ready(SOURCE, objects.map(|(key, size)| (format!("events/{key}"), vec![7; size]))).await.unwrap();
        let clients = |account, principal| Clients::new(&rig.twin.sdk_config(account, &principal));
        let root = clients(BACKUP, Principal::Root);
        let warehouse = clients(WAREHOUSE, Principal::Root);
        let own_key = key(&root).await;
        let settings =
            Guard { break_glass_arns: vec![BREAK_GLASS.to_owned()], kms_key_arn: Some(own_key), ..Guard::default() };
        let plans = std::slice::from_ref(&rig.plan);
        let mut deployment = guard(&rig.accounts, &root, plans, &rig.deployed, &settings).await.unwrap();
        let source_key = key(&warehouse).await;
        let grant = warehouse.kms.create_grant().key_id(&source_key).grantee_principal(&rig.plan.copy_role_arn);
        grant.operations(GrantOperation::Decrypt).send().await.unwrap();
        deployment.sources[0].kms_key_arns.push(source_key);
        let backup = clients(BACKUP, Principal::Role(BREAK_GLASS.to_owned()));
        let clock = rig.clock.clone();
        Self { rig, deployment, backup, warehouse, clock, options: Options::default() }
    }

    /// What the doctor finds, in its own role and with clients for the source.
    pub(crate) async fn examined(&self) -> Outcome {
        self.examined_with(&self.options, &Warehouse::of(self.warehouse.clone()).await).await
    }

    pub(crate) async fn examined_with(&self, options: &Options, warehouse: &Warehouse) -> Outcome {
        let doctor = Clients::new(&self.rig.twin.sdk_config(BACKUP, &Principal::Role(DOCTOR.to_owned())));
        let said = Mutex::new(Vec::new());
        let say = |text: &str| said.lock().unwrap().push(text.to_owned());
        examine(&self.deployment, &doctor, warehouse, options, &self.clock, &say).await.unwrap()
    }

    /// The key of the source.
    pub(crate) fn source_key(&self) -> String {
        self.deployment.sources[0].kms_key_arns[0].clone()
    }
}

async fn key(clients: &Clients) -> String {
    let made = clients.kms.create_key().send().await.unwrap();
    made.key_metadata().and_then(|key| key.arn()).unwrap().to_owned()
}

/// The findings with this outcome.
pub(crate) fn with(outcome: &Outcome, verdict: Verdict) -> Vec<&Finding> {
    outcome.checks.iter().filter(|finding| finding.outcome == verdict).collect()
}
