# Drills: their state machine, schedules, scratch bucket, how silence is heard, and what is refused.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources = {
    lake-events = { account_id = "111111111111" }
    lake-orders = { account_id = "111111111111", enabled = false }
  }
  drills = {}
}

run "state_machine_of_drills_is_the_file_with_the_queues_filled_in" {
  command = plan

  assert {
    condition     = aws_sfn_state_machine.drill[0].definition == replace(file("../../../statemachine/drill.asl.json"), "$${queue_url_prefix}", "https://sqs.us-east-1.amazonaws.com/222222222222/levee-")
    error_message = "The definition is not that of statemachine/drill.asl.json."
  }

  assert {
    condition = toset([for name, state in jsondecode(aws_sfn_state_machine.drill[0].definition).States : state.Parameters.QueueUrl if state.Type == "Task"]) == toset([
      for stage in ["drill-plan", "restore-plan", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "table-verify", "run-close", "drill-close"] : "https://sqs.us-east-1.amazonaws.com/222222222222/levee-${stage}"
    ])
    error_message = "The tasks do not go to the queues of the stages, or stages that a drill passes have no right to its records."
  }

  assert {
    condition = (
      aws_sfn_state_machine.drill[0].name == "levee-drill"
      && aws_sfn_state_machine.drill[0].type == "STANDARD"
      && aws_sfn_state_machine.drill[0].role_arn == aws_sfn_state_machine.backup.role_arn
      && aws_sfn_state_machine.drill[0].logging_configuration[0].level == "ALL"
      && aws_sfn_state_machine.drill[0].logging_configuration[0].include_execution_data == true
      && aws_sfn_state_machine.drill[0].logging_configuration[0].log_destination == "arn:aws:logs:us-east-1:222222222222:log-group:/aws/vendedlogs/states/levee-drill:*"
      && aws_cloudwatch_log_group.drills[0].name == "/aws/vendedlogs/states/levee-drill"
      && aws_cloudwatch_log_group.drills[0].retention_in_days == 365
      && output.drill_state_machine_arn == "arn:aws:states:us-east-1:222222222222:stateMachine:levee-drill"
    )
    error_message = "Name, kind, role, log or output of the state machine."
  }
}

run "a_schedule_per_source_starts_a_drill_under_the_ticks_name" {
  command = plan
  variables {
    drills = { schedule_expression = "rate(3 days)", time_zone = "Europe/Berlin", tables = 7 }
  }

  assert {
    condition = { for source, s in aws_scheduler_schedule.drill : s.name => "${s.group_name} ${s.state} ${s.schedule_expression} ${s.schedule_expression_timezone} ${s.flexible_time_window[0].mode}" } == {
      levee-drill-lake-events = "default ENABLED rate(3 days) Europe/Berlin OFF"
      levee-drill-lake-orders = "default DISABLED rate(3 days) Europe/Berlin OFF"
    }
    error_message = "When drills start."
  }

  assert {
    condition = alltrue([for source, s in aws_scheduler_schedule.drill :
      s.target[0].arn == "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
      && s.target[0].role_arn == "arn:aws:iam::222222222222:role/levee-scheduler"
      && jsonencode(s.target[0].retry_policy) == jsonencode(aws_scheduler_schedule.source[source].target[0].retry_policy)
      && s.target[0].dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:222222222222:levee-schedules-dlq"
      && jsondecode(s.target[0].input).StateMachineArn == "arn:aws:states:us-east-1:222222222222:stateMachine:levee-drill"
      && strcontains(s.target[0].input, "\"Name\":\"${source}-<aws.scheduler.execution-id>\"")
      && jsondecode(jsondecode(s.target[0].input).Input) == { drill = { source = source, scratch = { name = "levee-scratch-222222222222-us-east-1", account = "222222222222", region = "us-east-1" }, tables = 7 } }
    ])
    error_message = "How drills start."
  }

  assert {
    condition     = [for source, s in aws_scheduler_schedule.source : s.name] == ["levee-lake-events", "levee-lake-orders"]
    error_message = "The nights have other schedules than without drills."
  }
}

