# Rules, what they make of an event, and every alarm.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources = {
    lake-events = { account_id = "111111111111" }
    lake-orders = { account_id = "111111111111", completed_within_hours = 72, enabled = false }
  }
}

run "rules_see_what_runs_and_workers_say" {
  command = plan

  assert {
    condition = { for key, rule in aws_cloudwatch_event_rule.this : rule.name => [rule.event_bus_name, jsondecode(rule.event_pattern)] } == {
      levee-run-started   = ["levee", { source = ["levee"], "detail-type" = ["Run Started"] }]
      levee-copy-failures = ["levee", { source = ["levee"], "detail-type" = ["Copy Failures"] }]
      levee-tables-torn   = ["levee", { source = ["levee"], "detail-type" = ["Tables Torn"] }]
      levee-run-completed = ["levee", { source = ["levee"], "detail-type" = ["Run Completed"], detail = { outcome = ["complete"] } }]
      levee-run-degraded  = ["levee", { source = ["levee"], "detail-type" = ["Run Completed"], detail = { outcome = [{ anything-but = "complete" }] } }]
      levee-run-failed = ["default", {
        source        = ["aws.states"]
        "detail-type" = ["Step Functions Execution Status Change"]
        detail        = { stateMachineArn = ["arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup", "arn:aws:states:us-east-1:222222222222:stateMachine:levee-restore"], status = ["FAILED", "TIMED_OUT", "ABORTED"] }
      }]
      "levee-completed-lake-events-${substr(sha256("lake-events"), 0, 8)}" = ["default", {
        source        = ["aws.states"]
        "detail-type" = ["Step Functions Execution Status Change"]
        detail = {
          stateMachineArn = ["arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup"]
          status          = ["SUCCEEDED"]
          input           = [{ wildcard = "*\"source\":\"lake-events\"*" }, { wildcard = "*\"source\": \"lake-events\"*" }]
        }
      }]
      "levee-completed-lake-orders-${substr(sha256("lake-orders"), 0, 8)}" = ["default", {
        source        = ["aws.states"]
        "detail-type" = ["Step Functions Execution Status Change"]
        detail = {
          stateMachineArn = ["arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup"]
          status          = ["SUCCEEDED"]
          input           = [{ wildcard = "*\"source\":\"lake-orders\"*" }, { wildcard = "*\"source\": \"lake-orders\"*" }]
        }
      }]
    }
    error_message = "The rules and their patterns."
  }

  assert {
    condition = alltrue([for key, target in aws_cloudwatch_event_target.topic :
      target.arn == "arn:aws:sns:us-east-1:222222222222:levee-notifications"
      && target.rule == aws_cloudwatch_event_rule.this[key].name
      && target.event_bus_name == aws_cloudwatch_event_rule.this[key].event_bus_name
      && target.dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:222222222222:levee-events-dlq"
    ]) && toset(keys(aws_cloudwatch_event_target.topic)) == toset([for key in keys(aws_cloudwatch_event_rule.this) : key if !startswith(key, "completed ")])
    error_message = "A rule does not reach the topic, or loses what it cannot deliver."
  }

  assert {
    condition     = alltrue([for source, target in aws_cloudwatch_event_target.log : target.arn == "arn:aws:logs:us-east-1:222222222222:log-group:/aws/events/levee/completed" && startswith(target.rule, "levee-completed-${source}-")]) && length(aws_cloudwatch_event_target.log) == 2
    error_message = "A completed run is not logged."
  }
}

run "names_of_rules_are_short_enough_and_differ" {
  command = plan
  variables {
    sources = {
      lake-with-a-name-of-51-characters-xxxxxxxxxxxxxxxxx = { account_id = "111111111111" }
      lake-with-a-name-of-51-characters-xxxxxxxxxxxxxxxxy = { account_id = "111111111111" }
    }
  }

  assert {
    condition     = alltrue([for rule in aws_cloudwatch_event_rule.this : length(rule.name) <= 64]) && length(distinct([for rule in aws_cloudwatch_event_rule.this : rule.name])) == 8
    error_message = "EventBridge allows 64 characters."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.this["completed lake-with-a-name-of-51-characters-xxxxxxxxxxxxxxxxx"].name == "levee-completed-lake-with-a-name-of-51-characters-xxxxx-${substr(sha256("lake-with-a-name-of-51-characters-xxxxxxxxxxxxxxxxx"), 0, 8)}"
    error_message = "The name of a long source's rule."
  }
}

