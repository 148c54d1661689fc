# Every alarm goes to the topic. Silence counts as failure: a source without a completed run raises one too.

locals {
  alarms = merge(
    { for alarm in [
      { key = "executions-failed", metric = "ExecutionsFailed", what = "A run failed", machine = local.state_machine_arn },
      { key = "executions-timed-out", metric = "ExecutionsTimedOut", what = "A run timed out", machine = local.state_machine_arn },
      { key = "executions-aborted", metric = "ExecutionsAborted", what = "Somebody stopped a run", machine = local.state_machine_arn },
      { key = "restores-failed", metric = "ExecutionsFailed", what = "A restore failed", machine = local.restore_state_machine_arn },
      { key = "restores-timed-out", metric = "ExecutionsTimedOut", what = "A restore timed out", machine = local.restore_state_machine_arn },
      { key = "restores-aborted", metric = "ExecutionsAborted", what = "Somebody stopped a restore", machine = local.restore_state_machine_arn },
      ] : alarm.key => {
      description = "${alarm.what}. The cause of the execution says what to change; then redrive the execution. See \"Alarms\" in docs/operate.md."
      namespace   = "AWS/States"
      metric      = alarm.metric
      dimensions  = { StateMachineArn = alarm.machine }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for alarm in [
      { key = "drills-failed", metric = "ExecutionsFailed", what = "A drill failed" },
      { key = "drills-timed-out", metric = "ExecutionsTimedOut", what = "A drill timed out" },
      { key = "drills-aborted", metric = "ExecutionsAborted", what = "Somebody stopped a drill" },
      ] : alarm.key => {
      description = "${alarm.what}: whether tables can be restored is not known. The cause of the execution says what is wrong; then redrive the execution. See \"Alarms\" in docs/operate.md."
      namespace   = "AWS/States"
      metric      = alarm.metric
      dimensions  = { StateMachineArn = local.drill_state_machine_arn }
      statistic   = "Sum"
      threshold   = 0
    } if local.drilling },
    {
      copy-failures = {
        description = "Objects of a source were not copied. The execution's cause names the list of them; correct what it says, then redrive the execution. See \"Alarms\" in docs/operate.md."
        namespace   = "AWS/Events"
        metric      = "TriggeredRules"
        dimensions  = { EventBusName = local.event_bus_name, RuleName = local.levee_rules["copy-failures"] }
        statistic   = "Sum"
        threshold   = 0
      }
    },
    { for name in local.dead_letter_names : "${name}-dlq-not-empty" => {
      description = "${local.dead_letter_meanings[name]} Look at the messages in ${local.queue_prefix}${name}-dlq, correct the cause, and move them back or delete them. See \"Alarms\" in docs/operate.md."
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = "${local.queue_prefix}${name}-dlq" }
      statistic   = "Maximum"
      threshold   = 0
    } },
  )
  dead_letter_meanings = merge(
    { for stage in local.stages : stage => "The worker ${stage} could not work on a message." },
    {
      schedules     = "A schedule could not start a run or a drill, or started one twice (ExecutionAlreadyExists, which is harmless).",
      events        = "A rule could not deliver an event.",
      notifications = "A subscriber could not be reached.",
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic_arn]
  tags                = local.tags

  depends_on = [aws_sns_topic_policy.this]
}

# The age counts messages in work too, and a stage may read a large inventory for hours: the age matters while messages wait.
resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each = local.queue_arns

  alarm_name          = "${var.name}-${each.key}-oldest-message"
  alarm_description   = "A message has waited in ${local.queue_prefix}${each.key} for more than ${var.oldest_message_seconds} seconds: no worker of ${each.key} runs (one that is busy looks through its queue, and logs that messages wait for a place). Look at the service and its log. See \"Alarms\" in docs/operate.md."
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.oldest_message_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic_arn]
  tags                = local.tags

  metric_query {
    id          = "waited"
    expression  = "IF(waiting > 0, age, 0)"
    label       = "Age of the oldest message while messages wait"
    return_data = true
  }
  metric_query {
    id = "waiting"
    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = "${local.queue_prefix}${each.key}" }
      stat        = "Maximum"
      period      = 300
    }
  }
  metric_query {
    id = "age"
    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = "${local.queue_prefix}${each.key}" }
      stat        = "Maximum"
      period      = 300
    }
  }

  depends_on = [aws_sns_topic_policy.this]
}

# In ALARM until the first run of a new source is complete.
resource "aws_cloudwatch_metric_alarm" "not_completed" {
  for_each = var.sources

  alarm_name          = "${var.name}-not-completed-${each.key}"
  alarm_description   = "No run of ${each.key} was complete within ${each.value.completed_within_hours} hours. Look for a run that failed, waits or was never started (${local.schedule_names[each.key]} and ${local.queue_prefix}schedules-dlq), or run levee doctor. See \"Alarms\" in docs/operate.md."
  namespace           = "AWS/Events"
  metric_name         = "TriggeredRules"
  dimensions          = { RuleName = local.completed_rules[each.key] }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = each.value.completed_within_hours
  datapoints_to_alarm = each.value.completed_within_hours
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  actions_enabled     = each.value.enabled
  alarm_actions       = [local.topic_arn]
  tags                = local.tags

  depends_on = [aws_sns_topic_policy.this]
}
