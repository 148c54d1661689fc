//! How a folder keeps the few members that do not say it themselves.

use s3s::dto;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Ownership controls have exactly one rule, whose value is kept.
pub(super) mod ownership {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        controls: &Option<dto::OwnershipControls>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let rule = controls.as_ref().and_then(|controls| controls.rules.first());
        rule.map(|rule| rule.object_ownership.as_str()).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<dto::OwnershipControls>, D::Error> {
        let controls = |name: String| dto::OwnershipControls {
            rules: vec![dto::OwnershipControlsRule { object_ownership: name.into() }],
        };
        Ok(Option::<String>::deserialize(deserializer)?.map(controls))
    }
}

/// Lifecycle rules with the least size of a transition.
pub(super) mod lifecycle {
    use super::*;

    type Lifecycle = (dto::BucketLifecycleConfiguration, Option<dto::TransitionDefaultMinimumObjectSize>);

    pub(in super::super) fn serialize<S: Serializer>(
        lifecycle: &Option<Lifecycle>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let kept =
            lifecycle.as_ref().map(|(configuration, size)| (configuration, size.as_ref().map(|size| size.as_str())));
        kept.serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Lifecycle>, D::Error> {
        let kept = Option::<(dto::BucketLifecycleConfiguration, Option<String>)>::deserialize(deserializer)?;
        Ok(kept.map(|(configuration, size)| (configuration, size.map(Into::into))))
    }
}

/// A shared list as a list.
pub(super) mod shared {
    use std::sync::Arc;

    use super::*;

    pub(in super::super) fn serialize<S: Serializer, T: Serialize>(
        list: &Arc<[T]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        list.as_ref().serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Arc<[T]>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into())
    }
}
