//! Many runs at once on one twin, and what Levee itself adds to them: how long messages wait for their stages, how long
//! stages take, and what passes between the events that people wait for.
//!
//! ```text
//! Crowd -> play -> Played: lives of messages, milestones of runs -> Figures
//! ```

mod crowd;
mod figures;
mod log;
mod wire;

pub use crowd::{Crowd, Milestones, Played};
pub use figures::{Both, Figures, QueueFigures, RunFigures, Spread, Stretch};
pub use log::{Answer, Life, MessageLog, Moment};
pub use wire::Wire;