run "by_default_three_tables_are_drilled_on_sundays" {
  command = plan

  assert {
    condition     = { for source, s in aws_scheduler_schedule.drill : source => [s.schedule_expression, s.schedule_expression_timezone, jsondecode(jsondecode(s.target[0].input).Input).drill.tables] } == { for source in ["lake-events", "lake-orders"] : source => ["cron(0 6 ? * SUN *)", "UTC", 3] }
    error_message = "The defaults."
  }
}

run "names_are_short_enough_and_differ" {
  command = plan
  variables {
    name = "a-name-of-20-letters"
    sources = {
      lake-with-a-name-of-43-characters-xxxxxxxxx = { account_id = "111111111111" }
      lake-with-a-name-of-43-characters-xxxxxxxxy = { account_id = "111111111111" }
    }
  }

  assert {
    condition = (
      alltrue([for name in concat([for rule in aws_cloudwatch_event_rule.this : rule.name], [for s in aws_scheduler_schedule.drill : s.name]) : length(name) <= 64])
      && length(distinct([for rule in aws_cloudwatch_event_rule.this : rule.name])) == 11 && length(distinct([for s in aws_scheduler_schedule.drill : s.name])) == 2
    )
    error_message = "EventBridge allows 64 characters, to rules and to schedules."
  }
}

run "scratch_bucket_is_closed_unversioned_and_empties_itself" {
  command = plan

  assert {
    condition     = aws_s3_bucket.scratch[0].bucket == "levee-scratch-222222222222-us-east-1" && aws_s3_bucket.scratch[0].force_destroy == true && !contains([for versioning in aws_s3_bucket_versioning.this : versioning.bucket], "levee-scratch-222222222222-us-east-1")
    error_message = "Its name, or something keeps what is in it."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.scratch[0].block_public_acls && aws_s3_bucket_public_access_block.scratch[0].block_public_policy && aws_s3_bucket_public_access_block.scratch[0].ignore_public_acls && aws_s3_bucket_public_access_block.scratch[0].restrict_public_buckets
      && aws_s3_bucket_ownership_controls.scratch[0].rule[0].object_ownership == "BucketOwnerEnforced"
      && alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.scratch[0].rule : rule.apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"])
    )
    error_message = "It is open, or not encrypted."
  }

  assert {
    condition = { for rule in aws_s3_bucket_lifecycle_configuration.scratch[0].rule : rule.id => [rule.status, try(rule.expiration[0].days, 0), try(rule.abort_incomplete_multipart_upload[0].days_after_initiation, 0)] } == {
      levee-abort-unfinished-uploads = ["Enabled", 0, 1]
      levee-expire                   = ["Enabled", 7, 0]
    }
    error_message = "What goes when."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.scratch[0].policy).Statement == [{
      Sid       = "LeveeDenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::levee-scratch-222222222222-us-east-1", "arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "Its policy."
  }

  assert {
    condition     = toset(keys(aws_s3_bucket_policy.this)) == toset(["manifests", "reports", "ledger", "canary"])
    error_message = "Another bucket has lost its wall."
  }
}

run "with_a_key_drills_are_under_it" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/own"
  }

  assert {
    condition = (
      alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.scratch[0].rule : rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:us-east-1:222222222222:key/own"])
      && alltrue([for thing in values(aws_sqs_queue.drilled) : thing.kms_master_key_id == "arn:aws:kms:us-east-1:222222222222:key/own"])
      && alltrue([for s in aws_scheduler_schedule.drill : s.kms_key_arn == "arn:aws:kms:us-east-1:222222222222:key/own"])
      && aws_cloudwatch_log_group.drills[0].kms_key_id == "arn:aws:kms:us-east-1:222222222222:key/own"
    )
    error_message = "Something of drills is not under the key."
  }
}

