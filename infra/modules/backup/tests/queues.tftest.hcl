# Queues, their dead-letter queues, the topic, and who may send to which.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources    = { lake-events = { account_id = "111111111111" } }
}

run "every_stage_has_a_queue_that_sets_messages_aside" {
  command = plan

  assert {
    condition     = [for stage, queue in aws_sqs_queue.stage : queue.name] == ["levee-bucket-provision", "levee-drill-close", "levee-drill-plan", "levee-job-poll", "levee-job-submit", "levee-large-copy", "levee-manifest-ready", "levee-report-parse", "levee-restore-plan", "levee-run-close", "levee-snapshot-check", "levee-table-verify", "levee-thaw"]
    error_message = "The queues of the stages."
  }

  assert {
    condition     = alltrue([for stage, queue in aws_sqs_queue.stage : jsondecode(queue.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:us-east-1:222222222222:levee-${stage}-dlq", maxReceiveCount = 5 }])
    error_message = "A queue's redrive policy."
  }

  assert {
    condition     = [for name, queue in aws_sqs_queue.dead_letters : queue.name] == [for name in ["bucket-provision", "drill-close", "drill-plan", "events", "job-poll", "job-submit", "large-copy", "manifest-ready", "notifications", "report-parse", "restore-plan", "run-close", "schedules", "snapshot-check", "table-verify", "thaw"] : "levee-${name}-dlq"]
    error_message = "The dead-letter queues."
  }

  assert {
    condition     = alltrue([for queue in concat(values(aws_sqs_queue.stage), values(aws_sqs_queue.dead_letters)) : queue.message_retention_seconds == 1209600 && queue.sqs_managed_sse_enabled == true && queue.fifo_queue != true])
    error_message = "Retention, encryption or kind of a queue."
  }

  assert {
    condition = { for stage, policy in aws_sqs_queue_redrive_allow_policy.stage : stage => jsondecode(policy.redrive_allow_policy) } == {
      for stage in ["bucket-provision", "drill-close", "drill-plan", "job-poll", "job-submit", "large-copy", "manifest-ready", "report-parse", "restore-plan", "run-close", "snapshot-check", "table-verify", "thaw"] : stage => { redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:us-east-1:222222222222:levee-${stage}"] }
    }
    error_message = "A dead-letter queue takes messages of another stage."
  }
}

run "queues_take_tls_alone_and_services_send_to_their_own" {
  command = plan

  assert {
    condition = length(aws_sqs_queue_policy.this) == 29 && alltrue([for key, policy in aws_sqs_queue_policy.this : jsondecode(policy.policy).Statement[0] == {
      Sid       = "LeveeDenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = "arn:aws:sqs:us-east-1:222222222222:levee-${key}"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }])
    error_message = "A queue takes plain HTTP."
  }

  assert {
    condition = { for key, policy in aws_sqs_queue_policy.this : key => [for s in jsondecode(policy.policy).Statement : s if s.Effect == "Allow"] if length(jsondecode(policy.policy).Statement) > 1 } == {
      events-dlq = [{
        Sid       = "RulesSetEventsAside"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:us-east-1:222222222222:levee-events-dlq"
        Condition = { ArnLike = { "aws:SourceArn" = [
          "arn:aws:events:us-east-1:222222222222:rule/levee/levee-copy-failures",
          "arn:aws:events:us-east-1:222222222222:rule/levee/levee-run-completed",
          "arn:aws:events:us-east-1:222222222222:rule/levee/levee-run-degraded",
          "arn:aws:events:us-east-1:222222222222:rule/levee/levee-run-started",
          "arn:aws:events:us-east-1:222222222222:rule/levee/levee-tables-torn",
          "arn:aws:events:us-east-1:222222222222:rule/levee-run-failed",
        ] } }
      }]
      notifications-dlq = [{
        Sid       = "TheTopicSetsMessagesAside"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:us-east-1:222222222222:levee-notifications-dlq"
        Condition = { ArnLike = { "aws:SourceArn" = ["arn:aws:sns:us-east-1:222222222222:levee-notifications"] } }
      }]
    }
    error_message = "Which service may send to which queue."
  }
}

run "rules_and_alarms_publish_and_nobody_over_plain_http" {
  command = plan

  assert {
    condition = jsondecode(aws_sns_topic_policy.this.policy).Statement == [
      {
        Sid       = "RulesPublish"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:us-east-1:222222222222:levee-notifications"
      },
      {
        Sid       = "AlarmsPublish"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:us-east-1:222222222222:levee-notifications"
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:aws:cloudwatch:us-east-1:222222222222:alarm:levee-*" }
          StringEquals = { "aws:SourceAccount" = "222222222222" }
        }
      },
      {
        Sid       = "LeveeDenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:us-east-1:222222222222:levee-notifications"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
    error_message = "The topic's policy."
  }
}

run "subscribers_get_what_they_ask_for_and_alarms_are_critical" {
  command = plan
  variables {
    subscriptions = {
      all      = { protocol = "sqs", endpoint = "arn:aws:sqs:us-east-1:222222222222:all" }
      people   = { protocol = "email", endpoint = "people@example.com", severities = ["critical", "warning"] }
      progress = { protocol = "https", endpoint = "https://example.com/levee", severities = ["info"] }
    }
  }

  assert {
    condition     = { for name, s in aws_sns_topic_subscription.this : name => "${s.protocol} ${s.endpoint}" } == { all = "sqs arn:aws:sqs:us-east-1:222222222222:all", people = "email people@example.com", progress = "https https://example.com/levee" }
    error_message = "Who is told."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.this["people"].filter_policy_scope == "MessageBody"
      && jsondecode(aws_sns_topic_subscription.this["people"].filter_policy) == { "$or" = [{ severity = ["critical", "warning"] }, { AlarmName = [{ exists = true }] }] }
      && aws_sns_topic_subscription.this["progress"].filter_policy_scope == "MessageBody"
      && jsondecode(aws_sns_topic_subscription.this["progress"].filter_policy) == { severity = ["info"] }
      && aws_sns_topic_subscription.this["all"].filter_policy == null
    )
    error_message = "What is filtered."
  }

  assert {
    condition     = alltrue([for s in aws_sns_topic_subscription.this : jsondecode(s.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:us-east-1:222222222222:levee-notifications-dlq" }])
    error_message = "A message that cannot be delivered is lost."
  }
}

run "with_a_key_queues_topic_schedules_and_logs_are_under_it" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/own"
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.source : schedule.kms_key_arn == "arn:aws:kms:us-east-1:222222222222:key/own"]) && alltrue([for group in [aws_cloudwatch_log_group.state_machine, aws_cloudwatch_log_group.restores, aws_cloudwatch_log_group.completed] : group.kms_key_id == "arn:aws:kms:us-east-1:222222222222:key/own"])
    error_message = "A schedule or a log is not under the key."
  }

  assert {
    condition     = alltrue([for queue in concat(values(aws_sqs_queue.stage), values(aws_sqs_queue.dead_letters), [aws_sns_topic.this]) : queue.kms_master_key_id == "arn:aws:kms:us-east-1:222222222222:key/own"])
    error_message = "Something is not under the key."
  }
}
