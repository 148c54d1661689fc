# Drills: the state machine, a schedule per source, and how silence is heard. What they may do is in iam_drill.tf, the bucket that they
# restore into in scratch.tf. Nothing of it is there while the variable `drills` is null.

locals {
  drilling        = var.drills != null
  drilled_sources = var.drills == null ? [] : [for source in keys(var.sources) : source if contains(coalesce(var.drills.sources, keys(var.sources)), source)]

  drill_definition = local.drilling ? templatefile("${path.module}/../../../statemachine/drill.asl.json", { queue_url_prefix = local.queue_url_prefix }) : null

  # What names have left for the source in the 64 characters of a schedule's and of a rule's; a digest tells long ones apart.
  drill_schedule_names = { for source in local.drilled_sources : source =>
    length(source) <= 57 - length(var.name) ? "${var.name}-drill-${source}" : "${var.name}-drill-${substr(source, 0, 48 - length(var.name))}-${substr(sha256(source), 0, 8)}"
  }
  drilled_rules = { for source in local.drilled_sources : source =>
    "${var.name}-drilled-${substr(source, 0, min(40, 46 - length(var.name)))}-${substr(sha256(source), 0, 8)}"
  }
  drilled_queue_arns = { for source, name in local.drilled_rules : source => "arn:aws:sqs:${var.region}:${var.account_id}:${name}" }

  # A tick that is delivered twice names one execution, and Step Functions refuses the second.
  drill_schedule_inputs = { for source in local.drilled_sources : source => replace(replace(jsonencode({
    StateMachineArn = local.drill_state_machine_arn
    Name            = "${local.short_sources[source]}-<aws.scheduler.execution-id>"
    Input = jsonencode({ drill = {
      source  = source
      scratch = { name = local.scratch_bucket, account = var.account_id, region = var.region }
      tables  = var.drills.tables
    } })
  }), "\\u003c", "<"), "\\u003e", ">") }

  # CloudWatch looks back over seven days at most, which one weekly drill does not fit into. So a queue remembers each drill that
  # succeeded for as long as SQS can, 14 days, and the alarm waits the rest of the limit with the queue empty.
  remembered_days = local.drilling ? min(var.drills.limit_days, 14) : null
  forgotten_hours = local.drilling ? max(1, (var.drills.limit_days - 14) * 24) : null
}

resource "aws_cloudwatch_log_group" "drills" {
  count = local.drilling ? 1 : 0

  name              = local.log_groups.drills
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

resource "aws_sfn_state_machine" "drill" {
  # checkov:skip=CKV_AWS_284:Tracing is the variable `tracing`, off by default because traces are billed and the log has every step
  count = local.drilling ? 1 : 0

  name       = local.drill_state_machine_name
  type       = "STANDARD"
  definition = local.drill_definition
  role_arn   = local.state_machine_role_arn

  logging_configuration {
    level                  = "ALL"
    include_execution_data = true
    log_destination        = "${local.log_group_arns.drills}:*"
  }

  tracing_configuration {
    enabled = var.tracing
  }

  tags = local.tags

  depends_on = [aws_cloudwatch_log_group.drills, aws_iam_role_policy.this]
}

resource "aws_scheduler_schedule" "drill" {
  # checkov:skip=CKV_AWS_297:Under the deployment's key where there is one; a schedule holds names alone and is else under a key of the service
  for_each = local.drill_schedule_names

  name                         = each.value
  group_name                   = local.schedule_group
  description                  = "Starts Levee's drill of ${each.key}"
  schedule_expression          = var.drills.schedule_expression
  schedule_expression_timezone = var.drills.time_zone
  state                        = var.sources[each.key].enabled ? "ENABLED" : "DISABLED"
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
    role_arn = local.scheduler_role_arn
    input    = local.drill_schedule_inputs[each.key]

    retry_policy {
      maximum_event_age_in_seconds = 12 * 3600
      maximum_retry_attempts       = 185
    }
    dead_letter_config {
      arn = local.schedules_dlq_arn
    }
  }

  depends_on = [aws_iam_role_policy.this, aws_s3_bucket_policy.scratch, aws_sfn_state_machine.drill, aws_sqs_queue.dead_letters]
}

# Nobody reads it: a message is a drill that succeeded, and goes when its time is over.
resource "aws_sqs_queue" "drilled" {
  for_each = local.drilled_rules

  name                      = each.value
  message_retention_seconds = local.remembered_days * 24 * 3600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = local.tags
}

resource "aws_sqs_queue_policy" "drilled" {
  for_each = local.drilled_rules

  queue_url = aws_sqs_queue.drilled[each.key].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "LeveeDenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.drilled_queue_arns[each.key]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "TheRuleRemembersDrills"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.drilled_queue_arns[each.key]
        Condition = { ArnLike = { "aws:SourceArn" = "${local.rule_arn_prefix}${each.value}" } }
      },
    ]
  })
}

resource "aws_cloudwatch_event_target" "drilled" {
  for_each = local.drilled_rules

  rule      = aws_cloudwatch_event_rule.this["drilled ${each.key}"].name
  target_id = "queue"
  arn       = local.drilled_queue_arns[each.key]

  dead_letter_config {
    arn = local.dead_letter_arns["events"]
  }

  depends_on = [aws_sqs_queue_policy.drilled, aws_sqs_queue_policy.this]
}

# In ALARM until the first drill of a source has succeeded. A queue that is empty for hours sends no metrics, which counts as silence.
resource "aws_cloudwatch_metric_alarm" "not_drilled" {
  for_each = local.drilled_rules

  alarm_name          = "${var.name}-not-drilled-${each.key}"
  alarm_description   = "No drill of ${each.key} has succeeded within ${var.drills.limit_days} days. Look for a drill that failed, waits or was never started (${local.drill_schedule_names[each.key]} and ${local.queue_prefix}schedules-dlq). See \"Alarms\" in docs/operate.md."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 3600
  evaluation_periods  = local.forgotten_hours
  datapoints_to_alarm = local.forgotten_hours
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  actions_enabled     = var.sources[each.key].enabled
  alarm_actions       = [local.topic_arn]
  tags                = local.tags

  depends_on = [aws_sns_topic_policy.this]
}
