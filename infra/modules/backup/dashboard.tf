# One page: what is wrong, what ran, what waits.

locals {
  dashboard_alarms = concat(
    [for key in keys(local.alarms) : "${var.name}-${key}"],
    [for stage in local.stages : "${var.name}-${stage}-oldest-message"],
    [for source in keys(var.sources) : "${var.name}-not-completed-${source}"],
    [for source in local.drilled_sources : "${var.name}-not-drilled-${source}"],
  )
  dashboard = {
    widgets = [
      {
        type = "alarm", x = 0, y = 0, width = 24, height = 6
        properties = {
          title  = "Alarms"
          alarms = [for name in local.dashboard_alarms : "arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm:${name}"]
        }
      },
      {
        type = "metric", x = 0, y = 6, width = 12, height = 6
        properties = {
          title  = "Runs, restores and drills"
          region = var.region
          stat   = "Sum"
          period = 3600
          metrics = concat([for what, arn in merge({ Runs = local.state_machine_arn, Restores = local.restore_state_machine_arn }, local.drilling ? { Drills = local.drill_state_machine_arn } : {}) : [
            for metric in ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] :
            ["AWS/States", metric, "StateMachineArn", arn, { label = "${what}: ${metric}" }]
          ]]...)
        }
      },
      {
        type = "metric", x = 12, y = 6, width = 12, height = 6
        properties = {
          title   = "Completed runs by source"
          region  = var.region
          stat    = "Sum"
          period  = 86400
          metrics = [for source, rule in local.completed_rules : ["AWS/Events", "TriggeredRules", "RuleName", rule, { label = source }]]
        }
      },
      {
        type = "metric", x = 0, y = 12, width = 12, height = 6
        properties = {
          title  = "Messages by stage: waiting, in work, delayed"
          region = var.region
          stat   = "Maximum"
          period = 300
          metrics = concat([for stage in local.stages : [for metric in values(local.queue_metrics) :
          ["AWS/SQS", metric, "QueueName", "${local.queue_prefix}${stage}"]]]...)
        }
      },
      {
        type = "metric", x = 12, y = 12, width = 12, height = 6
        properties = {
          title   = "Messages set aside"
          region  = var.region
          stat    = "Maximum"
          period  = 300
          metrics = [for name in local.dead_letter_names : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${local.queue_prefix}${name}-dlq"]]
        }
      },
      {
        type = "metric", x = 0, y = 18, width = 12, height = 6
        properties = {
          title   = "Age of the oldest message"
          region  = var.region
          stat    = "Maximum"
          period  = 300
          metrics = [for stage in local.stages : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "${local.queue_prefix}${stage}"]]
        }
      },
      {
        type = "metric", x = 12, y = 18, width = 12, height = 6
        properties = {
          title   = "Events not delivered"
          region  = var.region
          stat    = "Sum"
          period  = 300
          metrics = [for rule in concat([local.failed_rule], values(local.completed_rules), values(local.drilled_rules)) : ["AWS/Events", "FailedInvocations", "RuleName", rule]]
        }
      },
    ]
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode(local.dashboard)
}
