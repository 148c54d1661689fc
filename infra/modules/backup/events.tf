# The bus that the workers' events go to, and the rules that make notifications of them and of what Step Functions says.
#
# Every notification is one JSON object with `severity` and `event`. All parts of an event stand in quotes in its template: a
# part that the event lacks is then an empty text and not a hole in the JSON. Parts that may hold quotes themselves (the cause
# of a failure, keys of objects) are left out, since EventBridge does not escape what it puts in, and a text that is no JSON
# passes no filter.

locals {
  console     = "https://${var.region}.console.aws.amazon.com"
  run_console = "${local.console}/states/home?region=${var.region}#/v2/executions/details/<execution>"

  # Those that tell the topic; of drills while there are any.
  telling_rules = { for key, rule in local.every_telling_rule : key => rule if key != "drill-completed" || local.drilling }
  every_telling_rule = {
    run-started = {
      rule        = local.levee_rules["run-started"]
      bus         = local.event_bus_name
      description = "The inventory of a backup date is there and checked"
      pattern     = { source = ["levee"], "detail-type" = ["Run Started"] }
      paths = {
        source      = "$.detail.source"
        backup_date = "$.detail.backup_date"
        execution   = "$.detail.execution"
        objects     = "$.detail.objects"
        ledger      = "$.detail.ledger"
      }
      message = {
        severity    = "info"
        event       = "Run Started"
        source      = "<source>"
        backup_date = "<backup_date>"
        execution   = "<execution>"
        objects     = "<objects>"
        ledger      = "s3://${local.buckets.ledger}/<ledger>"
        console     = local.run_console
      }
    }
    copy-failures = {
      rule        = local.levee_rules["copy-failures"]
      bus         = local.event_bus_name
      description = "Objects were not copied"
      pattern     = { source = ["levee"], "detail-type" = ["Copy Failures"] }
      paths = {
        source       = "$.detail.source"
        backup_date  = "$.detail.backup_date"
        execution    = "$.detail.execution"
        attempt      = "$.detail.attempt"
        rows         = "$.detail.rows"
        failed       = "$.detail.failed"
        failure_list = "$.detail.failure_list.key"
      }
      message = {
        severity     = "warning"
        event        = "Copy Failures"
        source       = "<source>"
        backup_date  = "<backup_date>"
        execution    = "<execution>"
        attempt      = "<attempt>"
        rows         = "<rows>"
        failed       = "<failed>"
        failure_list = "s3://${local.buckets.ledger}/<failure_list>"
        console      = local.run_console
        what_to_do   = "Correct what the failure list names, then redrive the execution: exactly these rows are copied again. See docs/operate.md."
      }
    }
    drill-completed = {
      rule        = "${var.name}-drill-completed"
      bus         = local.event_bus_name
      description = "Tables were restored into the scratch bucket, opened, and are as their receipt says"
      pattern     = { source = ["levee"], "detail-type" = ["Drill Completed"] }
      paths = {
        headline    = "$.detail.headline"
        source      = "$.detail.source"
        backup_date = "$.detail.backup_date"
        execution   = "$.detail.execution"
        tables      = "$.detail.tables"
        objects     = "$.detail.objects"
        seconds     = "$.detail.seconds"
        record      = "$.detail.record.key"
      }
      message = {
        severity    = "info"
        event       = "Drill Completed"
        source      = "<source>"
        backup_date = "<backup_date>"
        execution   = "<execution>"
        tables      = "<tables>"
        objects     = "<objects>"
        seconds     = "<seconds>"
        record      = "s3://${local.buckets.ledger}/<record>"
        console     = local.run_console
      }
    }
    tables-torn = {
      rule        = local.levee_rules["tables-torn"]
      bus         = local.event_bus_name
      description = "Tables of a snapshot are not wholly there in their newest version"
      pattern     = { source = ["levee"], "detail-type" = ["Tables Torn"] }
      paths = {
        headline    = "$.detail.headline"
        source      = "$.detail.source"
        backup_date = "$.detail.backup_date"
        execution   = "$.detail.execution"
        torn        = "$.detail.verdicts.torn"
        behind      = "$.detail.verdicts.behind"
        table_list  = "$.detail.table_list.key"
      }
      message = {
        severity    = "warning"
        event       = "Tables Torn"
        source      = "<source>"
        backup_date = "<backup_date>"
        execution   = "<execution>"
        torn        = "<torn>"
        behind      = "<behind>"
        table_list  = "s3://${local.buckets.ledger}/<table_list>"
        console     = local.run_console
        what_to_do  = "The list says of each table what its copy lacks and why. If the run failed, do what its cause says and redrive it: copies are mended from the source. See docs/verify.md."
      }
    }
    run-failed = {
      rule        = local.failed_rule
      bus         = "default"
      description = "A run, a restore or a drill of Levee ended without success"
      pattern = {
        source        = ["aws.states"]
        "detail-type" = ["Step Functions Execution Status Change"]
        detail        = { stateMachineArn = local.state_machine_arns, status = ["FAILED", "TIMED_OUT", "ABORTED"] }
      }
      paths = { run = "$.detail.name", execution = "$.detail.executionArn", status = "$.detail.status", error = "$.detail.error" }
      message = {
        severity   = "critical"
        event      = "Run Failed"
        run        = "<run>"
        execution  = "<execution>"
        status     = "<status>"
        error      = "<error>"
        console    = local.run_console
        what_to_do = "Read the cause in the console, correct what it names, then redrive the execution. See docs/operate.md."
      }
    }
    run-completed = {
      rule        = local.levee_rules["run-completed"]
      bus         = local.event_bus_name
      description = "A run is closed, and everything is as it should be"
      pattern     = { source = ["levee"], "detail-type" = ["Run Completed"], detail = { outcome = ["complete"] } }
      paths       = local.closed_paths
      message     = merge(local.closed_message, { severity = "info" })
    }
    run-degraded = {
      rule        = local.levee_rules["run-degraded"]
      bus         = local.event_bus_name
      description = "A run is closed, and something of it is to be looked at"
      pattern     = { source = ["levee"], "detail-type" = ["Run Completed"], detail = { outcome = [{ anything-but = "complete" }] } }
      paths       = local.closed_paths
      message = merge(local.closed_message, {
        severity   = "warning"
        what_to_do = "The receipt has the counts, and names the lists of what is to be looked at. See docs/receipts.md."
      })
    }
  }

  # What workers/run-close says of a run that is closed.
  closed_paths = {
    headline    = "$.detail.headline"
    outcome     = "$.detail.outcome"
    source      = "$.detail.source"
    backup_date = "$.detail.backup_date"
    execution   = "$.detail.execution"
    receipt     = "$.detail.receipt.key"
    digest      = "$.detail.receipt.sha256"
  }
  closed_message = {
    event       = "Run Completed"
    outcome     = "<outcome>"
    source      = "<source>"
    backup_date = "<backup_date>"
    execution   = "<execution>"
    receipt     = "s3://${local.buckets.ledger}/<receipt>"
    sha256      = "<digest>"
    console     = local.run_console
  }

  # That a run or a drill has succeeded is also seen from outside, without a worker: for the log and for the alarms of silence.
  seen = merge(
    { for source, rule in local.completed_rules : "completed ${source}" => { source = source, rule = rule, machine = local.state_machine_arn, what = "A backup of ${source} is complete" } },
    { for source, rule in local.drilled_rules : "drilled ${source}" => { source = source, rule = rule, machine = local.drill_state_machine_arn, what = "A drill of ${source} has succeeded" } },
  )
  seen_rules = { for key, seen in local.seen : key => {
    rule        = seen.rule
    bus         = "default"
    description = seen.what
    pattern = {
      source        = ["aws.states"]
      "detail-type" = ["Step Functions Execution Status Change"]
      detail = {
        stateMachineArn = [seen.machine]
        status          = ["SUCCEEDED"]
        # The input is a text in the event. A person may have written it with a space.
        input = [{ wildcard = "*\"source\":\"${seen.source}\"*" }, { wildcard = "*\"source\": \"${seen.source}\"*" }]
      }
    }
  } }

  # Patterns as texts, since each rule has one of its own shape.
  rules = merge(
    { for key, rule in local.telling_rules : key => { rule = rule.rule, bus = rule.bus, description = rule.description, pattern = jsonencode(rule.pattern) } },
    { for key, rule in local.seen_rules : key => { rule = rule.rule, bus = rule.bus, description = rule.description, pattern = jsonencode(rule.pattern) } },
  )

  # As above: jsonencode would hide the placeholders.
  plain_templates = { for key, rule in local.telling_rules : key => replace(replace(replace(jsonencode(rule.message), "\\u003c", "<"), "\\u003e", ">"), "\\u0026", "&") }
  # jsonencode sorts by name; what a person reads first stands first.
  templates = { for key, template in local.plain_templates : key =>
    contains(keys(local.telling_rules[key].paths), "headline") ? "{\"headline\":\"<headline>\",${substr(template, 1, -1)}" : template
  }

  events_log_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RulesMakeStreams"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
        Action    = "logs:CreateLogStream"
        Resource  = "${local.log_group_arns.completed}:*"
      },
      {
        Sid       = "RulesWriteEvents"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
        Action    = "logs:PutLogEvents"
        Resource  = "${local.log_group_arns.completed}:*"
        Condition = { ArnLike = { "aws:SourceArn" = "${local.rule_arn_prefix}${var.name}-completed-*" } }
      },
    ]
  })
}

