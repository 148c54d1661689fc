//! The actions of a version that are about the table as a whole.

use std::collections::BTreeMap;

use crate::{
    actions::Unusable,
    whole::{Object, Whole},
};

/// The last `protocol`, the last `metaData`, and the last `domainMetadata` of each domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) protocol: Option<Object>,
    pub(crate) metadata: Option<Object>,
    /// By domain; those that were removed are not there.
    pub(crate) domains: BTreeMap<String, Object>,
}

impl Head {
    /// The table's properties that have a value.
    pub(crate) fn configuration(&self) -> Result<BTreeMap<String, String>, Unusable> {
        let metadata = self.metadata.as_ref();
        let found = metadata.map(|metadata| metadata.read::<BTreeMap<String, Option<String>>>("configuration"));
        let found = found.transpose()?.flatten().unwrap_or_default();
        Ok(found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }
}

impl Whole for Head {
    fn protocol(&mut self, protocol: Object) -> Result<(), Unusable> {
        self.protocol = Some(protocol);
        Ok(())
    }

    fn metadata(&mut self, metadata: Object) -> Result<(), Unusable> {
        self.metadata = Some(metadata);
        Ok(())
    }

    fn domain(&mut self, action: Object) -> Result<(), Unusable> {
        let domain: String = action.read("domain")?.ok_or_else(|| Unusable::new("a domainMetadata has no domain"))?;
        if action.read("removed")?.unwrap_or(false) {
            self.domains.remove(&domain);
        } else {
            self.domains.insert(domain, action);
        }
        Ok(())
    }
}
