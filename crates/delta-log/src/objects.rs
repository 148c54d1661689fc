//! Objects by the hashes of their keys.

use std::sync::OnceLock;

use crate::ids::Id;

/// Objects with their sizes: 24 bytes each, and about 8 more once one has been looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    all: Vec<Object>,
    /// Places in `all` by hash, made when first asked for: an open table of which 0 is the empty place.
    index: OnceLock<Box<[u32]>>,
}

#[derive(Clone, Copy, Debug)]
struct Object {
    id: Id,
    size: u64,
}

impl Objects {
    pub(crate) fn push(&mut self, id: Id, size: u64) {
        self.index.take();
        self.all.push(Object { id, size });
    }

    pub(crate) fn extend(&mut self, others: &Self) {
        self.index.take();
        self.all.extend_from_slice(&others.all);
    }

    pub(crate) const fn len(&self) -> usize {
        self.all.len()
    }

    /// Bytes in memory, about.
    pub(crate) fn memory(&self) -> usize {
        let index = self.index.get().map_or(0, |index| index.len() * size_of::<u32>());
        self.all.capacity() * size_of::<Object>() + index
    }

    /// Appends the size of each object to `sizes`, as [`Self::size_of`] has it; in less time than one by one, since what is loaded
    /// from memory for one does not wait for what is loaded for another.
    pub(crate) fn sizes_of(&self, ids: &[Id], sizes: &mut Vec<Option<u64>>) {
        let index = self.index.get_or_init(|| index(&self.all));
        let mask = index.len().wrapping_sub(1);
        let mut numbers = [0_u32; 64];
        for ids in ids.chunks(numbers.len()) {
            for (number, id) in numbers.iter_mut().zip(ids) {
                *number = index.get(slot(*id, mask)).copied().unwrap_or(0);
            }
            sizes.extend(ids.iter().zip(numbers).map(|(id, number)| {
                let object = self.all.get((number as usize).checked_sub(1)?)?;
                if object.id == *id { Some(object.size) } else { self.size_of(*id) }
            }));
        }
    }

    /// The size of the object with this hash, when it is there; of several the last one's.
    pub(crate) fn size_of(&self, id: Id) -> Option<u64> {
        let index = self.index.get_or_init(|| index(&self.all));
        let mask = index.len().checked_sub(1)?;
        let mut place = slot(id, mask);
        loop {
            let number = index.get(place).copied().filter(|&number| number != 0)?;
            let object = self.all.get(number as usize - 1)?;
            if object.id == id {
                return Some(object.size);
            }
            place = (place + 1) & mask;
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "masked")]
const fn slot(id: Id, mask: usize) -> usize {
    id.place() as usize & mask
}

/// At most three quarters of the places are taken, so that a search always meets an empty one.
fn index(objects: &[Object]) -> Box<[u32]> {
    let places = (objects.len() + objects.len() / 3 + 1).next_power_of_two();
    let mut index = vec![0_u32; places].into_boxed_slice();
    for (number, object) in (1_u32..).zip(objects) {
        let mut place = slot(object.id, places - 1);
        while let Some(taken) = index.get_mut(place) {
            let same = |taken: u32| objects.get(taken as usize - 1).is_some_and(|other| other.id == object.id);
            if *taken == 0 || same(*taken) {
                *taken = number;
                break;
            }
            place = (place + 1) & (places - 1);
        }
    }
    index
}
