//! How a call stands to the plan of faults: whether its caller can die over it, and whether it can be struck at all.
//!
//! The way into the twin knows that; the gate, which is passed deep inside a service, must learn it. It travels with the
//! task that carries the call out. Work that the call only starts runs in tasks of its own, and is nobody's call.

use std::cell::Cell;

tokio::task_local! {
    static STANDING: Standing;
}

enum Standing {
    /// The client's process can die; set once the gate has decided that it does.
    Mortal(Cell<bool>),
    /// No planned fault strikes the call.
    Sheltered,
}

/// Carries out a call of a client that can die. Nothing when it died: then the answer, if there is one, is lost.
pub(crate) async fn mortal<T>(call: impl Future<Output = T>) -> Option<T> {
    let carried_out = async {
        let answer = call.await;
        let died = STANDING.with(|standing| matches!(standing, Standing::Mortal(died) if died.get()));
        (!died).then_some(answer)
    };
    STANDING.scope(Standing::Mortal(Cell::new(false)), carried_out).await
}

/// Carries out a call that no planned fault strikes.
pub(crate) async fn sheltered<T>(call: impl Future<Output = T>) -> T {
    STANDING.scope(Standing::Sheltered, call).await
}

/// Whether the client of the present call can die.
pub(super) fn is_mortal() -> bool {
    STANDING.try_with(|standing| matches!(standing, Standing::Mortal(_))).unwrap_or(false)
}

/// Whether no planned fault may strike the present call.
pub(super) fn is_sheltered() -> bool {
    STANDING.try_with(|standing| matches!(standing, Standing::Sheltered)).unwrap_or(false)
}

/// Lets the client of the present call die.
pub(super) fn die() {
    let _ = STANDING.try_with(|standing| match standing {
        Standing::Mortal(died) => died.set(true),
        Standing::Sheltered => {}
    });
}
