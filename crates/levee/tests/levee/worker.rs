//! `levee worker` against a served twin, and the signal to stop.

use std::{
    process::{Child, Stdio},
    time::Duration,
};

use aws_sdk_sqs::types::QueueAttributeName;
use levee::deploy::{Accounts, Deployed, Plan, deploy};
use levee_stage::Aws;
use levee_twin::{
    FaultPlan,
    gate::{CallFault, FaultAnswer, When},
    service::Principal,
};
use rustix::process::{Pid, Signal, kill_process};

use super::support::Served;

struct World {
    served: Served,
    backup: Aws,
    plan: Plan,
    deployed: Deployed,
}

impl World {
    async fn new() -> Self {
        let served = Served::new().await;
        let plan = Plan::for_source("lake-events");
        let aws = |account: &str| Aws::new(&served.twin.sdk_config(account, &Principal::Root));
        let accounts = Accounts { warehouse: aws(&plan.warehouse_account), backup: aws(&plan.backup_account) };
        let deployed = deploy(&accounts, &plan).await.unwrap();
        let backup = accounts.backup.clone();
        Self { served, backup, plan, deployed }
    }

    fn worker(&self) -> Worker {
        let (account, ledger, prefix) = (&self.plan.backup_account, &self.plan.ledger_bucket, &self.plan.queue_prefix);
        let settings = ["--account", account, "--ledger-bucket", ledger, "--queue-prefix", prefix];
        let arguments = [&["worker", "manifest-ready", "--shutdown-grace-seconds", "1"][..], &settings].concat();
        Worker(self.served.levee(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    async fn start(&self) {
        let day = jiff::civil::date(2026, 3, 31);
        let start = self.backup.sfn.start_execution().state_machine_arn(&self.deployed.state_machine_arn);
        let start = start.name(self.plan.execution_name(day)).input(self.plan.execution_input(day, 2).to_string());
        start.send().await.unwrap();
    }

    /// (visible, hidden, delayed) messages of the stage's queue.
    async fn backlog(&self) -> (String, String, String) {
        let url = format!("{}manifest-ready", self.deployed.queue_url_prefix);
        let ask = self.backup.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let told = ask.send().await.unwrap().attributes.unwrap();
        let count = |name| told[&name].clone();
        (
            count(QueueAttributeName::ApproximateNumberOfMessages),
            count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        )
    }

    /// The calls of an operation so far.
    fn calls(&self, operation: &str) -> usize {
        self.served.twin.calls().iter().filter(|call| call.operation == operation).count()
    }

    /// Waits until there were so many calls of an operation.
    async fn called(&self, operation: &str, times: usize) {
        let wait = async {
            while self.calls(operation) < times {
                let seen = self.served.twin.gate().count();
                self.served.twin.gate().reached(seen + 1).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("no {operation} in time"));
    }
}

/// A running process; killed when it is dropped.
struct Worker(Child);

impl Worker {
    /// Sends SIGTERM and waits for the exit code.
    fn terminate(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        tokio::task::block_in_place(|| self.0.wait().unwrap().code())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_worker_ends_at_once_when_it_is_told_to() {
    let world = World::new().await;
    let worker = world.worker();
    world.called("ReceiveMessage", 1).await;
    let began = std::time::Instant::now();
    assert_eq!(worker.terminate(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "a long poll of 20 s was waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_worker_gives_its_message_back_for_another_one() {
    let world = World::new().await;
    let rule = CallFault {
        service: Some("s3".to_owned()),
        operation: Some("ListObjectsV2".to_owned()),
        resource: None,
        account: None,
        when: When::Always,
        limit: None,
        answer: FaultAnswer::internal_error(),
    };
    world.served.twin.set_faults(FaultPlan { calls: vec![rule], ..FaultPlan::default() });
    world.start().await;
    let worker = world.worker();
    // The stage tries again and again.
    world.called("ListObjectsV2", 2).await;
    assert_eq!(world.backlog().await, ("0".into(), "1".into(), "0".into()));
    assert_eq!(worker.terminate(), Some(0));
    assert_eq!(world.backlog().await, ("1".into(), "0".into(), "0".into()), "the message is visible at once");
    world.served.twin.set_faults(FaultPlan::default());
    let before = world.calls("DeleteMessage");
    let next = world.worker();
    // It claims the day, finds no inventory yet, and sends a successor in place of the message.
    world.called("DeleteMessage", before + 1).await;
    assert_eq!(next.terminate(), Some(0));
    let (visible, hidden, delayed) = world.backlog().await;
    assert_eq!([visible, hidden, delayed].iter().map(|count| count.parse::<u32>().unwrap()).sum::<u32>(), 1);
}
