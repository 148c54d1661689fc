# The state machine, the schedules, and what is handed on.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources = {
    lake-events = { account_id = "111111111111" }
    lake-orders = {
      account_id           = "111111111111"
      inventory_id         = "nightly"
      schedule             = "cron(30 22 * * ? *)"
      time_zone            = "Europe/Berlin"
      enabled              = false
      settle_days          = 1
      manifest_limit_hours = 30
      stall_limit_hours    = 12
      priority             = 50
      retries              = 5
      slice_files          = 64
      kms_key_arns         = ["arn:aws:kms:us-east-1:111111111111:key/orders"]
      selection = {
        include         = [{ prefix = "sales/" }, { glob = "*/orders/**" }]
        exclude         = [{ glob = "**/_tmp/**" }]
        storage_classes = ["STANDARD", "DEEP_ARCHIVE"]
      }
      archived = { policy = "restore", tier = "STANDARD", days = 3 }
      snapshot = {
        storage_class = "STANDARD_IA"
        kms_key_arn   = "arn:aws:kms:us-east-1:222222222222:key/snapshots"
        object_lock   = { mode = "GOVERNANCE", days = 35 }
        tags          = { team = "<orders>" }
      }
    }
  }
}

run "state_machine_is_the_file_with_the_queues_filled_in" {
  command = plan

  assert {
    condition     = aws_sfn_state_machine.backup.definition == replace(file("../../../statemachine/backup.asl.json"), "$${queue_url_prefix}", "https://sqs.us-east-1.amazonaws.com/222222222222/levee-")
    error_message = "The definition is not that of statemachine/backup.asl.json."
  }

  assert {
    condition = toset([for name, state in jsondecode(aws_sfn_state_machine.backup.definition).States : state.Parameters.QueueUrl if state.Type == "Task"]) == toset([
      for stage in ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close"] : "https://sqs.us-east-1.amazonaws.com/222222222222/levee-${stage}"
    ])
    error_message = "The tasks do not go to the queues of the stages."
  }

  assert {
    condition = (
      jsondecode(aws_sfn_state_machine.backup.definition).States.SlicesRead.MaxConcurrency <= 40
      && jsondecode(aws_sfn_state_machine.backup.definition).States.SlicesRead.ItemProcessor.ProcessorConfig.Mode == "INLINE"
      && [for name, state in jsondecode(aws_sfn_state_machine.backup.definition).States.SlicesRead.ItemProcessor.States : state.Parameters.QueueUrl] == ["https://sqs.us-east-1.amazonaws.com/222222222222/levee-manifest-ready"]
    )
    error_message = "Slices of an inventory are read by the stage that reads inventories, and an inline map has at most 40 at a time."
  }

  assert {
    condition = (
      aws_sfn_state_machine.backup.name == "levee-backup"
      && aws_sfn_state_machine.backup.type == "STANDARD"
      && aws_sfn_state_machine.backup.role_arn == "arn:aws:iam::222222222222:role/levee-state-machine"
      && aws_sfn_state_machine.backup.logging_configuration[0].level == "ALL"
      && aws_sfn_state_machine.backup.logging_configuration[0].log_destination == "arn:aws:logs:us-east-1:222222222222:log-group:/aws/vendedlogs/states/levee-backup:*"
      && aws_sfn_state_machine.backup.tracing_configuration[0].enabled == false
    )
    error_message = "Name, kind, role, log or tracing of the state machine."
  }

  assert {
    condition     = alltrue([for group in [aws_cloudwatch_log_group.state_machine, aws_cloudwatch_log_group.restores, aws_cloudwatch_log_group.completed] : group.retention_in_days == 365])
    error_message = "A log group keeps its logs for another time."
  }
}

