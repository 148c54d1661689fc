//! Doing things when they are due, without polling.

use jiff::Timestamp;
use levee_clock::Clock;
use tokio::sync::watch;

/// Calls `due` with the time now, then waits until the time that it returned or until `changes` changes, and again. No
/// timer runs while nothing is due. Ends when the sender of the changes is gone.
pub(crate) async fn keep(
    clock: Clock,
    mut changes: watch::Receiver<u64>,
    mut due: impl FnMut(Timestamp) -> Option<Timestamp>,
) {
    loop {
        changes.borrow_and_update();
        let next = due(clock.now());
        let timer = async {
            match next {
                Some(when) => clock.sleep_until(when).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = changes.changed() => if changed.is_err() { return },
            () = timer => {}
        }
    }
}
