//! Amounts in the order of the decisions, as JSON an object with the names of the decisions that have objects.

use std::collections::BTreeMap;

use levee_ledger::state::{Amount, Decision};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::count::DECISIONS;

pub(crate) fn serialize<S: Serializer>(amounts: &[Amount; DECISIONS.len()], to: S) -> Result<S::Ok, S::Error> {
    let named = DECISIONS.into_iter().zip(amounts).filter(|(_, amount)| amount.rows > 0);
    named.collect::<BTreeMap<_, _>>().serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[Amount; DECISIONS.len()], D::Error> {
    let named = BTreeMap::<Decision, Amount>::deserialize(from)?;
    Ok(DECISIONS.map(|decision| named.get(&decision).copied().unwrap_or_default()))
}