run "drills_that_fail_raise_alarms_and_notifications" {
  command = plan

  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name => join(" ", concat([alarm.namespace, alarm.metric_name, alarm.statistic], [for name, value in alarm.dimensions : "${name}=${value}"])) if startswith(key, "drills-") } == {
      for alarm, metric in { drills-failed = "ExecutionsFailed", drills-timed-out = "ExecutionsTimedOut", drills-aborted = "ExecutionsAborted" } : "levee-${alarm}" => "AWS/States ${metric} Sum StateMachineArn=arn:aws:states:us-east-1:222222222222:stateMachine:levee-drill"
    }
    error_message = "The alarms of drills."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["run-failed"].event_pattern).detail == { stateMachineArn = [for machine in ["backup", "restore", "drill"] : "arn:aws:states:us-east-1:222222222222:stateMachine:levee-${machine}"], status = ["FAILED", "TIMED_OUT", "ABORTED"] }
    error_message = "A drill that fails is not told of."
  }

  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_rule.this["drill-completed"].event_pattern) == { source = ["levee"], "detail-type" = ["Drill Completed"] }
      && aws_cloudwatch_event_rule.this["drill-completed"].event_bus_name == "levee" && aws_cloudwatch_event_rule.this["drill-completed"].name == "levee-drill-completed"
      && jsondecode(aws_cloudwatch_event_target.topic["drill-completed"].input_transformer[0].input_template).severity == "info"
      && startswith(aws_cloudwatch_event_target.topic["drill-completed"].input_transformer[0].input_template, "{\"headline\":\"<headline>\",\"")
      && toset([for match in regexall("<([a-z_]+)>", aws_cloudwatch_event_target.topic["drill-completed"].input_transformer[0].input_template) : match[0]]) == toset(keys(aws_cloudwatch_event_target.topic["drill-completed"].input_transformer[0].input_paths))
    )
    error_message = "A drill that succeeds is not told of."
  }

  assert {
    condition = toset(one([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.alarms if widget.type == "alarm"])) == toset([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.oldest_message), values(aws_cloudwatch_metric_alarm.not_completed), values(aws_cloudwatch_metric_alarm.not_drilled)) : "arn:aws:cloudwatch:us-east-1:222222222222:alarm:${alarm.alarm_name}"
    ])
    error_message = "The dashboard does not show every alarm."
  }
}

