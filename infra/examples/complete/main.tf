# Two sources of one warehouse account, one backup account, and every option of both modules.

module "backup" {
  source = "../../modules/backup"

  account_id = var.backup_account_id
  region     = var.region
  name       = "levee"

  sources = {
    lake-events = {
      account_id             = local.warehouse_account_id
      inventory_id           = "levee-daily"
      schedule               = "cron(0 3 * * ? *)"
      time_zone              = "UTC"
      enabled                = true
      settle_days            = 2
      manifest_limit_hours   = 48
      stall_limit_hours      = 6
      priority               = 10
      completed_within_hours = 36
      snapshot               = { tags = { team = "events" } }
    }
    lake-orders = {
      account_id             = local.warehouse_account_id
      inventory_id           = "levee-nightly"
      schedule               = "cron(30 22 * * ? *)"
      time_zone              = "Europe/Berlin"
      settle_days            = 1
      manifest_limit_hours   = 30
      stall_limit_hours      = 12
      priority               = 50
      retries                = 5
      completed_within_hours = 72
      kms_key_arns           = var.emulator ? [] : [var.orders_kms_key_arn]
      selection              = { exclude = [{ glob = "**/_tmp/**" }] }
      archived               = { policy = "skip" }
      snapshot = {
        storage_class = "STANDARD_IA"
        kms_key_arn   = var.emulator ? null : var.snapshot_kms_key_arn
        object_lock   = { mode = "GOVERNANCE", days = 35 }
        tags          = { team = "orders", "cost-centre" = "4711" }
      }
    }
  }
  allow_same_account = var.emulator

  break_glass_arns = var.break_glass_arns
  operator_arns    = var.operator_arns

  bucket_names = {
    canary  = "levee-probes-${var.backup_account_id}-${var.region}"
    scratch = "levee-drills-${var.backup_account_id}-${var.region}"
  }
  inventory_prefix        = "inventories"
  ledger_lock             = { mode = "GOVERNANCE", days = 400 }
  manifest_retention_days = 45
  report_retention_days   = 400
  kms_key_arn             = var.emulator ? null : var.kms_key_arn

  # For the time of a restore alone: terraform apply -var restoring=true, and without it once it is over.
  restores = var.restoring ? { targets = { lake-events = { account_id = local.warehouse_account_id } } } : null

  # Every Sunday morning, five tables of each source are restored into the scratch bucket, opened, and deleted again.
  drills = {
    schedule_expression = "cron(0 6 ? * SUN *)"
    time_zone           = "Europe/Berlin"
    tables              = 5
    limit_days          = 15
    sources             = ["lake-events", "lake-orders"]
  }

  # Five services: the stages before the copy, those that watch it, those after it, those that close a run or plan a restore, and those
  # of drills.
  worker_groups = {
    before = ["manifest-ready", "bucket-provision", "job-submit"]
    copy   = ["job-poll", "report-parse"]
    after  = ["thaw", "large-copy", "snapshot-check"]
    close  = ["table-verify", "run-close", "restore-plan"]
    drills = ["drill-plan", "drill-close"]
  }
  worker_trust = jsonencode({
    Version = "2012-10-17"
    Statement = {
      Sid       = "Operators"
      Effect    = "Allow"
      Principal = { AWS = var.operator_arns }
      Action    = "sts:AssumeRole"
    }
  })
  ecs = {
    image              = var.image
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
    assign_public_ip   = false
    cpu                = 512
    memory             = 1024
    minimum            = 0
    maximum            = 3
    concurrency        = 8
    scaling            = !var.emulator
  }

  # An emulator would have to reach the URL to confirm it.
  subscriptions = merge(
    {
      operators = { protocol = "email", endpoint = var.operators_email, severities = ["critical", "warning"] }
      audit     = { protocol = "sqs", endpoint = var.audit_queue_arn }
    },
    var.emulator ? {} : { incidents = { protocol = "https", endpoint = var.incidents_url, severities = ["critical"] } },
  )
  oldest_message_seconds = 1800
  log_retention_days     = 400
  tracing                = true
  tags                   = { "cost-centre" = "4711" }
}

locals {
  # Emulators cannot copy between accounts.
  warehouse_account_id = var.emulator ? var.backup_account_id : var.warehouse_account_id
}

module "lake_events" {
  source    = "../../modules/source"
  providers = { aws = aws.warehouse }

  bucket                 = "lake-events"
  backup_account_id      = var.backup_account_id
  backup                 = module.backup.for_sources
  existing_bucket_policy = var.events_bucket_policy
  inventory_id           = "levee-daily"
}

module "lake_orders" {
  source    = "../../modules/source"
  providers = { aws = aws.warehouse }

  bucket                 = "lake-orders"
  backup_account_id      = var.backup_account_id
  backup                 = module.backup.for_sources
  existing_bucket_policy = ""
  inventory_id           = "levee-nightly"
  inventory_kms_key_arn  = var.emulator ? null : var.kms_key_arn
  kms_key_arns           = var.emulator ? [] : [var.orders_kms_key_arn]
}
