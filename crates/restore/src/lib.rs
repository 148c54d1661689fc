//! What a restore of a Delta table copies: worked out when the plan is made, and once more before it is carried out, by the same
//! code. Neither reads data files.

mod objects;
mod stores;

pub use objects::{Objects, ToCopy, Wish, objects};
pub use stores::Stores;
