//! The memory of large artefacts: one part of each.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};

/// The size of a part. 10,000 parts, S3's limit, make 80 GB: far more than a list of all objects of a bucket.
const PART: usize = 8 * 1024 * 1024;
/// An artefact that stays below this has memory of its own size.
const SMALL: usize = 256 * 1024;
/// Buffers that are kept at most when nobody uses them.
const KEPT: usize = 8;

/// Buffers of the size of a part, which artefacts leave to later ones. Memory that grows to such a size and is given back again
/// and again leaves holes behind: a process then takes up to twice what it uses.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartBuffers(Arc<Mutex<Vec<BytesMut>>>);

/// The next part of an artefact.
#[derive(Debug)]
pub(crate) struct Part {
    bytes: BytesMut,
    buffers: PartBuffers,
}

impl PartBuffers {
    pub(crate) fn part(&self) -> Part {
        Part { bytes: BytesMut::new(), buffers: self.clone() }
    }

    fn free(&self) -> MutexGuard<'_, Vec<BytesMut>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self) -> BytesMut {
        let free = self.free().pop();
        free.unwrap_or_else(|| BytesMut::with_capacity(PART))
    }

    fn put(&self, mut buffer: BytesMut) {
        buffer.clear();
        let mut free = self.free();
        if buffer.capacity() >= PART && free.len() < KEPT {
            free.push(buffer);
        }
    }
}

impl Part {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= PART
    }

    /// Adds what there is room for, and returns what there is none for.
    pub(crate) fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = PART.saturating_sub(self.bytes.len()).min(bytes.len());
        let (now, later) = bytes.split_at(room);
        let length = self.bytes.len().saturating_add(now.len());
        if length > SMALL && self.bytes.capacity() < PART {
            let small = mem::replace(&mut self.bytes, self.buffers.get());
            self.bytes.extend_from_slice(&small);
        }
        self.bytes.extend_from_slice(now);
        later
    }

    /// The bytes, to be sent without a copy. They have to be [given back](Self::give_back).
    pub(crate) fn lend(&mut self) -> Bytes {
        // Not split off: what is left of the buffer would keep it from being given back.
        mem::take(&mut self.bytes).freeze()
    }

    /// Takes the bytes back: the part is again what it was.
    pub(crate) fn give_back(&mut self, bytes: Bytes) {
        self.bytes = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.buffers.put(mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_takes_as_much_as_it_has_room_for_and_is_whole_after_it_was_lent() {
        let bytes: Vec<u8> = (0..PART + 100).map(|byte| (byte % 251) as u8).collect();
        let mut part = PartBuffers::default().part();
        let rest = bytes.chunks(100_000).find_map(|chunk| Some(part.fill(chunk)).filter(|rest| !rest.is_empty()));
        assert!(part.is_full());
        assert_eq!(rest.map(<[u8]>::len), Some(100));
        let lent = part.lend();
        let (place, sent) = (lent.as_ptr(), lent.clone());
        assert_eq!(sent, bytes.get(..PART).unwrap_or_default());
        drop(sent);
        part.give_back(lent);
        let lent_again = part.lend();
        assert_eq!(lent_again, bytes.get(..PART).unwrap_or_default());
        assert_eq!(lent_again.as_ptr(), place, "nothing was copied");
    }

    #[test]
    fn part_that_was_lent_before_it_was_full_has_its_room_again() {
        let mut part = PartBuffers::default().part();
        part.fill(&vec![1; SMALL + 1]);
        let lent = part.lend();
        let place = lent.as_ptr();
        part.give_back(lent);
        part.fill(&vec![2; SMALL]);
        let lent = part.lend();
        assert_eq!((lent.as_ptr(), lent.len()), (place, 2 * SMALL + 1));
    }

    #[test]
    fn memory_of_a_part_is_used_again_and_that_of_a_small_artefact_is_not_kept() {
        let buffers = PartBuffers::default();
        drop(buffers.part());
        let mut small = buffers.part();
        small.fill(b"abc");
        drop(small);
        assert_eq!(buffers.free().len(), 0);
        let mut large = buffers.part();
        large.fill(&vec![1; SMALL + 1]);
        drop(large);
        assert_eq!(buffers.free().len(), 1);
        let mut next = buffers.part();
        next.fill(&vec![2; SMALL + 1]);
        assert_eq!(buffers.free().len(), 0);
        assert_eq!(next.lend(), vec![2; SMALL + 1]);
    }
}
