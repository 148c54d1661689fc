# Services scale by the messages of their queues: waiting, in work, or delayed, which is how stages wait for hours. No
# messages for 15 minutes is the end of a night. SQS stops sending the metrics of a queue that was idle for six hours and may
# take up to 15 minutes to begin again ("Available CloudWatch metrics for Amazon SQS"): a service that has scaled to zero
# starts its first task so much later, which the 12 hours of a stage's retries outlast.

locals {
  scaled_services = { for group, stages in local.services : group => stages if try(var.ecs.scaling, false) }
  queue_metrics = {
    visible = "ApproximateNumberOfMessagesVisible"
    flying  = "ApproximateNumberOfMessagesNotVisible"
    delayed = "ApproximateNumberOfMessagesDelayed"
  }
  # Per group: the metrics of its queues, by ids that metric math takes.
  group_metrics = { for group, stages in local.services : group => merge([for stage in stages : {
    for what, metric in local.queue_metrics : "${replace(stage, "-", "_")}_${what}" => { metric = metric, queue = "${local.queue_prefix}${stage}" }
  }]...) }
  group_expressions = { for group, metrics in local.group_metrics : group => join(" + ", [for id in keys(metrics) : "FILL(${id}, 0)"]) }
}

resource "aws_appautoscaling_target" "worker" {
  for_each = local.scaled_services

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${local.cluster}/${each.key}"
  min_capacity       = var.ecs.minimum
  max_capacity       = var.ecs.maximum
  tags               = local.tags

  lifecycle {
    precondition {
      condition     = length(each.value) <= 3
      error_message = "The group ${each.key} has more than 3 stages: its scaling alarm would need more than the 10 metrics that CloudWatch allows. Make it two groups."
    }
  }

  depends_on = [aws_ecs_service.worker]
}

# One task takes `concurrency` messages at a time; more of them want all tasks.
resource "aws_appautoscaling_policy" "out" {
  for_each = local.scaled_services

  name               = "${var.name}-${each.key}-out"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.worker[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.worker[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.worker[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ExactCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 60

    step_adjustment {
      metric_interval_lower_bound = 0
      metric_interval_upper_bound = var.ecs.concurrency
      scaling_adjustment          = max(1, var.ecs.minimum)
    }
    step_adjustment {
      metric_interval_lower_bound = var.ecs.concurrency
      scaling_adjustment          = var.ecs.maximum
    }
  }
}

resource "aws_appautoscaling_policy" "in" {
  for_each = local.scaled_services

  name               = "${var.name}-${each.key}-in"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.worker[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.worker[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.worker[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ExactCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 60

    step_adjustment {
      metric_interval_upper_bound = 0
      scaling_adjustment          = var.ecs.minimum
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "busy" {
  for_each = local.scaled_services

  alarm_name          = "${var.name}-${each.key}-busy"
  alarm_description   = "Not a failure: there are messages for the workers ${join(", ", each.value)}, and their service scales out. See \"Alarms\" in docs/operate.md."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.out[each.key].arn]
  tags                = local.tags

  metric_query {
    id          = "messages"
    expression  = local.group_expressions[each.key]
    label       = "Messages waiting, in work or delayed"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = local.group_metrics[each.key]
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/SQS"
        metric_name = metric_query.value.metric
        dimensions  = { QueueName = metric_query.value.queue }
        stat        = "Maximum"
        period      = 60
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "idle" {
  for_each = local.scaled_services

  alarm_name          = "${var.name}-${each.key}-idle"
  alarm_description   = "Not a failure: there was nothing to do for the workers ${join(", ", each.value)} for 15 minutes, and their service scales in. See \"Alarms\" in docs/operate.md."
  comparison_operator = "LessThanOrEqualToThreshold"
  threshold           = 0
  evaluation_periods  = 15
  datapoints_to_alarm = 15
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_appautoscaling_policy.in[each.key].arn]
  tags                = local.tags

  metric_query {
    id          = "messages"
    expression  = local.group_expressions[each.key]
    label       = "Messages waiting, in work or delayed"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = local.group_metrics[each.key]
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/SQS"
        metric_name = metric_query.value.metric
        dimensions  = { QueueName = metric_query.value.queue }
        stat        = "Maximum"
        period      = 60
      }
    }
  }
}