run "names_of_rules_are_short_enough_under_a_long_name" {
  command = plan
  variables {
    name    = "a-name-of-20-letters"
    sources = { lake-with-a-name-of-43-characters-xxxxxxxxx = { account_id = "111111111111" } }
  }

  assert {
    condition     = alltrue([for rule in aws_cloudwatch_event_rule.this : length(rule.name) <= 64])
    error_message = "EventBridge allows 64 characters."
  }
}

run "notifications_are_json_with_a_severity_and_an_event" {
  command = plan

  assert {
    condition = { for key, target in aws_cloudwatch_event_target.topic : key => "${jsondecode(target.input_transformer[0].input_template).severity}: ${jsondecode(target.input_transformer[0].input_template).event}" } == {
      run-started   = "info: Run Started"
      copy-failures = "warning: Copy Failures"
      tables-torn   = "warning: Tables Torn"
      run-failed    = "critical: Run Failed"
      run-completed = "info: Run Completed"
      run-degraded  = "warning: Run Completed"
    }
    error_message = "Severity and event of a notification."
  }

  # EventBridge refuses a template with an unknown name, and a part outside of quotes would leave a hole when it is absent.
  assert {
    condition = alltrue(flatten([for key, target in aws_cloudwatch_event_target.topic : [
      toset([for match in regexall("<([a-z_]+)>", target.input_transformer[0].input_template) : match[0]]) == toset(keys(target.input_transformer[0].input_paths)),
      length(regexall(":<", target.input_transformer[0].input_template)) == 0,
      strcontains(target.input_transformer[0].input_template, "executions/details/<execution>"),
    ]]))
    error_message = "A template names what its paths do not have, or the other way round."
  }

  assert {
    condition     = { for key, target in aws_cloudwatch_event_target.topic : key => lookup(jsondecode(target.input_transformer[0].input_template), "source", "") } == { run-started = "<source>", copy-failures = "<source>", tables-torn = "<source>", run-failed = "", run-completed = "<source>", run-degraded = "<source>" }
    error_message = "The source of a notification."
  }

  assert {
    condition     = alltrue([for key in ["tables-torn", "run-completed", "run-degraded"] : startswith(aws_cloudwatch_event_target.topic[key].input_transformer[0].input_template, "{\"headline\":\"<headline>\",\"")])
    error_message = "The headline does not stand first."
  }

  assert {
    condition = aws_cloudwatch_event_target.topic["copy-failures"].input_transformer[0].input_paths == tomap({
      source       = "$.detail.source"
      backup_date  = "$.detail.backup_date"
      execution    = "$.detail.execution"
      attempt      = "$.detail.attempt"
      rows         = "$.detail.rows"
      failed       = "$.detail.failed"
      failure_list = "$.detail.failure_list.key"
    })
    error_message = "The parts of Copy Failures; they are those that workers/report-parse sends."
  }
}

run "rules_may_write_the_log_of_completed_runs_and_nothing_else" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_log_resource_policy.events.policy_document).Statement == [
      {
        Sid       = "RulesMakeStreams"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
        Action    = "logs:CreateLogStream"
        Resource  = "arn:aws:logs:us-east-1:222222222222:log-group:/aws/events/levee/completed:*"
      },
      {
        Sid       = "RulesWriteEvents"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
        Action    = "logs:PutLogEvents"
        Resource  = "arn:aws:logs:us-east-1:222222222222:log-group:/aws/events/levee/completed:*"
        Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:events:us-east-1:222222222222:rule/levee-completed-*" } }
      },
    ]
    error_message = "The resource policy of the log group."
  }
}

