# One source with the defaults. Two accounts, so two providers: name your profiles and the Region.

provider "aws" {
  region  = "us-east-1"
  profile = "backup"
}

provider "aws" {
  alias   = "warehouse"
  region  = "us-east-1"
  profile = "warehouse"
}

module "backup" {
  source = "../../modules/backup"

  account_id = "222222222222"
  region     = "us-east-1"
  sources    = { lake-events = { account_id = "111111111111" } }
  ecs = {
    image              = "222222222222.dkr.ecr.us-east-1.amazonaws.com/levee:latest"
    subnet_ids         = ["subnet-0123456789abcdef0"]
    security_group_ids = ["sg-0123456789abcdef0"]
  }
  subscriptions = { operators = { protocol = "email", endpoint = "operators@example.com" } }
}

module "lake_events" {
  source    = "../../modules/source"
  providers = { aws = aws.warehouse }

  bucket                 = "lake-events"
  backup_account_id      = "222222222222"
  backup                 = module.backup.for_sources
  existing_bucket_policy = "" # the bucket has none today
}
