# One schedule per source. What it starts is what crates/levee/src/deploy/schedules.rs starts, and the input is the `Run` of
# crates/ledger/src/state.rs, which refuses fields that it does not know.

locals {
  # What is as `Run` has it without being said is left out.
  run_optional = { for name, source in var.sources : name => {
    manifest_limit_hours = source.manifest_limit_hours == 48 ? null : source.manifest_limit_hours
    stall_limit_hours    = source.stall_limit_hours == 6 ? null : source.stall_limit_hours
    priority             = source.priority == 10 ? null : source.priority
    retries              = source.retries == 3 ? null : source.retries
    slice_files          = source.slice_files == 512 ? null : source.slice_files
  } }
  run_selection = { for name, source in var.sources : name => merge(
    { for key, patterns in { include = source.selection.include, exclude = source.selection.exclude } :
    key => [for pattern in patterns : { for kind, text in pattern : kind => text if text != null }] if length(patterns) > 0 },
    { for key, classes in { storage_classes = source.selection.storage_classes } : key => classes if length(classes) > 0 },
  ) }
  # A string, or an object: two types, which one condition cannot give.
  run_archived = { for name, source in var.sources : name => merge(
    { for key, value in { archived = "skip" } : key => value if source.archived.policy == "skip" },
    { for key, value in { archived = { restore = { tier = source.archived.tier, days = source.archived.days, limit_hours = source.archived.limit_hours } } } : key => value if source.archived.policy == "restore" },
  ) }
  run_snapshot = { for name, source in var.sources : name => merge(
    { for key, value in { storage_class = source.snapshot.storage_class, kms_key_arn = source.snapshot.kms_key_arn } : key => value if value != null },
    { for key, value in { object_lock = source.snapshot.object_lock } : key => value if value != null },
    { for key, value in { tags = source.snapshot.tags } : key => value if length(value) > 0 },
  ) }
  runs = { for name, source in var.sources : name => { run = merge(
    {
      source         = name
      source_account = source.account_id
      inventory      = { bucket = local.buckets.manifests, prefix = var.inventory_prefix, id = source.inventory_id }
      scheduled_time = "<aws.scheduler.scheduled-time>"
      time_zone      = source.time_zone
      settle_days    = source.settle_days
    },
    { for key, value in local.run_optional[name] : key => value if value != null },
    { for key, value in { selection = local.run_selection[name] } : key => value if length(value) > 0 },
    local.run_archived[name],
    { for key, value in { snapshot = local.run_snapshot[name] } : key => value if length(value) > 0 },
  ) } }

  # jsonencode writes \u003c and \u003e for < and >, and Scheduler would not know its own placeholders.
  run_inputs = { for name, run in local.runs : name => replace(replace(jsonencode(run), "\\u003c", "<"), "\\u003e", ">") }
  # A tick that is delivered twice names one execution, and Step Functions refuses the second.
  schedule_inputs = { for name, input in local.run_inputs : name => replace(replace(jsonencode({
    StateMachineArn = local.state_machine_arn
    Name            = "${local.short_sources[name]}-<aws.scheduler.execution-id>"
    Input           = input
  }), "\\u003c", "<"), "\\u003e", ">") }
}

resource "aws_scheduler_schedule" "source" {
  # checkov:skip=CKV_AWS_297:Under the deployment's key where there is one; a schedule holds names alone and is else under a key of the service
  for_each = var.sources

  name                         = local.schedule_names[each.key]
  group_name                   = local.schedule_group
  description                  = "Starts Levee's backup of ${each.key}"
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = each.value.time_zone
  state                        = each.value.enabled ? "ENABLED" : "DISABLED"
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
    role_arn = local.scheduler_role_arn
    input    = local.schedule_inputs[each.key]

    # A night that begins in the morning is better than none.
    retry_policy {
      maximum_event_age_in_seconds = 12 * 3600
      maximum_retry_attempts       = 185
    }
    dead_letter_config {
      arn = local.schedules_dlq_arn
    }
  }

  depends_on = [aws_iam_role_policy.this, aws_sfn_state_machine.backup, aws_sqs_queue.dead_letters]
}