run "every_failure_raises_an_alarm" {
  command = plan

  assert {
    condition = { for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name => join(" ", concat([alarm.namespace, alarm.metric_name, alarm.statistic], [for name, value in alarm.dimensions : "${name}=${value}"])) } == merge(
      { for alarm, metric in { executions-failed = "ExecutionsFailed", executions-timed-out = "ExecutionsTimedOut", executions-aborted = "ExecutionsAborted" } : "levee-${alarm}" => "AWS/States ${metric} Sum StateMachineArn=arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup" },
      { for alarm, metric in { restores-failed = "ExecutionsFailed", restores-timed-out = "ExecutionsTimedOut", restores-aborted = "ExecutionsAborted" } : "levee-${alarm}" => "AWS/States ${metric} Sum StateMachineArn=arn:aws:states:us-east-1:222222222222:stateMachine:levee-restore" },
      { levee-copy-failures = "AWS/Events TriggeredRules Sum EventBusName=levee RuleName=levee-copy-failures" },
      { for name in ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close", "schedules", "events", "notifications"] : "levee-${name}-dlq-not-empty" => "AWS/SQS ApproximateNumberOfMessagesVisible Maximum QueueName=levee-${name}-dlq" },
    )
    error_message = "What the alarms look at."
  }

  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this :
    alarm.comparison_operator == "GreaterThanThreshold" && alarm.threshold == 0 && alarm.evaluation_periods == 1 && alarm.period == 300 && alarm.treat_missing_data == "notBreaching"])
    error_message = "When an alarm goes off."
  }
}

run "a_message_that_waits_raises_an_alarm" {
  command = plan
  variables {
    oldest_message_seconds = 1800
  }

  assert {
    condition = alltrue([for stage, alarm in aws_cloudwatch_metric_alarm.oldest_message :
      alarm.alarm_name == "levee-${stage}-oldest-message" && alarm.threshold == 1800 && alarm.comparison_operator == "GreaterThanThreshold" && alarm.treat_missing_data == "notBreaching"
      && one([for query in alarm.metric_query : query.expression if query.return_data == true]) == "IF(waiting > 0, age, 0)"
      && { for query in alarm.metric_query : query.id => "${query.metric[0].metric_name} ${query.metric[0].dimensions["QueueName"]}" if length(query.metric) > 0 } == {
        waiting = "ApproximateNumberOfMessagesVisible levee-${stage}"
        age     = "ApproximateAgeOfOldestMessage levee-${stage}"
      }
    ]) && length(aws_cloudwatch_metric_alarm.oldest_message) == 13
    error_message = "The alarm of a message that waits."
  }
}

run "silence_raises_an_alarm" {
  command = plan

  assert {
    condition = { for source, alarm in aws_cloudwatch_metric_alarm.not_completed : alarm.alarm_name => "${alarm.namespace} ${alarm.metric_name} ${alarm.dimensions["RuleName"]} ${alarm.statistic} ${alarm.comparison_operator} ${alarm.threshold} in ${alarm.datapoints_to_alarm} of ${alarm.evaluation_periods} x ${alarm.period}, missing ${alarm.treat_missing_data}, on ${alarm.actions_enabled}" } == {
      levee-not-completed-lake-events = "AWS/Events TriggeredRules ${aws_cloudwatch_event_rule.this["completed lake-events"].name} Sum LessThanThreshold 1 in 36 of 36 x 3600, missing breaching, on true"
      levee-not-completed-lake-orders = "AWS/Events TriggeredRules ${aws_cloudwatch_event_rule.this["completed lake-orders"].name} Sum LessThanThreshold 1 in 72 of 72 x 3600, missing breaching, on false"
    }
    error_message = "The alarm of a source without a completed run."
  }
}

run "alarms_go_to_the_topic_and_say_what_to_do" {
  command = plan

  assert {
    condition = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.oldest_message), values(aws_cloudwatch_metric_alarm.not_completed)) :
    alarm.alarm_actions == toset(["arn:aws:sns:us-east-1:222222222222:levee-notifications"]) && startswith(alarm.alarm_name, "levee-") && strcontains(alarm.alarm_description, "docs/operate.md") && length(alarm.alarm_description) <= 1024])
    error_message = "An alarm is not heard, or does not say where to read on."
  }

  assert {
    condition = toset(one([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.alarms if widget.type == "alarm"])) == toset([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.oldest_message), values(aws_cloudwatch_metric_alarm.not_completed)) : "arn:aws:cloudwatch:us-east-1:222222222222:alarm:${alarm.alarm_name}"
    ])
    error_message = "The dashboard does not show every alarm."
  }
}
