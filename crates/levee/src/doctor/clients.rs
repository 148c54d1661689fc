//! The clients of the two accounts, and who they are.

use aws_config::{BehaviorVersion, Region, SdkConfig, profile::ProfileFileCredentialsProvider};
use levee_stage::{Aws, aws::with_defaults};

use super::{
    Examination, Source,
    finding::{Check, Fault, Finding, problem, refused, unknown},
};

/// Clients of one account, for every service that the doctor asks.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Those that the workers use too.
    pub aws: Aws,
    /// AWS KMS.
    pub kms: aws_sdk_kms::Client,
    /// EventBridge Scheduler.
    pub scheduler: aws_sdk_scheduler::Client,
    /// Amazon SNS.
    pub sns: aws_sdk_sns::Client,
    /// AWS STS.
    pub sts: aws_sdk_sts::Client,
    region: Option<String>,
}

impl Clients {
    /// Clients from the SDK's configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = with_defaults(config);
        Self {
            aws: Aws::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            scheduler: aws_sdk_scheduler::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            region: config.region().map(ToString::to_string),
        }
    }

    /// Clients from the environment; in `region` where that says nothing.
    pub(crate) async fn from_env(region: &str) -> Self {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self::new(&in_region(config, region))
    }

    /// Clients with the credentials of a profile, whatever credentials the environment has.
    pub(super) async fn of_profile(profile: &str, region: &str) -> Self {
        let credentials = ProfileFileCredentialsProvider::builder().profile_name(profile).build();
        let loader = aws_config::defaults(BehaviorVersion::latest()).profile_name(profile);
        Self::new(&in_region(loader.credentials_provider(credentials).load().await, region))
    }

    /// The account of the credentials.
    async fn account(&self) -> Result<String, Fault> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| refused("sts:GetCallerIdentity", "the caller", &error))?;
        let no_account = || unknown("STS answered no account", "run the doctor again");
        answer.account().map(str::to_owned).ok_or_else(no_account)
    }
}

fn in_region(config: SdkConfig, region: &str) -> SdkConfig {
    if config.region().is_some() {
        return config;
    }
    config.into_builder().region(Region::new(region.to_owned())).build()
}

/// What the doctor can ask the account of the sources with.
#[derive(Clone, Debug)]
pub enum Warehouse {
    /// Nothing.
    NotGiven,
    /// Clients of this account.
    Given {
        /// The clients.
        clients: Box<Clients>,
        /// Their account.
        account: String,
    },
    /// Clients that do not work, and why.
    Unusable(String),
}

impl Warehouse {
    /// Finds the account of the clients out.
    pub async fn of(clients: Clients) -> Self {
        match clients.account().await {
            Ok(account) => Self::Given { clients: Box::new(clients), account },
            Err(Fault::Unknown { detail, .. } | Fault::Problem { detail, .. }) => Self::Unusable(detail),
        }
    }

    /// Clients for the bucket and the keys of a source.
    pub(super) fn of_source(&self, source: &Source) -> Result<&Clients, Fault> {
        let wanted = &source.account;
        match self {
            Self::Given { clients, account } if account == wanted => Ok(clients),
            Self::Given { account, .. } => Err(unknown(
                format!("the source is in account {wanted}, the source profile is of {account}"),
                format!("give a profile of account {wanted}: --source {} --source-profile PROFILE", source.name),
            )),
            Self::NotGiven => Err(unknown(
                format!("it can only be looked at from its own account {wanted}"),
                format!("give a profile with read access to account {wanted}: --source-profile PROFILE"),
            )),
            Self::Unusable(why) => Err(unknown(
                format!("the source profile cannot be used: {why}"),
                "see to the profile's credentials (aws sts get-caller-identity --profile PROFILE), then run the doctor again",
            )),
        }
    }
}

impl Examination<'_> {
    /// Who calls, and where.
    pub(super) async fn credentials(&self) -> Vec<Finding> {
        let wanted = &self.deployment.account;
        let account: Check = self.backup.account().await.and_then(|account| {
            if account == *wanted {
                return Ok(format!("the caller is of account {account}"));
            }
            let detail =
                format!("the caller is of account {account}, the deployment is in {wanted}; nothing else was checked");
            let role = self.deployment.role_arn("doctor");
            Err(problem(
                detail,
                format!("use credentials of account {wanted}, for example of the role {role} (AWS_PROFILE)"),
            ))
        });
        let wanted = &self.deployment.region;
        let region: Check = match self.backup.region.as_deref() {
            Some(region) if region == wanted => Ok(format!("calls go to {region}")),
            other => Err(problem(
                format!(
                    "calls go to {}, the deployment is in {wanted}; nothing else was checked",
                    other.unwrap_or("no Region")
                ),
                format!("set AWS_REGION={wanted}"),
            )),
        };
        let subject = "the caller";
        vec![Finding::new("credentials/account", subject, account), Finding::new("credentials/region", subject, region)]
    }
}
