//! What a restore copies, of Delta tables and of prefixes: worked out when the plan is made, and once more before it is carried out, by the same
//! code. Neither reads data files.

mod keys;
mod objects;
mod stores;

pub use keys::{Differing, Found, Keys, Prefix, Walked, walk};
pub use objects::{Objects, ToCopy, Wish, objects};
pub use stores::Stores;
