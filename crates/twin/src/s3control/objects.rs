//! What the plan of faults lets happen to objects between the inventory and the copy.

use std::collections::BTreeMap;

use aws_sdk_s3::{Client, primitives::ByteStream};

use super::{
    Shared,
    copy::{Task, failed_call},
    faults::{Fate, ObjectFault, ObjectFaultKind},
    job::{Failure, Job},
};
use crate::service::{Caller, Principal};

/// Deletes and overwrites the planned ones of a job's objects, through S3 API calls of the account that owns the bucket.
///
/// # Errors
/// A fault that cannot be played fails the job: it is not left out in silence.
pub(crate) async fn spoil(
    shared: &Shared,
    job: &Job,
    fate: &Fate,
    bucket: &str,
    tasks: &[Task],
) -> Result<(), Failure> {
    let mut struck: BTreeMap<usize, u64> = BTreeMap::new();
    let mut client = None;
    for task in tasks {
        let spent = |place: usize, fault: &ObjectFault| {
            fault.limit.is_some_and(|limit| struck.get(&place).is_some_and(|times| *times >= limit))
        };
        let Some((place, fault)) = fate.object(&task.key, &shared.env.ids, spent) else { continue };
        *struck.entry(*place).or_default() += 1;
        let writer = match &mut client {
            Some(client) => client,
            none => none.insert(writer(shared, job, bucket)?),
        };
        act(writer, bucket, &task.key, fault)
            .await
            .map_err(|why| unplayable(&format!("{:?} of {bucket} cannot be touched: {why}", task.key)))?;
        shared.env.gate.struck("objects", *place);
    }
    Ok(())
}

fn writer(shared: &Shared, job: &Job, bucket: &str) -> Result<Client, Failure> {
    let account = shared
        .clients
        .owner(bucket)
        .ok_or_else(|| unplayable(&format!("the twin does not know which account owns {bucket}")))?;
    let caller = Caller { account, region: job.region.clone(), principal: Principal::Root };
    Ok(shared.clients.client(&caller))
}

async fn act(client: &Client, bucket: &str, key: &str, fault: &ObjectFault) -> Result<(), String> {
    match fault.kind {
        ObjectFaultKind::Vanishes => {
            let delete = client.delete_object().bucket(bucket).key(key);
            delete.send().await.map(|_| ()).map_err(|error| failed_call(&error))
        }
        ObjectFaultKind::Changes => {
            let body = format!("changed after the inventory: {key}").into_bytes();
            let put = client.put_object().bucket(bucket).key(key).body(ByteStream::from(body));
            put.send().await.map(|_| ()).map_err(|error| failed_call(&error))
        }
    }
}

fn unplayable(why: &str) -> Failure {
    let reason = format!("The plan of faults changes objects before the job's first task, and that failed: {why}");
    Failure { code: "InternalError".to_owned(), reason }
}