run "a_schedule_per_source_starts_a_run_under_the_ticks_name" {
  command = plan

  assert {
    condition = { for source, s in aws_scheduler_schedule.source : s.name => "${s.group_name} ${s.state} ${s.schedule_expression} ${s.schedule_expression_timezone} ${s.flexible_time_window[0].mode}" } == {
      levee-lake-events = "default ENABLED cron(0 3 * * ? *) UTC OFF"
      levee-lake-orders = "default DISABLED cron(30 22 * * ? *) Europe/Berlin OFF"
    }
    error_message = "When runs start."
  }

  assert {
    condition = alltrue([for source, s in aws_scheduler_schedule.source :
      s.target[0].arn == "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
      && s.target[0].role_arn == "arn:aws:iam::222222222222:role/levee-scheduler"
      && s.target[0].retry_policy[0].maximum_event_age_in_seconds == 43200
      && s.target[0].retry_policy[0].maximum_retry_attempts == 185
      && s.target[0].dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:222222222222:levee-schedules-dlq"
      && jsondecode(s.target[0].input).StateMachineArn == "arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup"
      && strcontains(s.target[0].input, "\"Name\":\"${source}-<aws.scheduler.execution-id>\"")
    ])
    error_message = "How runs start."
  }

  # As Plan::scheduled_input of crates/levee/src/deploy.rs has it.
  assert {
    condition     = jsondecode(aws_scheduler_schedule.source["lake-events"].target[0].input).Input == "{\"run\":{\"inventory\":{\"bucket\":\"levee-manifests-222222222222-us-east-1\",\"id\":\"levee-daily\",\"prefix\":\"inventory\"},\"scheduled_time\":\"<aws.scheduler.scheduled-time>\",\"settle_days\":2,\"source\":\"lake-events\",\"source_account\":\"111111111111\",\"time_zone\":\"UTC\"}}"
    error_message = "The input of a source with the defaults."
  }

  assert {
    condition = jsondecode(jsondecode(aws_scheduler_schedule.source["lake-orders"].target[0].input).Input) == { run = {
      source               = "lake-orders"
      source_account       = "111111111111"
      inventory            = { bucket = "levee-manifests-222222222222-us-east-1", prefix = "inventory", id = "nightly" }
      scheduled_time       = "<aws.scheduler.scheduled-time>"
      time_zone            = "Europe/Berlin"
      settle_days          = 1
      manifest_limit_hours = 30
      stall_limit_hours    = 12
      priority             = 50
      retries              = 5
      slice_files          = 64
      selection = {
        include         = [{ prefix = "sales/" }, { glob = "*/orders/**" }]
        exclude         = [{ glob = "**/_tmp/**" }]
        storage_classes = ["STANDARD", "DEEP_ARCHIVE"]
      }
      archived = { restore = { tier = "STANDARD", days = 3, limit_hours = 72 } }
      snapshot = {
        storage_class = "STANDARD_IA"
        kms_key_arn   = "arn:aws:kms:us-east-1:222222222222:key/snapshots"
        object_lock   = { mode = "GOVERNANCE", days = 35 }
        tags          = { team = "<orders>" }
      }
    } }
    error_message = "The input of a source with settings."
  }
}

run "a_source_may_skip_archived_objects" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", archived = { policy = "skip" } } }
  }

  assert {
    condition     = jsondecode(jsondecode(aws_scheduler_schedule.source["lake"].target[0].input).Input).run.archived == "skip"
    error_message = "The input of a source whose archived objects are skipped."
  }
}

