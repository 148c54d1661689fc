# Both modules for the names of the rehearsed nights (`Plan::for_source` of crates/levee), with every option that adds a
# statement to a policy, restores into one of the two sources and drills of both among them. It is only planned: with no account at all, since
# every policy is built from names.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 6.0"
    }
  }
}

variable "states_endpoint" {
  description = "Where the provider has the definition of the state machine validated when it plans: the twin."
  type        = string
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "222222222222"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true

  endpoints {
    sfn = var.states_endpoint
  }
}

provider "aws" {
  alias = "warehouse"

  region                      = "us-east-1"
  access_key                  = "111111111111"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

locals {
  keys = {
    source     = "arn:aws:kms:us-east-1:111111111111:key/11111111-0000-4000-8000-000000000001"
    snapshots  = "arn:aws:kms:us-east-1:222222222222:key/22222222-0000-4000-8000-000000000002"
    deployment = "arn:aws:kms:us-east-1:222222222222:key/22222222-0000-4000-8000-000000000003"
    target     = "arn:aws:kms:us-east-1:111111111111:key/11111111-0000-4000-8000-000000000004"
  }
}

module "backup" {
  source = "../../modules/backup"

  account_id = "222222222222"
  region     = "us-east-1"
  sources = {
    lake-events = { account_id = "111111111111", inventory_id = "daily", kms_key_arns = [local.keys.target] }
    lake-payments = {
      account_id   = "111111111111"
      inventory_id = "daily"
      kms_key_arns = [local.keys.source]
      archived     = { policy = "restore", tier = "STANDARD" }
      snapshot = {
        storage_class = "GLACIER_IR"
        kms_key_arn   = local.keys.snapshots
        object_lock   = { mode = "GOVERNANCE", days = 30 }
      }
    }
  }
  restores         = { targets = { lake-events = { account_id = "111111111111", kms_key_arns = [local.keys.target] } } }
  drills           = {}
  bucket_names     = { manifests = "levee-manifests", reports = "levee-reports", ledger = "levee-ledger", canary = "levee-canary", scratch = "levee-scratch" }
  break_glass_arns = ["arn:aws:iam::222222222222:role/break-glass"]
  operator_arns    = ["arn:aws:iam::222222222222:role/operators"]
  kms_key_arn      = local.keys.deployment
  tracing          = true
  ecs = {
    image              = "222222222222.dkr.ecr.us-east-1.amazonaws.com/levee@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    subnet_ids         = ["subnet-00000000000000000"]
    security_group_ids = ["sg-00000000000000000"]
  }
}

module "source" {
  source    = "../../modules/source"
  for_each  = { lake-events = [local.keys.target], lake-payments = [local.keys.source] }
  providers = { aws = aws.warehouse }

  bucket                 = each.key
  backup_account_id      = "222222222222"
  backup                 = module.backup.for_sources
  existing_bucket_policy = ""
  inventory_id           = "daily"
  kms_key_arns           = each.value
}
