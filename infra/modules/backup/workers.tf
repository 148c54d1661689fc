# Where the workers run.

locals {
  # The settings of crates/stage/src/settings/common.rs, and of the workers that have their own.
  worker_environment = merge(
    {
      AWS_REGION          = var.region
      LEVEE_ACCOUNT       = var.account_id
      LEVEE_LEDGER_BUCKET = local.buckets.ledger
      LEVEE_REPORT_BUCKET = local.buckets.reports
      LEVEE_COPY_ROLE_ARN = local.copy_role_arn
      LEVEE_EVENT_BUS     = local.event_bus_name
      LEVEE_QUEUE_PREFIX  = local.queue_prefix
      LEVEE_LOG_FORMAT    = "json"
    },
    length(var.break_glass_arns) == 0 ? {} : { LEVEE_BREAK_GLASS_ARNS = join(",", var.break_glass_arns) },
  )
}
