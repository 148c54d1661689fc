//! `levee doctor` in its own role: without a canary, and with one.

use anyhow::{Context, Result, ensure};
use aws_sdk_kms::types::GrantOperation;
use levee::{
    deploy::{Accounts, Guard, Plan, deploy_all, guard},
    doctor::{CANARY_LIMIT, Clients, Deployment, Options, Verdict, Warehouse, examine},
};
use levee_clock::Clock;
use levee_stage::Aws;
use levee_twin::{Twin, service::Principal};

use crate::night::{BEGINS, BREAK_GLASS, LOCKED, Played, SCAN, SOURCES};

/// The keys of the plan, for which those of the twin stand: it makes their ids itself.
const OWN_KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/22222222-0000-4000-8000-000000000003";
const SNAPSHOTS_KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/22222222-0000-4000-8000-000000000002";
const SOURCE_KEY: &str = "arn:aws:kms:us-east-1:111111111111:key/11111111-0000-4000-8000-000000000001";

pub(crate) async fn examined(canary: bool) -> Result<Played> {
    let plans = SOURCES.map(Plan::for_source);
    let [plain, locked] = &plans;
    let clock = Clock::starting_at(BEGINS.parse()?);
    let twin = Twin::builder().clock(clock.clone()).seed(1).region(&plain.region).build();
    let clients = |account: &str, principal| Clients::new(&twin.sdk_config(account, &principal));
    let accounts = Accounts {
        warehouse: Aws::new(&twin.sdk_config(&plain.warehouse_account, &Principal::Root)),
        backup: Aws::new(&twin.sdk_config(&plain.backup_account, &Principal::Root)),
    };
    let deployed = deploy_all(&accounts, &plans).await?;
    for plan in &plans {
        for (key, size) in [("events/small.parquet", 20), ("events/large.parquet", 2 << 20)] {
            let put = accounts.warehouse.s3.put_object().bucket(&plan.source).key(key);
            put.body(vec![7; size].into()).send().await?;
        }
        twin.inventory().deliver_now(&plan.source, &plan.inventory_id, SCAN.parse()?).await?;
    }
    let backup = clients(&plain.backup_account, Principal::Root);
    let warehouse = clients(&plain.warehouse_account, Principal::Root);
    let (own_key, snapshots_key, source_key) = (key(&backup).await?, key(&backup).await?, key(&warehouse).await?);
    let settings = Guard {
        break_glass_arns: vec![BREAK_GLASS.to_owned()],
        kms_key_arn: Some(own_key.clone()),
        ..Guard::default()
    };
    let mut deployment: Deployment = guard(&accounts, &backup, &plans, &deployed, &settings).await?;
    let grant = warehouse.kms.create_grant().key_id(&source_key).grantee_principal(&plain.copy_role_arn);
    grant.operations(GrantOperation::Decrypt).send().await?;
    let encrypted = deployment.sources.iter_mut().find(|source| source.name == locked.source);
    let encrypted = encrypted.context("the deployment lacks a source")?;
    encrypted.kms_key_arns.push(source_key.clone());
    encrypted.snapshot.kms_key_arn = Some(snapshots_key.clone());

    let doctor = clients(&plain.backup_account, Principal::Role(deployment.role_arn("doctor")));
    let options = Options { canary: canary.then_some(CANARY_LIMIT), ..Options::default() };
    let warehouse = Warehouse::of(warehouse).await;
    let outcome = examine(&deployment, &doctor, &warehouse, &options, &clock, &|_| {}).await?;
    // The schedules of `guard` ask for no settings of snapshots, and the doctor says so of the source that has some.
    let found: Vec<_> = outcome.checks.iter().filter(|finding| finding.outcome != Verdict::Ok).collect();
    let expected = found.iter().all(|finding| (finding.check == "schedule/input") && finding.subject.contains(LOCKED));
    ensure!(expected && found.len() == 1, "{}", outcome.to_text());
    let mut played = Played::on(&twin, &accounts, plain).await?;
    played.rename(&[(&own_key, OWN_KEY), (&snapshots_key, SNAPSHOTS_KEY), (&source_key, SOURCE_KEY)]);
    Ok(played)
}

async fn key(clients: &Clients) -> Result<String> {
    let made = clients.kms.create_key().send().await?;
    let arn = made.key_metadata().and_then(|key| key.arn());
    arn.map(str::to_owned).context("CreateKey answered no ARN")
}
