//! Nights of many sources that begin at the same moment.

use std::time::Duration;

use levee_tests::overhead::{Crowd, Figures};

const RUNS: usize = 50;

async fn figures(call: Duration, places: Option<u16>) -> Figures {
    let played = Crowd { runs: RUNS, call, places }.play().await.unwrap();
    let figures = Figures::of(&played);
    assert_eq!(figures.starved(), Vec::<String>::new());
    assert!(figures.all.messages >= 8 * RUNS, "{} messages", figures.all.messages);
    figures
}

#[tokio::test(start_paused = true)]
async fn message_is_started_within_a_second_of_becoming_visible_with_fifty_runs_at_once() {
    let figures = figures(Duration::ZERO, None).await;
    let queues = figures.queues.iter().map(|(stage, queue)| (*stage, queue.first.clock.max, queue.back.clock.max));
    for (stage, first, back) in queues {
        assert!(first < 1000.0 && back < 1000.0, "{stage}: {first} ms at first, {back} ms after a wait");
    }
}