resource "aws_cloudwatch_event_bus" "levee" {
  name = local.event_bus_name
  tags = local.tags
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name           = each.value.rule
  event_bus_name = each.value.bus
  description    = each.value.description
  event_pattern  = each.value.pattern
  tags           = local.tags

  depends_on = [aws_cloudwatch_event_bus.levee]
}

resource "aws_cloudwatch_event_target" "topic" {
  for_each = local.telling_rules

  rule           = aws_cloudwatch_event_rule.this[each.key].name
  event_bus_name = each.value.bus
  target_id      = "topic"
  arn            = local.topic_arn

  input_transformer {
    input_paths    = each.value.paths
    input_template = local.templates[each.key]
  }
  dead_letter_config {
    arn = local.dead_letter_arns["events"]
  }

  depends_on = [aws_sns_topic_policy.this, aws_sqs_queue_policy.this]
}

# Completed runs are kept in a log group as well, whole: what was complete when, over all sources.
resource "aws_cloudwatch_log_group" "completed" {
  name              = local.log_groups.completed
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

resource "aws_cloudwatch_log_resource_policy" "events" {
  policy_name     = "${var.name}-events"
  policy_document = local.events_log_policy
}

resource "aws_cloudwatch_event_target" "log" {
  for_each = local.completed_rules

  rule       = aws_cloudwatch_event_rule.this["completed ${each.key}"].name
  target_id  = "log"
  arn        = local.log_group_arns.completed
  depends_on = [aws_cloudwatch_log_group.completed, aws_cloudwatch_log_resource_policy.events]
}
