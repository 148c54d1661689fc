//! The twin: a local AWS on which Levee's nights run.
#![allow(missing_docs)]

pub mod env;
pub mod service;
