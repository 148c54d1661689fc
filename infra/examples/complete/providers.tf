terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 6.0"
    }
  }
}

# An emulator takes the account for the access key, knows no virtual-host addresses, and is found by AWS_ENDPOINT_URL.
provider "aws" {
  region                      = var.region
  profile                     = var.emulator ? null : var.backup_profile
  access_key                  = var.emulator ? var.backup_account_id : null
  secret_key                  = var.emulator ? "emulator" : null
  s3_use_path_style           = var.emulator
  skip_credentials_validation = var.emulator
  skip_metadata_api_check     = var.emulator
  skip_region_validation      = var.emulator
  skip_requesting_account_id  = var.emulator
}

provider "aws" {
  alias = "warehouse"

  region                      = var.region
  profile                     = var.emulator ? null : var.warehouse_profile
  access_key                  = var.emulator ? local.warehouse_account_id : null
  secret_key                  = var.emulator ? "emulator" : null
  s3_use_path_style           = var.emulator
  skip_credentials_validation = var.emulator
  skip_metadata_api_check     = var.emulator
  skip_region_validation      = var.emulator
  skip_requesting_account_id  = var.emulator
}