run "outputs_describe_the_deployment" {
  command = plan
  variables {
    operator_arns    = ["arn:aws:iam::222222222222:role/operators"]
    break_glass_arns = ["arn:aws:iam::222222222222:role/break-glass"]
  }

  assert {
    condition = jsonencode(output.deployment) == jsonencode({
      version           = 1
      name              = "levee"
      region            = "us-east-1"
      account           = "222222222222"
      manifest_bucket   = "levee-manifests-222222222222-us-east-1"
      report_bucket     = "levee-reports-222222222222-us-east-1"
      ledger_bucket     = "levee-ledger-222222222222-us-east-1"
      canary_bucket     = "levee-canary-222222222222-us-east-1"
      inventory_prefix  = "inventory"
      queue_prefix      = "levee-"
      state_machine_arn = "arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup"
      event_bus         = "levee"
      topic_arn         = "arn:aws:sns:us-east-1:222222222222:levee-notifications"
      copy_role_arn     = "arn:aws:iam::222222222222:role/levee-batch-copy"
      schedule_group    = "default"
      break_glass_arns  = ["arn:aws:iam::222222222222:role/break-glass"]
      kms_key_arn       = null
      ledger_lock       = { mode = "GOVERNANCE", days = 365 }
      sources = [
        {
          name         = "lake-events"
          account      = "111111111111"
          inventory_id = "levee-daily"
          schedule     = "levee-lake-events"
          enabled      = true
          kms_key_arns = []
          snapshot     = { kms_key_arn = null, object_lock = null, storage_class = null }
        },
        {
          name         = "lake-orders"
          account      = "111111111111"
          inventory_id = "nightly"
          schedule     = "levee-lake-orders"
          enabled      = false
          kms_key_arns = ["arn:aws:kms:us-east-1:111111111111:key/orders"]
          snapshot     = { kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/snapshots", object_lock = { mode = "GOVERNANCE", days = 35 }, storage_class = "STANDARD_IA" }
        },
      ]
    })
    error_message = "The description of the deployment is not what levee doctor reads."
  }

  assert {
    condition = jsonencode(output.for_sources) == jsonencode({
      manifest_bucket  = "levee-manifests-222222222222-us-east-1"
      inventory_prefix = "inventory"
      copy_role_arn    = "arn:aws:iam::222222222222:role/levee-batch-copy"
      reader_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-report-parse", "arn:aws:iam::222222222222:role/levee-worker-thaw", "arn:aws:iam::222222222222:role/levee-doctor"]

      copying_role_arns    = ["arn:aws:iam::222222222222:role/levee-worker-large-copy", "arn:aws:iam::222222222222:role/levee-worker-table-verify"]
      decrypting_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-large-copy", "arn:aws:iam::222222222222:role/levee-worker-table-verify", "arn:aws:iam::222222222222:role/levee-doctor"]
      restored_buckets     = ["lake-orders"]
    })
    error_message = "What sources are given."
  }

  assert {
    condition = output.worker_environment == {
      AWS_REGION             = "us-east-1"
      LEVEE_ACCOUNT          = "222222222222"
      LEVEE_LEDGER_BUCKET    = "levee-ledger-222222222222-us-east-1"
      LEVEE_REPORT_BUCKET    = "levee-reports-222222222222-us-east-1"
      LEVEE_COPY_ROLE_ARN    = "arn:aws:iam::222222222222:role/levee-batch-copy"
      LEVEE_EVENT_BUS        = "levee"
      LEVEE_QUEUE_PREFIX     = "levee-"
      LEVEE_LOG_FORMAT       = "json"
      LEVEE_BREAK_GLASS_ARNS = "arn:aws:iam::222222222222:role/break-glass"
    }
    error_message = "The settings of the workers."
  }
}

run "without_operators_the_doctor_does_not_read_sources" {
  command = plan
  variables {
    worker_groups = { before = ["manifest-ready", "bucket-provision", "job-submit"], after = ["job-poll", "report-parse"], rest = ["thaw", "large-copy", "snapshot-check"], close = ["table-verify", "run-close", "restore-plan"], drills = ["drill-plan", "drill-close"] }
  }

  assert {
    condition     = output.for_sources.reader_role_arns == ["arn:aws:iam::222222222222:role/levee-worker-after", "arn:aws:iam::222222222222:role/levee-worker-rest"] && output.for_sources.decrypting_role_arns == output.for_sources.copying_role_arns && output.for_sources.copying_role_arns == ["arn:aws:iam::222222222222:role/levee-worker-close", "arn:aws:iam::222222222222:role/levee-worker-rest"] && !contains(keys(output.role_arns), "doctor")
    error_message = "A role that is not made reads the sources."
  }
}