run "a_queue_remembers_drills_and_its_emptiness_raises_an_alarm" {
  command = plan

  assert {
    condition = { for source in ["lake-events", "lake-orders"] : source => jsondecode(aws_cloudwatch_event_rule.this["drilled ${source}"].event_pattern) } == { for source in ["lake-events", "lake-orders"] : source => {
      source        = ["aws.states"]
      "detail-type" = ["Step Functions Execution Status Change"]
      detail = {
        stateMachineArn = ["arn:aws:states:us-east-1:222222222222:stateMachine:levee-drill"]
        status          = ["SUCCEEDED"]
        input           = [{ wildcard = "*\"source\":\"${source}\"*" }, { wildcard = "*\"source\": \"${source}\"*" }]
      }
    } }
    error_message = "The rules that see drills succeed."
  }

  assert {
    condition = alltrue([for source, rule in aws_cloudwatch_event_target.drilled :
      rule.arn == "arn:aws:sqs:us-east-1:222222222222:${aws_sqs_queue.drilled[source].name}" && rule.rule == aws_cloudwatch_event_rule.this["drilled ${source}"].name && rule.dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:222222222222:levee-events-dlq"
      && startswith(rule.rule, "levee-drilled-${source}-") && aws_cloudwatch_event_rule.this["drilled ${source}"].event_bus_name == "default"
    ]) && length(aws_cloudwatch_event_target.drilled) == 2
    error_message = "A drill that succeeds is not remembered."
  }

  assert {
    condition = { for source, policy in aws_sqs_queue_policy.drilled : source => jsondecode(policy.policy).Statement } == { for source, queue in aws_sqs_queue.drilled : source => [
      { Sid = "LeveeDenyPlainHttp", Effect = "Deny", Principal = "*", Action = "sqs:*", Resource = "arn:aws:sqs:us-east-1:222222222222:${queue.name}", Condition = { Bool = { "aws:SecureTransport" = "false" } } },
      { Sid = "TheRuleRemembersDrills", Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sqs:SendMessage", Resource = "arn:aws:sqs:us-east-1:222222222222:${queue.name}", Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:events:us-east-1:222222222222:rule/${queue.name}" } } },
    ] }
    error_message = "Who may say that a drill has succeeded."
  }

  assert {
    condition     = contains(one([for s in jsondecode(aws_sqs_queue_policy.this["events-dlq"].policy).Statement : s.Condition.ArnLike["aws:SourceArn"] if s.Sid == "RulesSetEventsAside"]), "arn:aws:events:us-east-1:222222222222:rule/levee-drilled-*")
    error_message = "What a rule cannot deliver is lost."
  }

  # 14 days that SQS remembers, and a day that the queue is empty.
  assert {
    condition = alltrue([for queue in aws_sqs_queue.drilled : queue.message_retention_seconds == 1209600 && queue.sqs_managed_sse_enabled == true]) && { for source, alarm in aws_cloudwatch_metric_alarm.not_drilled : alarm.alarm_name => "${alarm.namespace} ${alarm.metric_name} ${alarm.dimensions["QueueName"] == aws_sqs_queue.drilled[source].name} ${alarm.statistic} ${alarm.comparison_operator} ${alarm.threshold} in ${alarm.datapoints_to_alarm} of ${alarm.evaluation_periods} x ${alarm.period}, missing ${alarm.treat_missing_data}, on ${alarm.actions_enabled}" } == {
      levee-not-drilled-lake-events = "AWS/SQS ApproximateNumberOfMessagesVisible true Maximum LessThanThreshold 1 in 24 of 24 x 3600, missing breaching, on true"
      levee-not-drilled-lake-orders = "AWS/SQS ApproximateNumberOfMessagesVisible true Maximum LessThanThreshold 1 in 24 of 24 x 3600, missing breaching, on false"
    }
    error_message = "The alarm of a source without a drill."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.not_drilled : alarm.alarm_actions == toset(["arn:aws:sns:us-east-1:222222222222:levee-notifications"]) && strcontains(alarm.alarm_description, "docs/operate.md") && strcontains(alarm.alarm_description, "15 days")])
    error_message = "The alarm is not heard, or does not say where to read on."
  }
}

run "a_short_limit_is_the_time_that_the_queue_remembers" {
  command = plan
  variables {
    drills = { limit_days = 2, sources = ["lake-events"] }
  }

  assert {
    condition     = [for queue in aws_sqs_queue.drilled : queue.message_retention_seconds] == [172800] && [for alarm in aws_cloudwatch_metric_alarm.not_drilled : alarm.evaluation_periods] == [1] && keys(aws_scheduler_schedule.drill) == ["lake-events"]
    error_message = "The limit of two days, or the one source."
  }
}

run "the_longest_limit_is_within_what_cloudwatch_looks_back" {
  command = plan
  variables {
    drills = { limit_days = 21 }
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue.drilled : queue.message_retention_seconds == 1209600]) && alltrue([for alarm in aws_cloudwatch_metric_alarm.not_drilled : alarm.evaluation_periods * alarm.period == 604800])
    error_message = "The limit of 21 days."
  }
}

run "a_name_of_the_scratch_bucket_may_be_given" {
  command = plan
  variables {
    bucket_names = { scratch = "our-scratch" }
  }

  assert {
    condition     = output.scratch_bucket == "our-scratch" && strcontains(aws_iam_role_policy.this["batch-drill"].policy, "arn:aws:s3:::our-scratch/*") && strcontains(aws_s3_bucket_policy.scratch[0].policy, "arn:aws:s3:::our-scratch/*") && aws_s3_bucket.this["ledger"].bucket == "levee-ledger-222222222222-us-east-1"
    error_message = "A given name is not used."
  }
}
