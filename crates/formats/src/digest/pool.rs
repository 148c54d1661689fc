//! MD5s of files that are read at the same time, computed side by side.
//!
//! An MD5 alone takes as long as all else that is done with a report: every step of it waits for the one before. Those of
//! several files do not wait for each other, and the vector units of a processor compute eight or sixteen at a time.

use std::{
    collections::VecDeque,
    iter, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use bytes::Bytes;
use md5_many::{Md5Many, Md5State};

/// The files whose bytes are digested in one go at most.
const SIDE_BY_SIDE: usize = 16;
/// The least number of lanes that is faster than one after the other; with fewer files the others idle.
const LANES: usize = 8;
/// With fewer files than this, one after the other is as fast.
const WORTH_IT: usize = 3;
/// Bytes that a file may have waiting beside one piece: with more they are digested whoever else waits.
const MOST_WAITING: usize = 128 * 1024;
/// The bytes of a block of MD5.
const BLOCK: usize = 64;

/// Computes the MD5s of any number of files, whose readers may be on several threads.
#[derive(Clone, Debug, Default)]
pub struct Md5Pool {
    shared: Arc<Shared>,
}

/// The MD5 of one file in an [`Md5Pool`].
#[derive(Debug)]
pub struct PooledMd5 {
    shared: Arc<Shared>,
    place: usize,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Shared {
    /// Locked before the queues when both are, so that the pieces of a file are digested in their order.
    states: Mutex<States>,
    queues: Mutex<Queues>,
}

#[derive(Debug)]
struct States {
    engine: Md5Many,
    /// By the place of the file.
    files: Vec<Md5State>,
}

/// The pieces that wait to be digested.
#[derive(Debug, Default)]
struct Queues {
    /// By the place of the file.
    waiting: Vec<Queue>,
    /// Places of files that have ended.
    free: Vec<usize>,
    /// Files that have not ended.
    open: usize,
    /// Those of them that have something waiting.
    busy: usize,
}

/// What waits of one file.
#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    /// All of them together.
    bytes: usize,
    /// Bytes that were taken since the last whole block.
    beyond_block: usize,
}

/// Bytes that are to be digested, by the place of their file.
struct Taken {
    /// Each by itself, and first: what stands between two pieces of a file is no whole block of either.
    alone: Vec<(usize, Bytes)>,
    /// Blocks, as many of each file.
    together: Vec<(usize, Bytes)>,
}

impl Default for States {
    fn default() -> Self {
        Self { engine: Md5Many::new(), files: Vec::new() }
    }
}

impl Md5Pool {
    /// A pool without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The MD5 of one more file.
    pub fn file(&self) -> PooledMd5 {
        let mut states = lock(&self.shared.states);
        let mut queues = lock(&self.shared.queues);
        queues.open += 1;
        let place = queues.free.pop().unwrap_or(queues.waiting.len());
        if place == queues.waiting.len() {
            queues.waiting.push(Queue::default());
            states.files.push(Md5State::new());
        } else if let Some(state) = states.files.get_mut(place) {
            *state = Md5State::new();
        }
        PooledMd5 { shared: Arc::clone(&self.shared), place, bytes: 0 }
    }
}

impl PooledMd5 {
    /// Adds the next bytes of the file. They may be kept for a while: at most one piece of each file, or several of
    /// together 128 KiB.
    pub fn update(&mut self, piece: Bytes) {
        self.bytes += piece.len() as u64;
        if piece.is_empty() {
            return;
        }
        let (too_many, is_time) = lock(&self.shared.queues).add(self.place, piece);
        if too_many {
            self.shared.digest(&mut lock(&self.shared.states), |queues| queues.waiting_at(self.place) > 0);
        } else if is_time {
            // Where another thread is digesting, it or the next piece comes to these.
            match self.shared.states.try_lock() {
                Ok(mut states) => self.shared.digest(&mut states, Queues::is_time),
                Err(TryLockError::Poisoned(states)) => self.shared.digest(&mut states.into_inner(), Queues::is_time),
                Err(TryLockError::WouldBlock) => {}
            }
        }
    }

    /// The number of bytes, and their MD5 in hexadecimal.
    pub fn finish(self) -> (u64, String) {
        let mut states = lock(&self.shared.states);
        self.shared.digest(&mut states, |queues| queues.waiting_at(self.place) > 0);
        let md5 = states.files.get(self.place).map(|state| hex::encode(state.finalize()));
        (self.bytes, md5.unwrap_or_default())
    }
}

impl Drop for PooledMd5 {
    fn drop(&mut self) {
        let _states = lock(&self.shared.states);
        lock(&self.shared.queues).leave(self.place);
    }
}

impl Queues {
    /// Lets a piece wait. Whether too many bytes of its file do now, and whether it is time to digest.
    fn add(&mut self, place: usize, piece: Bytes) -> (bool, bool) {
        let Some(queue) = self.waiting.get_mut(place) else { return (false, false) };
        self.busy += usize::from(queue.pieces.is_empty());
        queue.bytes += piece.len();
        queue.pieces.push_back(piece);
        let too_many = queue.bytes > MOST_WAITING && queue.pieces.len() > 1;
        (too_many, self.is_time())
    }

    /// Whether every file has something waiting, or as many as can be digested side by side.
    fn is_time(&self) -> bool {
        self.busy > 0 && self.busy >= self.open.min(SIDE_BY_SIDE)
    }

    /// The bytes of a file that wait.
    fn waiting_at(&self, place: usize) -> usize {
        self.waiting.get(place).map_or(0, |queue| queue.bytes)
    }

    fn leave(&mut self, place: usize) {
        if let Some(queue) = self.waiting.get_mut(place) {
            self.busy -= usize::from(!queue.pieces.is_empty());
            *queue = Queue::default();
            self.open -= 1;
            self.free.push(place);
        }
    }

    /// Takes as many blocks of the first piece of each file as all of them have, the files with the most bytes first.
    fn take(&mut self) -> Taken {
        let mut places: Vec<usize> = (0..self.waiting.len()).filter(|place| self.waiting_at(*place) > 0).collect();
        if places.len() > SIDE_BY_SIDE {
            places.sort_by_key(|place| std::cmp::Reverse(self.waiting_at(*place)));
            places.truncate(SIDE_BY_SIDE);
        }
        let mut taken = Taken { alone: Vec::new(), together: Vec::new() };
        for place in &places {
            let Some(queue) = self.waiting.get_mut(*place) else { continue };
            taken.alone.extend(iter::from_fn(|| queue.take_to_block()).map(|bytes| (*place, bytes)));
        }
        let blocks_of = |queue: &Queue| queue.pieces.front().map(|piece| piece.len() / BLOCK);
        let blocks = places.iter().filter_map(|place| blocks_of(self.waiting.get(*place)?)).min().unwrap_or(0);
        for place in places {
            let Some(queue) = self.waiting.get_mut(place) else { continue };
            taken.together.extend(queue.take(blocks * BLOCK).map(|bytes| (place, bytes)));
            self.busy -= usize::from(queue.pieces.is_empty());
        }
        taken
    }
}

impl Queue {
    /// Takes what ends a block that has begun, or what is too short for one.
    fn take_to_block(&mut self) -> Option<Bytes> {
        let first = self.pieces.front()?.len();
        match self.beyond_block {
            0 if first >= BLOCK => None,
            beyond => self.take(BLOCK.saturating_sub(beyond)),
        }
    }

    /// Takes at most so many bytes of the first piece.
    fn take(&mut self, bytes: usize) -> Option<Bytes> {
        let first = self.pieces.front_mut()?;
        let taken = first.split_to(bytes.min(first.len()));
        if first.is_empty() {
            self.pieces.pop_front();
        }
        self.bytes -= taken.len();
        self.beyond_block = (self.beyond_block + taken.len()) % BLOCK;
        Some(taken)
    }
}

impl Shared {
    /// Digests for as long as the queues ask for it.
    fn digest(&self, states: &mut States, asked: impl Fn(&Queues) -> bool) {
        loop {
            let taken = {
                let mut queues = lock(&self.queues);
                if !asked(&queues) {
                    return;
                }
                queues.take()
            };
            states.update_alone(&taken.alone);
            states.update(&taken.together);
        }
    }
}

impl States {
    /// Adds bytes to files, one after the other.
    fn update_alone(&mut self, pieces: &[(usize, Bytes)]) {
        for (place, piece) in pieces {
            if let Some(state) = self.files.get_mut(*place) {
                state.update(piece);
            }
        }
    }

    /// Adds as many blocks to each of several files, none of which has begun a block before.
    fn update(&mut self, pieces: &[(usize, Bytes)]) {
        let engine = self.engine;
        if pieces.len() < WORTH_IT {
            return self.update_alone(pieces);
        }
        let lanes = if pieces.len() > LANES { SIDE_BY_SIDE } else { LANES };
        let mut states = [Md5State::new(); SIDE_BY_SIDE];
        let mut inputs: [&[u8]; SIDE_BY_SIDE] = [&[]; SIDE_BY_SIDE];
        let idle = pieces.first().map_or(&[][..], |(_, piece)| piece);
        for (index, (state, input)) in states.iter_mut().zip(&mut inputs).enumerate() {
            *input = pieces.get(index).map_or(idle, |(_, piece)| piece);
            if let Some(file) = pieces.get(index).and_then(|(place, _)| self.files.get(*place)) {
                *state = *file;
            }
        }
        if let (Some(states), Some(inputs)) = (states.get_mut(..lanes), inputs.get(..lanes)) {
            engine.update_many(states, inputs);
        }
        for ((place, _), state) in pieces.iter().zip(&mut states) {
            if let Some(file) = self.files.get_mut(*place) {
                mem::swap(file, state);
            }
        }
    }
}

/// A lock; what it guards is whole after a panic too, since nothing here leaves it in between.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;
    use crate::md5_hex;

    /// Reads files in turns, pieces of different lengths, new ones when others have ended.
    fn digests(files: &[Vec<u8>], at_a_time: usize, piece: impl Fn(usize) -> usize) -> Vec<(u64, String)> {
        let pool = Md5Pool::new();
        let mut left: VecDeque<_> = files.iter().enumerate().collect();
        let mut open: Vec<(usize, Bytes, PooledMd5)> = Vec::new();
        let mut done = vec![(0, String::new()); files.len()];
        let mut turn = 0;
        while !left.is_empty() || !open.is_empty() {
            while open.len() < at_a_time
                && let Some((index, file)) = left.pop_front()
            {
                open.push((index, Bytes::copy_from_slice(file), pool.file()));
            }
            let mut still_open = Vec::new();
            for (index, mut bytes, mut md5) in open {
                turn += 1;
                md5.update(bytes.split_to(piece(turn).min(bytes.len())));
                if bytes.is_empty() {
                    done[index] = md5.finish();
                } else {
                    still_open.push((index, bytes, md5));
                }
            }
            open = still_open;
        }
        done
    }

    #[test]
    fn digests_at_every_number_of_files_and_around_every_block_are_those_of_each_file_alone() {
        for number in [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 40] {
            let lengths = [0, 1, 55, 56, 63, 64, 65, 119, 128, 1000, 4096];
            let file = |file: usize| (0..lengths[file % lengths.len()]).map(|byte| (byte * 31 + file) as u8).collect();
            let files: Vec<Vec<u8>> = (0..number).map(file).collect();
            for piece in [1, 63, 64, 65, 5000] {
                let expected: Vec<_> = files.iter().map(|file| (file.len() as u64, md5_hex(file))).collect();
                assert_eq!(digests(&files, number, |_| piece), expected, "{number} files, pieces of {piece}");
            }
        }
    }

    #[test]
    fn file_that_is_given_up_leaves_its_place_clean() {
        let pool = Md5Pool::new();
        let mut given_up = pool.file();
        given_up.update(Bytes::from_static(b"abc"));
        drop(given_up);
        let mut next = pool.file();
        next.update(Bytes::from_static(b"def"));
        assert_eq!(next.finish(), (3, md5_hex(b"def")));
    }

    #[test]
    fn files_on_several_threads_are_digested_right() {
        let pool = Md5Pool::new();
        std::thread::scope(|scope| {
            for file in 0..24_u8 {
                let pool = pool.clone();
                scope.spawn(move || {
                    let bytes: Vec<u8> = (0..200_000_usize).map(|byte| (byte % 251) as u8 ^ file).collect();
                    let mut md5 = pool.file();
                    for piece in bytes.chunks(4096 + usize::from(file)) {
                        md5.update(Bytes::copy_from_slice(piece));
                    }
                    assert_eq!(md5.finish(), (200_000, md5_hex(&bytes)));
                });
            }
        });
    }

    proptest! {
        #[test]
        fn any_files_in_any_pieces_have_the_digests_that_each_has_alone(
            files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 1..30),
            at_a_time in 1_usize..20,
            pieces in prop::collection::vec(1_usize..300, 1..10),
        ) {
            let expected: Vec<_> = files.iter().map(|file| (file.len() as u64, md5_hex(file))).collect();
            prop_assert_eq!(digests(&files, at_a_time, |turn| pieces[turn % pieces.len()]), expected);
        }
    }
}
