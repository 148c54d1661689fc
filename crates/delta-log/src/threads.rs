//! Work that is done on several threads, and taken in order.

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Condvar, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// Bytes that are handed out before what became of them is taken.
const BYTES_AHEAD: u64 = 16 << 20;

/// Does `work` on every input on `threads` threads, of which the caller's is one, and gives `take` what comes out in the order of
/// the inputs, until it breaks off. Inputs come with about how many bytes of memory they take; they are made, and what comes out
/// is taken, on the caller's thread. Of one thread, and of none, everything is done one after the other.
///
/// What `work` panics with the caller panics with.
pub(crate) fn in_order<I: Send, O: Send>(
    threads: usize,
    inputs: impl Iterator<Item = (u64, I)>,
    work: impl Fn(I) -> O + Sync,
    mut take: impl FnMut(O) -> ControlFlow<()>,
) {
    if threads <= 1 {
        let _ = inputs.map(|(_, input)| work(input)).try_for_each(take);
        return;
    }
    let queue = Queue::new();
    let (give, done) = channel();
    thread::scope(|scope| {
        // Helpers end when nothing is to come, be it that `take` or `inputs` panicked.
        let _closing = Closing(&queue);
        let mut helpers = 1..threads;
        let start = || {
            if helpers.next().is_some() {
                let (queue, work, give) = (&queue, &work, give.clone());
                // Where no thread can be had, the others do its work.
                let _ = thread::Builder::new().spawn_scoped(scope, move || help(queue, work, &give));
            }
        };
        let mut order = Order {
            queue: &queue,
            done: &done,
            ready: BTreeMap::new(),
            given: 0,
            taken: 0,
            sizes: VecDeque::new(),
            start,
        };
        order.run(threads.saturating_mul(2), inputs, &work, &mut take);
    });
}

type Done<O> = (usize, thread::Result<O>);

fn help<I, O>(queue: &Queue<I>, work: &impl Fn(I) -> O, give: &Sender<Done<O>>) {
    while let Some((number, input)) = queue.wait() {
        if give.send((number, guarded(work, input))).is_err() {
            return;
        }
    }
}

/// A panic is handed over, so that the caller does not wait for what will never come.
fn guarded<I, O>(work: &impl Fn(I) -> O, input: I) -> Result<O, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| work(input)))
}

/// The caller's side.
struct Order<'q, I, O, S> {
    queue: &'q Queue<I>,
    done: &'q Receiver<Done<O>>,
    /// What came out and waits for its turn.
    ready: BTreeMap<usize, thread::Result<O>>,
    given: usize,
    taken: usize,
    /// Of what was given and not taken.
    sizes: VecDeque<u64>,
    /// Starts one more helper, while there are not all.
    start: S,
}

impl<I, O, S: FnMut()> Order<'_, I, O, S> {
    fn run(
        &mut self,
        ahead: usize,
        mut inputs: impl Iterator<Item = (u64, I)>,
        work: &impl Fn(I) -> O,
        take: &mut impl FnMut(O) -> ControlFlow<()>,
    ) {
        let mut is_more = true;
        loop {
            self.ready.extend(self.done.try_iter());
            while let Some(output) = self.ready.remove(&self.taken) {
                self.taken += 1;
                self.sizes.pop_front();
                if take(output.unwrap_or_else(|panic| resume_unwind(panic))).is_break() {
                    return;
                }
            }
            if is_more && self.sizes.len() < ahead && self.sizes.iter().sum::<u64>() < BYTES_AHEAD {
                match inputs.next() {
                    Some((size, input)) => self.give(size, input),
                    None => is_more = false,
                }
            } else if let Some((number, input)) = self.queue.try_next() {
                self.ready.insert(number, guarded(work, input));
            } else if self.taken < self.given {
                // This side holds a sender itself: it cannot fail.
                self.ready.extend(self.done.recv());
            } else {
                return;
            }
        }
    }

    fn give(&mut self, size: u64, input: I) {
        // Of a single input no thread is started: the caller's does it.
        if !self.sizes.is_empty() {
            (self.start)();
        }
        self.queue.push((self.given, input));
        self.sizes.push_back(size);
        self.given += 1;
    }
}

/// Inputs with their numbers, and whether more may come.
struct Queue<I> {
    inputs: Mutex<(VecDeque<(usize, I)>, bool)>,
    changed: Condvar,
}

impl<I> Queue<I> {
    const fn new() -> Self {
        Self { inputs: Mutex::new((VecDeque::new(), true)), changed: Condvar::new() }
    }

    fn push(&self, input: (usize, I)) {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner).0.push_back(input);
        self.changed.notify_one();
    }

    fn try_next(&self) -> Option<(usize, I)> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner).0.pop_front()
    }

    /// The next input; none when no more will come.
    fn wait(&self) -> Option<(usize, I)> {
        let inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = |(inputs, is_open): &mut (VecDeque<_>, bool)| inputs.is_empty() && *is_open;
        self.changed.wait_while(inputs, is_idle).unwrap_or_else(PoisonError::into_inner).0.pop_front()
    }

    /// Drops what waits.
    fn close(&self) {
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        inputs.0.clear();
        inputs.1 = false;
        self.changed.notify_all();
    }
}

struct Closing<'q, I>(&'q Queue<I>);

impl<I> Drop for Closing<'_, I> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn break_at<T>(limit: usize, all: &mut Vec<T>) -> impl FnMut(T) -> ControlFlow<()> {
        move |output| {
            if all.len() == limit {
                return ControlFlow::Break(());
            }
            all.push(output);
            ControlFlow::Continue(())
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_is_taken_in_order_on_any_number_of_threads(
            inputs in prop::collection::vec((0..BYTES_AHEAD, any::<u8>()), 0..50), threads in 0..6_usize, limit in 0..60_usize
        ) {
            let mut taken = Vec::new();
            in_order(threads, inputs.iter().copied(), u32::from, break_at(limit, &mut taken));
            let expected: Vec<u32> = inputs.iter().take(limit).map(|(_, input)| u32::from(*input)).collect();
            prop_assert_eq!(taken, expected);
        }
    }

    #[rstest]
    #[case::work(7, 100)]
    #[case::take(100, 7)]
    fn panic_on_any_thread_is_the_callers(#[case] work_at: u32, #[case] take_at: u32) {
        for threads in [1, 2, 5] {
            let work = |input: u32| if input == work_at { panic!("broken") } else { input };
            let take = |output: u32| if output == take_at { panic!("broken") } else { ControlFlow::Continue(()) };
            let caught = catch_unwind(|| in_order(threads, (0..50).map(|input| (1, input)), work, take));
            assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"broken"), "{threads} threads");
        }
    }

    #[test]
    fn little_is_handed_out_ahead_of_what_is_taken() {
        let taken = std::cell::Cell::new(0_usize);
        let inputs = (0..100_usize).inspect(|number| assert!(number - taken.get() <= 4)).map(|number| (1, number));
        in_order(
            2,
            inputs,
            |number| number,
            |_| {
                taken.set(taken.get() + 1);
                ControlFlow::Continue(())
            },
        );
        assert_eq!(taken.get(), 100);
    }
}
